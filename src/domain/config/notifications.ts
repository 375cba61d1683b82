import * as Schema from "effect/Schema"
import { Duration } from "../quantity.ts"
import { HttpUrl } from "./http-url.ts"
import { Name } from "./measure.ts"
import { SecretReference } from "./secret-reference.ts"

/** One way that a channel's messages go. `file` appends NDJSON to a project-relative path. */
export const Route = Schema.Union([
  Schema.Struct({ to: Schema.Literal("console") }),
  Schema.Struct({ to: Schema.Literal("file"), path: Schema.String }),
  Schema.Struct({ to: Schema.Literal("slack"), channel: Schema.String }),
  Schema.Struct({ to: Schema.Literal("pagerduty") }),
])
export type Route = typeof Route.Type

const Severity = Schema.Literals(["info", "warning", "error", "critical"])

/**
 * Who is told what. A message goes along the routes of its channel and of the channels of its severity, each route once.
 * `slack.webhook`, `slack.webhooks` and `pagerduty.routing_key` are references. A webhook of Slack's belongs to one channel;
 * `webhooks` names those of the channels that have their own. `pagerduty.severity` says what PagerDuty calls our severities
 * (Events API v2), `pagerduty.url` where its events go: a service region of its own, for one. `timeout` is for one delivery.
 */
export const NotificationsSection = Schema.Struct({
  timeout: Duration,
  channels: Schema.Record(Name, Schema.Struct({ routes: Schema.Array(Route) })),
  severities: Schema.Struct({
    info: Schema.Array(Name),
    warning: Schema.Array(Name),
    critical: Schema.Array(Name),
  }),
  slack: Schema.Struct({
    webhook: SecretReference,
    webhooks: Schema.optionalKey(Schema.Record(Schema.String, SecretReference)),
  }),
  pagerduty: Schema.Struct({
    routing_key: SecretReference,
    url: Schema.optionalKey(HttpUrl),
    source: Schema.String,
    component: Schema.String,
    severity: Schema.Struct({ info: Severity, warning: Severity, critical: Severity }),
  }),
}).check(
  Schema.makeFilter(({ channels, severities }) => {
    const lost = Object.values(severities)
      .flat()
      .find((name) => !Object.hasOwn(channels, name))
    return lost === undefined || `severities names the channel ${lost}, which is not in channels`
  }),
)
export type NotificationsSection = typeof NotificationsSection.Type

/** The routes of a message, each once; undefined when there is no such channel. */
export const routesOf = (
  notifications: NotificationsSection,
  channel: string,
  severity: "info" | "warning" | "critical",
): ReadonlyArray<Route> | undefined => {
  if (!Object.hasOwn(notifications.channels, channel)) return undefined
  const all = [channel, ...notifications.severities[severity]].flatMap((name) => notifications.channels[name].routes)
  return [...new Map(all.map((route) => [JSON.stringify(route), route])).values()]
}
