import type * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import type { Route } from "../domain/config/notifications.ts"
import type { Entry } from "./notification-outbox.ts"
import type { SecretMissing } from "./secrets.ts"

/**
 * A message did not get through on one route. It is tried again, unless `permanent`: the other side has understood and
 * refused it. `everybody`: it is not the message that stands in the way, so others on this route need not be tried before.
 */
export class DeliveryFailed extends Schema.TaggedError<DeliveryFailed>()("DeliveryFailed", {
  route: Schema.String,
  reason: Schema.String,
  permanent: Schema.optionalKey(Schema.Boolean),
  everybody: Schema.optionalKey(Schema.Boolean),
  retryAfterMillis: Schema.optionalKey(Schema.Finite),
}) {
  override get message() {
    return this.permanent === true
      ? `${this.route} refused it: ${this.reason}`
      : `Not delivered to ${this.route} yet: ${this.reason}`
  }
}

/** Delivers an entry on the routes of one kind. */
export type Deliver = (entry: Entry, route: Route) => Effect.Effect<void, DeliveryFailed>

/** Short name of a route: `console`, `file:alerts.ndjson`, `slack:#ml-ops`, `pagerduty`. */
export const routeText = (route: Route): string =>
  route.to === "file" ? `file:${route.path}` : route.to === "slack" ? `slack:${route.channel}` : route.to

/** That a process lacks a secret: another one may have it, so this one does not wait for that at its end. */
export const absentSecret =
  (route: string) =>
  ({ message }: SecretMissing): DeliveryFailed =>
    new DeliveryFailed({ route, reason: message, everybody: true, retryAfterMillis: 30_000 })

const longestMillis = 86_400_000

/**
 * How long a `Retry-After` asks to wait (RFC 9110, section 10.2.3): seconds, or a date. At most a day; undefined when there
 * is none that can be read.
 */
export const retryAfterMillis = (header: string | undefined, now: number): number | undefined => {
  const text = header?.trim() ?? ""
  const millis = /^\d+$/.test(text)
    ? Number(text) * 1_000
    : /^[A-Za-z]{3,9},? /.test(text)
      ? Date.parse(text) - now
      : Number.NaN
  return Number.isNaN(millis) ? undefined : Math.min(Math.max(millis, 0), longestMillis)
}

/** Statuses of the fours that say nothing of the message (RFC 9110, section 15.5): the same one may be taken later. */
const passing = new Set([407, 408, 421, 425, 429])
/** Statuses that are the same for every message. */
const ofTheServer = new Set([407, 429, 502, 503, 504])

/** What an answer that is no success means for the message. `reason` is what the other side said. */
export const refusal = (
  route: Route,
  { headers, status }: { readonly status: number; readonly headers: Readonly<Record<string, string | undefined>> },
  reason: string,
  now: number,
): DeliveryFailed => {
  const retryAfter = retryAfterMillis(headers["retry-after"], now)
  return new DeliveryFailed({
    route: routeText(route),
    reason: `HTTP ${status} ${reason}`.trim(),
    ...(status >= 400 && status <= 499 && !passing.has(status) ? { permanent: true } : {}),
    ...(ofTheServer.has(status) ? { everybody: true } : {}),
    ...(retryAfter === undefined ? {} : { retryAfterMillis: retryAfter }),
  })
}
