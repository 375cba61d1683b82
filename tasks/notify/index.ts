import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import { taskType } from "../../src/authoring/task-type.ts"
import { routesOf } from "../../src/domain/config/notifications.ts"
import { Attempt } from "../../src/services/attempt.ts"
import { Notifier, type Message } from "../../src/services/notifier.ts"
import { Settings } from "../../src/services/settings.ts"

/** The channel is not in the notifications section. */
export class UnknownChannel extends Schema.TaggedError<UnknownChannel>()("UnknownChannel", {
  channel: Schema.String,
  channels: Schema.Array(Schema.String),
}) {
  readonly notApplied = true
  override get message() {
    return `There is no channel ${this.channel} in the notifications section; the channels are: ${this.channels.join(", ")}`
  }
}

/** A message for people. Without a title it is titled by pipeline and task. */
export const Input = Schema.Struct({
  channel: Schema.String.annotate({ description: "an entry of the notifications section" }),
  severity: Schema.optionalKey(
    Schema.Literals(["info", "warning", "critical"]).annotate({
      description: "decides the routes of the message; default: info",
    }),
  ),
  title: Schema.optionalKey(Schema.String.annotate({ description: "default: pipeline and task" })),
  text: Schema.String.annotate({ description: "what it says" }),
  dedupKey: Schema.optionalKey(
    Schema.String.annotate({ description: "messages about one thing share it; without one: this task of this run" }),
  ),
}).annotate({ identifier: "NotifyInput" })

/** The message's id in the outbox and the routes that it takes. */
export const Output = Schema.Struct({ id: Schema.String, to: Schema.Array(Schema.String) }).annotate({
  identifier: "Notified",
})

const severityOf = (input: typeof Input.Type) => input.severity ?? "info"

const checkChannel = (input: typeof Input.Type) =>
  Effect.gen(function* () {
    const { notifications } = (yield* Settings).sections
    const routes = routesOf(notifications, input.channel, severityOf(input))
    if (routes !== undefined) return routes
    return yield* new UnknownChannel({ channel: input.channel, channels: Object.keys(notifications.channels) })
  })

/** Sends a notification: it has succeeded when the message is stored, whatever becomes of its delivery. */
export default taskType({
  type: "notify",
  version: 1,
  description: "Stores a message for delivery to a channel",
  input: Input,
  output: Output,
  errors: {
    NotifyError: "the message could not be stored",
    UnknownChannel: "the configuration has no such channel",
  },
  effects: "idempotent",
  config: ["notifications"],
  dryRun: (input) =>
    Effect.map(checkChannel(input), (routes) =>
      routes.length === 0
        ? `would send nothing: the channel ${input.channel} has no routes`
        : `would send to ${routes.map((route) => route.to).join(", ")}: ${input.text}`,
    ),
  run: (input) =>
    Effect.gen(function* () {
      yield* checkChannel(input)
      const attempt = yield* Attempt
      const message: Message = {
        channel: input.channel,
        severity: severityOf(input),
        title: input.title ?? `${attempt.pipeline}/${attempt.task}`,
        text: input.text,
        dedupKey: input.dedupKey ?? attempt.idempotencyKey,
      }
      return yield* (yield* Notifier).send(message)
    }),
})
