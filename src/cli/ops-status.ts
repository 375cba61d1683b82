import * as Effect from "effect/Effect"
import * as Result from "effect/Result"
import { Signals } from "../services/signals.ts"
import * as ExitCode from "./exit-code.ts"
import * as OpsPlace from "./ops-place.ts"
import * as Output from "./output.ts"
import { seenJson, seenText } from "./render/ops-flags.ts"

/** Shows the operations flags. Flags that hold garbage end with 65; they count as halted, as do those that nobody has set. */
export const status = Effect.gen(function* () {
  const { flags, place } = yield* OpsPlace.find
  const seen = yield* Effect.flatMap(Signals, ({ look }) => look).pipe(Effect.provide(OpsPlace.signals(place)))
  if (flags.json) {
    yield* Output.json({ v: 1, kind: "ops", operation: "status", env: place.env, ...seenJson(seen) })
  } else yield* Output.data(seenText(seen))
  const isGarbage = Result.isFailure(seen.flags) && !seen.flags.failure.unset
  yield* Output.exitWith(isGarbage ? ExitCode.exitCodes.badData : ExitCode.exitCodes.ok)
})
