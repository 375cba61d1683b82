import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as HttpClient from "effect/http/HttpClient"
import * as Option from "effect/Option"
import * as Redacted from "effect/Redacted"
import * as Schema from "effect/Schema"
import type { NotificationsSection, Route } from "../domain/config/notifications.ts"
import { parseDuration } from "../domain/quantity.ts"
import * as Sha256 from "../domain/sha256.ts"
import * as HttpPost from "./http-post.ts"
import type { Entry } from "./notification-outbox.ts"
import { type Deliver, DeliveryFailed, absentSecret, refusal } from "./notification-route.ts"
import { actionOf } from "./notifier.ts"
import { Secrets } from "./secrets.ts"
import { Settings } from "./settings.ts"

/** Where events go unless the configuration says otherwise. */
export const usualUrl = "https://events.pagerduty.com/v2/enqueue"

/** Most characters of a summary and of a dedup_key (Events API v2). An event may have 512 KB. */
const summaryLength = 1_024
const keyLength = 255
const textLength = 32_000

const cut = (text: string, length: number): string => {
  const plain = text.toWellFormed()
  return plain.length <= length
    ? plain
    : `${plain
        .slice(0, length - 1)
        .toWellFormed()
        .replace(/\ufffd$/, "")}…`
}

/** A `dedupKey` as PagerDuty takes it: a longer one by its beginning and its digest. */
export const dedupKeyOf = (key: string): string => {
  const plain = key.toWellFormed()
  return plain.length <= keyLength ? plain : `${cut(plain, keyLength - 66)} ${Sha256.of(plain)}`
}

/**
 * The event of the Events API v2. A message without a `dedupKey` has its id for one, so that what is delivered twice is
 * one alert.
 */
export const event = (
  { created, env, id, message }: Entry,
  { component, severity, source }: NotificationsSection["pagerduty"],
  routingKey: string,
): Record<string, unknown> => {
  const { from, links = [], text, title } = message
  const dedupKey = dedupKeyOf(message.dedupKey ?? id)
  const head = { routing_key: routingKey, event_action: actionOf(message), dedup_key: dedupKey }
  if (actionOf(message) !== "trigger") return head
  return {
    ...head,
    client: "dandori",
    ...(links.length === 0 ? {} : { links: links.map((link) => ({ href: link.url, text: link.text })) }),
    payload: {
      summary: cut(`${title}: ${text}`.replace(/\s+/g, " "), summaryLength),
      source,
      severity: severity[message.severity],
      timestamp: new Date(created).toISOString(),
      component,
      ...(from === undefined ? {} : { group: from.pipeline }),
      custom_details: { text: cut(text, textLength), id, ...(env === undefined ? {} : { env }), ...from },
    },
  }
}

/** What PagerDuty says to what it does not take. */
const Complaint = Schema.fromJsonString(
  Schema.Struct({
    message: Schema.optionalKey(Schema.String),
    errors: Schema.optionalKey(Schema.Array(Schema.String)),
  }),
)
const decodeComplaint = Schema.decodeUnknownOption(Complaint)

const complaintOf = (text: string): string => {
  const complaint = decodeComplaint(text)
  if (Option.isNone(complaint)) return ""
  return [complaint.value.message ?? "", ...(complaint.value.errors ?? [])].join(" ")
}

/**
 * Delivers to PagerDuty's Events API v2. The routing key is read anew for each message and shows up nowhere. Accepted is
 * any 2xx (it says 202); 429 and the fives are tried again, the other fours are refusals.
 */
export const deliver = Effect.fn("PagerDuty.deliver")(function* (entry: Entry, route: Route) {
  if (route.to !== "pagerduty") return
  const { pagerduty, timeout } = (yield* Settings).sections.notifications
  const secrets = yield* Secrets
  const failed = (reason: string) => new DeliveryFailed({ route: "pagerduty", reason, everybody: true })
  const key = yield* secrets.resolve(pagerduty.routing_key).pipe(Effect.mapError(absentSecret("pagerduty")))
  const body = event(entry, pagerduty, Redacted.value(key).trim())
  const answer = yield* HttpPost.exchange({
    url: pagerduty.url ?? usualUrl,
    headers: {},
    body: JSON.stringify(body),
    timeoutMillis: parseDuration(timeout) ?? 5_000,
  }).pipe(Effect.mapError(({ reason }) => failed(reason)))
  if (answer.status >= 200 && answer.status <= 299) return
  const reason = HttpPost.brief(secrets.redact(complaintOf(answer.text)))
  return yield* refusal(route, answer, reason, yield* Clock.currentTimeMillis)
})

/** `deliver` with the services of where this is asked for. */
export const deliverer: Effect.Effect<Deliver, never, Settings | Secrets | HttpClient.HttpClient> = Effect.contextWith(
  (context) => Effect.succeed((entry, route) => Effect.provide(deliver(entry, route), context)),
)
