import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import type { RegistryUnavailable } from "./model-registry.ts"
import { ModelRegistry } from "./model-registry.ts"
import { Message, Notifier } from "./notifier.ts"

/** What one pass over the registry's outbox has done. `problems` says of each message that was left why. */
export interface Passed {
  readonly delivered: number
  readonly problems: ReadonlyArray<string>
}

const pageSize = 1_000

const decode = Schema.decodeUnknownEffect(Message)

/**
 * Hands the notifications of the registry's outbox to the notifier, which stores them; then they are marked as delivered.
 * Between the two a crash is told again: the notifier stores the same message once. Other kinds are left for who takes them.
 */
export const deliver: Effect.Effect<Passed, RegistryUnavailable, ModelRegistry | Notifier> = Effect.gen(function* () {
  const registry = yield* ModelRegistry
  const notifier = yield* Notifier
  const waiting = yield* registry.pendingOutbox(pageSize, "notification")
  const problems: Array<string> = []
  const delivered: Array<number> = []
  for (const { id, payload } of waiting) {
    const problem = yield* decode(payload).pipe(
      Effect.flatMap(notifier.send),
      Effect.as(undefined),
      Effect.catch(({ message }) => Effect.succeed(message)),
    )
    if (problem === undefined) delivered.push(id)
    else problems.push(`Message ${id} of the registry's outbox is kept: ${problem}`)
  }
  yield* registry.markDelivered(delivered)
  return { delivered: delivered.length, problems }
}).pipe(Effect.withSpan("RegistryOutbox.deliver"))
