import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import { taskType } from "../../src/authoring/task-type.ts"
import { routesOf } from "../../src/domain/config/notifications.ts"
import { Attempt } from "../../src/services/attempt.ts"
import { Action, Link, Notifier, type Message, failureKey } from "../../src/services/notifier.ts"
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
  action: Schema.optionalKey(
    Action.annotate({ description: "what it does to the alarm that dedupKey names; default: trigger" }),
  ),
  dedupKey: Schema.optionalKey(
    Schema.String.annotate({
      description:
        "messages about one thing share it; without one: the failure of this pipeline, where it has failed or the action is not trigger",
    }),
  ),
  links: Schema.optionalKey(Schema.Array(Link).annotate({ description: "where to look" })),
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

const failures: ReadonlySet<string | undefined> = new Set(["failed", "timed_out", "lost"])

/**
 * What the message is about: as the author says; else, in the handlers of a pipeline that has failed, and for a message
 * that acknowledges or resolves, the pipeline's failure. A later success of the pipeline resolves that.
 */
const dedupKeyOf = (
  { action = "trigger", dedupKey }: typeof Input.Type,
  { env, handles, pipeline }: Attempt["Service"],
) => dedupKey ?? (action !== "trigger" || failures.has(handles) ? failureKey(env, pipeline) : undefined)

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
        : `would ${input.action === undefined || input.action === "trigger" ? "send" : input.action} to ${routes.map((route) => route.to).join(", ")}: ${input.text}`,
    ),
  run: (input) =>
    Effect.gen(function* () {
      yield* checkChannel(input)
      const attempt = yield* Attempt
      const { idempotencyKey, pipeline, run, task } = attempt
      const { action = "trigger", links } = input
      const dedupKey = dedupKeyOf(input, attempt)
      const message: Message = {
        channel: input.channel,
        severity: severityOf(input),
        title: input.title ?? `${pipeline}/${task}`,
        text: input.text,
        action,
        key: action === "trigger" ? (input.dedupKey ?? idempotencyKey) : idempotencyKey,
        ...(dedupKey === undefined ? {} : { dedupKey }),
        ...(links === undefined || links.length === 0 ? {} : { links }),
        from: { pipeline, run, task },
      }
      return yield* (yield* Notifier).send(message)
    }),
})
