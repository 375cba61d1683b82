import { join } from "node:path"
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as CanonicalJson from "../../../domain/canonical-json.ts"
import { Pushed } from "../../../domain/pushed.ts"
import type { Sha256 } from "../../../domain/sha256.ts"
import * as Durable from "../../durable-files.ts"
import type { Destination } from "./destination.ts"
import { type IncidentFolder, readLines } from "../incident/incidents.ts"
import * as Unwaited from "./unwaited.ts"

/** An object that a destination is to confirm. */
export interface Wanted {
  readonly key: string
  readonly bytes: number
  readonly sha256: Sha256
  readonly parts?: ReadonlyArray<number>
  readonly checksum?: string
}

/** What became of the objects that were asked about: keys that were confirmed, and why others were not. */
export interface Confirmation {
  readonly confirmed: ReadonlySet<string>
  readonly problems: ReadonlyArray<{ readonly key: string; readonly reason: string }>
  /** Keys that the destination says it does not have. */
  readonly missing: ReadonlySet<string>
}

const missingReason = "it is not there"

/** Asks a destination about objects, in order, `parallel` at a time, until the incident's deadline. */
export const ask = Effect.fn("Confirmation.ask")(function* (
  { call }: IncidentFolder,
  destination: Destination,
  objects: ReadonlyArray<Wanted>,
  parallel: number,
) {
  const confirmed = new Set<string>()
  const missing = new Set<string>()
  const problems: Array<{ readonly key: string; readonly reason: string }> = []
  const one = Effect.fnUntraced(function* (object: Wanted) {
    const left = call.deadline === undefined ? undefined : call.deadline - (yield* Clock.currentTimeMillis)
    const asked = destination
      .confirm(object, "ask")
      .pipe(Effect.catch(({ message: reason }) => Effect.succeed({ confirmed: false as const, reason })))
    const late = { confirmed: false as const, reason: "not asked about before the deadline" }
    const said =
      left === undefined
        ? yield* asked
        : left <= 0
          ? late
          : Option.getOrElse(yield* Unwaited.until(asked, Effect.sleep(left)), () => late)
    if (said.confirmed) return void confirmed.add(object.key)
    if (said.reason === missingReason) missing.add(object.key)
    problems.push({ key: object.key, reason: said.reason })
  })
  yield* Effect.forEach(objects, one, { concurrency: parallel, discard: true })
  return { confirmed, missing, problems } satisfies Confirmation as Confirmation
})

const pushedName = "pushed.ndjson"

/** Takes out of the journal what a destination does not have, so that the next call sends it again. */
export const forget = Effect.fnUntraced(function* (
  { path }: IncidentFolder,
  rung: string,
  missing: ReadonlySet<string>,
) {
  if (missing.size === 0) return
  const lines = yield* readLines(path, pushedName, Pushed)
  const kept = lines.filter((line) => line.rung !== rung || !missing.has(line.key))
  const text = kept.map((line) => `${CanonicalJson.encode(line)}\n`).join("")
  yield* Durable.writeFileDurably(join(path, pushedName), text)
})
