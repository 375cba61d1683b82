import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Schema from "effect/Schema"
import { ModelRegistry, type RegistryUnavailable } from "./model-registry.ts"
import { Signals } from "./signals.ts"

/** What one pass over the signals of the registry's outbox has done; `problem` says why some were kept. */
export interface Passed {
  readonly delivered: number
  readonly problem: string | undefined
}

/** So many messages are looked at in one pass. */
const pageSize = 1_000

const decode = Schema.decodeUnknownOption(
  Schema.StructWithRest(Schema.Struct({ channel: Schema.NonEmptyString }), [Schema.JsonObject]),
)

/**
 * Publishes the signals of the registry's outbox, oldest first, and marks each as delivered: at least once, since a crash
 * may come between the two. The first that does not get through keeps those after it, for a later pass. Other kinds of
 * messages are left for who takes them.
 */
export const deliver: Effect.Effect<Passed, RegistryUnavailable, ModelRegistry | Signals> = Effect.gen(function* () {
  const registry = yield* ModelRegistry
  const signals = yield* Signals
  let delivered = 0
  let problem: string | undefined
  for (const { id, payload } of yield* registry.pendingOutbox(pageSize, "signal")) {
    const decoded = decode(payload)
    const kept = (why: string) => `Signal ${id} of the registry is kept: ${why}`
    if (Option.isNone(decoded)) {
      problem = kept("it names no channel")
      continue
    }
    const { channel, ...message } = decoded.value
    const sent = yield* Effect.result(signals.publish(channel, message))
    if (sent._tag === "Failure") return { delivered, problem: kept(sent.failure.message) }
    yield* registry.markDelivered([id])
    delivered++
  }
  return { delivered, problem }
}).pipe(Effect.withSpan("RegistrySignals.deliver"))
