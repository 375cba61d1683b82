import * as Context from "effect/Context"
import type * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"

/** A message for people. `channel` names an entry of the notifications section. */
export const Message = Schema.Struct({
  channel: Schema.String,
  severity: Schema.Literals(["info", "warning", "critical"]),
  title: Schema.String,
  text: Schema.String,
  dedupKey: Schema.optionalKey(Schema.String),
})
export type Message = typeof Message.Type

/** The message could not be stored for delivery. */
export class NotifyError extends Schema.TaggedError<NotifyError>()("NotifyError", { reason: Schema.String }) {
  readonly transient = true
  override get message() {
    return `The notification could not be stored: ${this.reason}`
  }
}

/** Takes messages for delivery: durable when `send` returns. */
export class Notifier extends Context.Service<
  Notifier,
  {
    readonly send: (
      message: Message,
    ) => Effect.Effect<{ readonly id: string; readonly to: ReadonlyArray<string> }, NotifyError>
  }
>()("dandori/services/Notifier") {}
