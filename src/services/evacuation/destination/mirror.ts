import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import type { Pushed } from "../../../domain/pushed.ts"
import type { Destination } from "./destination.ts"
import type { IncidentFolder } from "../incident/incidents.ts"
import * as Unwaited from "./unwaited.ts"

/** What the layout that was used before has, below `latest/`. */
const mirrored = /^(models|artifacts|logs)\//

/**
 * Keeps `latest/models/`, `latest/artifacts/` and `latest/logs/` as copies of what was verified, for those who look there.
 * What is the same there is not copied again, and nothing is removed. Says what could not be copied.
 */
export const keep = Effect.fn("Mirror.keep")(function* (
  { call }: IncidentFolder,
  destination: Destination,
  objects: ReadonlyArray<Pushed>,
  parallel: number,
) {
  const problems: Array<string> = []
  const one = Effect.fnUntraced(function* ({ bytes, key, path, sha256 }: Pushed) {
    const to = `latest/${path}`
    const copied = destination.confirm({ key: to, bytes, sha256 }, "ask").pipe(
      Effect.flatMap((there) => (there.confirmed ? Effect.void : destination.copy({ key, bytes, sha256 }, to))),
      Effect.catch(({ message }) => Effect.sync(() => void problems.push(message))),
    )
    if (call.deadline === undefined) return yield* copied
    const left = call.deadline - (yield* Clock.currentTimeMillis)
    const ended = left <= 0 ? undefined : yield* Unwaited.until(copied, Effect.sleep(left))
    if (ended?._tag !== "Some") problems.push(`${to} was not copied before the deadline`)
  })
  yield* Effect.forEach(
    objects.filter(({ path }) => mirrored.test(path)),
    one,
    { concurrency: parallel, discard: true },
  )
  return problems
})
