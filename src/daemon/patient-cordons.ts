import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Cordon from "../domain/cordon.ts"
import type { Cordons } from "../services/cordons.ts"
import * as Monotonic from "../services/monotonic.ts"

/** How often it is looked at cordons that cannot be read, while the ledger can, before they count as raised. */
const mostLooks = 5
/** The wait between two looks; a `readOn` that took longer has waited for something, milliseconds. */
const lookMillis = 1_000

/**
 * What keeps pipelines from starting, by pipeline. A database that is away is waited for: that it cannot tell is no cordon
 * yet. `readOn` reads something of the ledger.
 */
export const against = Effect.fnUntraced(function* <E>(
  cordons: Cordons["Service"],
  pipelines: ReadonlyArray<string>,
  readOn: Effect.Effect<unknown, E>,
) {
  for (let looks = 1; ; looks++) {
    const against = yield* cordons.look
    const found = new Map<string, Cordon.Cordon>()
    for (const pipeline of pipelines) {
      const cordon = against({ pipeline })
      if (Option.isSome(cordon)) found.set(pipeline, cordon.value)
    }
    const isUnseen = [...found.values()].some(Cordon.isUnreadable)
    if (!isUnseen || looks === mostLooks) return found
    const before = yield* Monotonic.millis
    yield* readOn
    // It took a while to be there again: what was seen before says nothing.
    if ((yield* Monotonic.millis) - before > lookMillis) looks = 0
    yield* Effect.sleep(lookMillis)
  }
})
