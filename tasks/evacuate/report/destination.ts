import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import { stampOf } from "../../../src/domain/incident.ts"
import * as Sha256 from "../../../src/domain/sha256.ts"
import type { Destination } from "../../../src/services/evacuation/destination/destination.ts"
import { putBytes } from "../../../src/services/evacuation/destination/given-bytes.ts"
import type { IncidentFolder } from "../../../src/services/evacuation/incident/incidents.ts"
import * as Ladder from "../../../src/services/evacuation/destination/ladder.ts"

/** Where the record went, and what kept it from going there. */
export interface Sent {
  readonly location?: string
  readonly problems: ReadonlyArray<string>
}

/** How long sending may take at most, and at least when the deadline has passed, milliseconds. */
const mostMillis = 30_000
const graceMillis = 1_000

const put = (destination: Destination, folder: string, files: Readonly<Record<string, string>>) =>
  Effect.forEach(Object.entries(files), ([name, bytes]) => putBytes(destination, `${folder}/${name}`, bytes, true), {
    discard: true,
  })

/**
 * Sends the record to the destination that the push has chosen, under the time of the call. Objects there are never
 * replaced: another record of the same call gets a folder of its own. One that cannot be sent is no failure of its task.
 */
export const send = Effect.fn("evacuate/report.send")(function* (
  folder: IncidentFolder,
  files: Readonly<Record<string, string>>,
) {
  const { call, incident } = folder
  const now = yield* Clock.currentTimeMillis
  const left = Math.min(mostMillis, Math.max(graceMillis, (call.deadline ?? Number.POSITIVE_INFINITY) - now))
  const at = `incidents/${incident.id}/reports/${stampOf(call.began)}`
  const sending = Effect.gen(function* () {
    const destination = yield* Ladder.chosen(folder)
    const own = `${at}-${Sha256.of(JSON.stringify(files)).slice(0, 12)}`
    yield* put(destination, at, files).pipe(
      Effect.catchIf(
        ({ there }) => there !== undefined,
        () => put(destination, own, files),
      ),
    )
    return { location: destination.location, problems: [] } satisfies Sent as Sent
  }).pipe(Effect.scoped)
  const late: Sent = { problems: [`the record was not sent within ${left} ms`] }
  return yield* sending.pipe(
    Effect.timeoutOrElse({ duration: left, orElse: () => Effect.succeed(late) }),
    Effect.catch(({ message }) => Effect.succeed<Sent>({ problems: [`the record was not sent: ${message}`] })),
  )
})
