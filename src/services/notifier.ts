import * as Context from "effect/Context"
import type * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"

/** What a message does to the alarm that its `dedupKey` names. */
export const Action = Schema.Literals(["trigger", "acknowledge", "resolve"])
export type Action = typeof Action.Type

/** Something to look at. */
export const Link = Schema.Struct({
  text: Schema.String,
  url: Schema.String.check(
    Schema.isPattern(/^https?:\/\/[^\s<>]+$/, { message: "must be a URL like https://host/path" }),
  ),
})
export type Link = typeof Link.Type

/**
 * A message for people. `channel` names an entry of the notifications section.
 *
 *   trigger, with a dedupKey ──> alarm ──acknowledge──> alarm ──resolve──> none
 *
 * Without an `action` a message triggers; without a `dedupKey` it says something and there is nothing to resolve.
 */
export const Message = Schema.Struct({
  channel: Schema.String,
  severity: Schema.Literals(["info", "warning", "critical"]),
  title: Schema.String,
  text: Schema.String,
  action: Schema.optionalKey(Action),
  dedupKey: Schema.optionalKey(Schema.String.annotate({ description: "messages about one thing share it" })),
  key: Schema.optionalKey(
    Schema.String.annotate({ description: "the same message with the same key is sent once; default: dedupKey" }),
  ),
  links: Schema.optionalKey(Schema.Array(Link)),
  from: Schema.optionalKey(Schema.Struct({ pipeline: Schema.String, run: Schema.String, task: Schema.String })),
})
export type Message = typeof Message.Type

/** What a message does, by default `trigger`. */
export const actionOf = ({ action }: Message): Action => action ?? "trigger"

/** The `dedupKey` of what tells that a pipeline fails, and that it succeeds again. */
export const failureKey = (env: string, pipeline: string): string => `dandori/${env}/${pipeline}`

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
    /**
     * Stores a message for the routes of its channel and its severity; one that acknowledges or resolves goes along the
     * routes of what triggered the alarm too.
     */
    readonly send: (
      message: Message,
    ) => Effect.Effect<{ readonly id: string; readonly to: ReadonlyArray<string> }, NotifyError>
  }
>()("dandori/services/Notifier") {}

/** That something is well again. `run` is the run that shows it. */
export interface Recovery {
  readonly dedupKey: string
  readonly run: string
  readonly title: string
  readonly text: string
}

/** The alarms that were triggered and not resolved. */
export class Alarms extends Context.Service<
  Alarms,
  {
    /**
     * Resolves an alarm where those who heard of it will hear that it is over. True when it did; false when there is no
     * such alarm, or when the same run has triggered it.
     */
    readonly recover: (recovery: Recovery) => Effect.Effect<boolean, NotifyError>
  }
>()("dandori/services/Alarms") {}
