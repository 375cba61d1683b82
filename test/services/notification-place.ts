import * as Fs from "node:fs/promises"
import { join } from "node:path"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as CanonicalJson from "../../src/domain/canonical-json.ts"
import type { NotificationsSection, Route } from "../../src/domain/config/notifications.ts"
import type { Sections } from "../../src/domain/config/sections.ts"
import * as HttpPost from "../../src/services/http-post.ts"
import type { Delivery } from "../../src/services/notification-delivery.ts"
import type { Deliver } from "../../src/services/notification-route.ts"
import type { Entry } from "../../src/services/notification-outbox.ts"
import type { Alarms, Notifier } from "../../src/services/notifier.ts"
import * as NotifierEmbedded from "../../src/services/notifier-embedded.ts"
import * as PagerDuty from "../../src/services/pagerduty.ts"
import * as Secrets from "../../src/services/secrets.ts"
import { Settings } from "../../src/services/settings.ts"
import * as Slack from "../../src/services/slack.ts"
import type { ChatServer } from "../support/servers/chat-server.ts"
import * as Workplace from "../tasks/workplace.ts"

/** A project that sends to a chat server. */
export interface Place {
  readonly root: string
  readonly notifications: NotificationsSection
  readonly environment: Record<string, string>
  readonly deliveries: Array<Delivery>
  env: "dev" | "prod"
  /** Deliveries that are going on. */
  under: number
}

/** The channels: one for each kind of route, and one for all. */
export const routes = {
  console: { to: "console" },
  file: { to: "file", path: "logs/alerts.ndjson" },
  slack: { to: "slack", channel: "#ml-ops" },
  pagerduty: { to: "pagerduty" },
} as const satisfies Record<string, Route>

export const make = (chat: Pick<ChatServer, "url" | "webhook" | "routingKey">) =>
  Effect.map(Workplace.project, (root): Place => {
    const channels = Object.fromEntries(Object.entries(routes).map(([name, route]) => [name, { routes: [route] }]))
    const { file, pagerduty, slack } = routes
    return {
      root,
      notifications: {
        timeout: "5s",
        channels: { ...channels, all: { routes: [file, slack, pagerduty] } },
        severities: { info: [], warning: [], critical: [] },
        slack: { webhook: "${env:SLACK_WEBHOOK_URL}" },
        pagerduty: {
          routing_key: "${env:PAGERDUTY_INTEGRATION_KEY}",
          url: `${chat.url}/v2/enqueue`,
          source: "ml-assets-core",
          component: "dandori",
          severity: { info: "info", warning: "warning", critical: "critical" },
        },
      },
      environment: { SLACK_WEBHOOK_URL: chat.webhook, PAGERDUTY_INTEGRATION_KEY: chat.routingKey },
      deliveries: [],
      env: "dev",
      under: 0,
    }
  })

const counted =
  (place: Place, deliver: Deliver): Deliver =>
  (entry, route) =>
    Effect.suspend(() => {
      place.under++
      return Effect.ensuring(
        deliver(entry, route),
        Effect.sync(() => void place.under--),
      )
    })

const delivering = (place: Place) =>
  Layer.unwrap(
    Effect.map(Effect.all([Slack.deliverer, PagerDuty.deliverer]), ([slack, pagerduty]) =>
      NotifierEmbedded.layer({
        deliverers: { slack: counted(place, slack), pagerduty: counted(place, pagerduty) },
        onDelivery: (delivery) => Effect.sync(() => void place.deliveries.push(delivery)),
      }),
    ),
  )

/** One process's life in the place: what it uses is there until it ends, and delivers until then. */
export const life = <A, E>(place: Place, use: Effect.Effect<A, E, Notifier | Alarms>) => {
  const sections = { notifications: place.notifications } as Sections
  const settings = Layer.succeed(Settings, {
    env: place.env,
    sections,
    digest: () => CanonicalJson.digest(place.notifications),
  })
  const secrets = Secrets.layer({ project: place.root, environment: place.environment })
  const base = Layer.mergeAll(settings, secrets, HttpPost.layer).pipe(Layer.provideMerge(Workplace.place(place.root)))
  return Effect.scoped(Effect.provide(use, Layer.fresh(Layer.provide(delivering(place), base))))
}

/** Names of the entries in a folder of the outbox. */
export const folder = (place: Place, name: "pending" | "delivered" | "refused") =>
  Effect.promise(() => Fs.readdir(join(place.root, ".dandori", "outbox", name)).catch((): Array<string> => []))

/** The entries in a folder of the outbox. */
export const entries = (place: Place, name: "pending" | "delivered" | "refused") =>
  Effect.flatMap(folder(place, name), (names) =>
    Effect.promise(() =>
      Promise.all(
        names.map(async (file): Promise<Entry> => Bun.file(join(place.root, ".dandori", "outbox", name, file)).json()),
      ),
    ),
  )

/** What the project's files hold, all in one text. */
export const everything = (place: Place) =>
  Effect.promise(async () => {
    const names = await Fs.readdir(place.root, { recursive: true, withFileTypes: true })
    const files = names.filter((one) => one.isFile()).map((one) => join(one.parentPath, one.name))
    return (await Promise.all(files.map((file) => Fs.readFile(file, "utf8")))).join("\n")
  })

/** What the process writes to standard error until the scope closes. A write fails while `broken` says why. */
export const standardError = Effect.acquireRelease(
  Effect.sync(() => {
    const original = process.stderr.write
    const seen = {
      text: "",
      broken: undefined as Error | undefined,
      restore: () => void (process.stderr.write = original),
    }
    process.stderr.write = ((text: string, done?: (cause?: Error) => void) => {
      if (seen.broken === undefined) seen.text += text
      done?.(seen.broken)
      return true
    }) as typeof process.stderr.write
    return seen
  }),
  (seen) => Effect.sync(seen.restore),
)
