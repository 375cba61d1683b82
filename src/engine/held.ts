import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import type { Starter } from "../domain/cordon.ts"
import { Cordons } from "../services/cordons.ts"
import type { Recorder } from "./recorder.ts"

/** How often a run that a cordon holds looks whether it is gone. */
const lookMillis = 500

/** What a cordon asks of a run: its pipeline, and the incident that it is about. */
export const starterOf = (run: {
  readonly pipeline: string
  readonly params: Readonly<Record<string, unknown>>
}): Starter => {
  const { incident } = run.params
  return { pipeline: run.pipeline, ...(typeof incident === "string" && incident !== "" ? { incident } : {}) }
}

/**
 * Whether a cordon keeps the run from starting more; the run says so once, and again when it is gone. `wake` is called
 * when it is worth asking again.
 */
export const make = Effect.fnUntraced(function* (starter: Starter, recorder: Recorder, wake: () => void) {
  const cordons = yield* Cordons
  const scope = yield* Effect.scope
  let holder: string | undefined
  let watching = false
  const look = Effect.sync(() => {
    watching = false
    wake()
  })
  const watch = Effect.suspend(() => {
    if (watching) return Effect.void
    watching = true
    return Effect.asVoid(Effect.forkIn(Effect.delay(look, lookMillis), scope))
  })
  const against = Effect.suspend(() => cordons.against(starter))
  return Effect.flatMap(against, (found) => {
    const id = Option.isSome(found) ? found.value.id : undefined
    if (id !== holder) {
      if (holder !== undefined) recorder.record({ type: "dev.dandori.run.released.v1", data: { cordon: holder } })
      if (Option.isSome(found)) {
        const { id: cordon, reason } = found.value
        recorder.record({ type: "dev.dandori.run.held.v1", data: { cordon, reason } })
      }
      holder = id
    }
    return id === undefined ? Effect.succeed(false) : Effect.as(watch, true)
  })
})
