import type { Sections } from "./sections.ts"

/** A secret that the configuration needs as it stands. `key` names it within its section. */
export interface RequiredSecret {
  readonly section: keyof Sections
  readonly key: string
  readonly reference: string
  /** What does not work without it. */
  readonly use: string
}

/** The secrets that are used by these sections: those of backends that are chosen and of routes that exist. */
export const requiredSecrets = (sections: Sections): ReadonlyArray<RequiredSecret> => {
  const { daemon, database, exporters, ledger, messaging, notifications, storage } = sections
  const { webhooks = {} } = notifications.slack
  const routes = Object.values(notifications.channels).flatMap(({ routes }) => routes)
  const slackChannels = new Set(routes.flatMap((route) => (route.to === "slack" ? [route.channel] : [])))
  const shared = [...slackChannels].some((channel) => !Object.hasOwn(webhooks, channel))
  const ways = new Set(routes.map(({ to }) => to))
  const all: ReadonlyArray<RequiredSecret & { readonly used: boolean }> = [
    {
      used: storage.offsite !== undefined,
      section: "storage",
      key: "offsite.bucket",
      reference: storage.offsite?.bucket ?? "",
      use: "evacuations and backups have no bucket",
    },
    {
      used: database.backend === "postgres" || ledger.store === "postgres",
      section: "database",
      key: "dsn",
      reference: database.dsn,
      use: "the registry and the ledger cannot be reached",
    },
    {
      used: messaging.backend === "redis",
      section: "messaging",
      key: "url",
      reference: messaging.url,
      use: "signals and the operations flags cannot be reached",
    },
    {
      used: shared,
      section: "notifications",
      key: "slack.webhook",
      reference: notifications.slack.webhook,
      use: "nothing goes to Slack",
    },
    ...Object.entries(webhooks).map(([channel, reference]) => ({
      used: slackChannels.has(channel),
      section: "notifications" as const,
      key: `slack.webhooks.${channel}`,
      reference,
      use: `nothing goes to ${channel} in Slack`,
    })),
    {
      used: ways.has("pagerduty"),
      section: "notifications",
      key: "pagerduty.routing_key",
      reference: notifications.pagerduty.routing_key,
      use: "nobody is paged",
    },
    {
      used: daemon.dead_man.url !== undefined,
      section: "daemon",
      key: "dead_man.url",
      reference: daemon.dead_man.url ?? "",
      use: "the dead-man signal does not leave by its URL",
    },
    ...Object.entries(daemon.hooks ?? {}).map(([pipeline, reference]) => ({
      used: true,
      section: "daemon" as const,
      key: `hooks.${pipeline}`,
      reference,
      use: `no webhook starts ${pipeline}`,
    })),
    ...exporters.exporters.flatMap((exporter) =>
      Object.entries("headers" in exporter ? (exporter.headers ?? {}) : {}).map(([header, reference]) => ({
        used: true,
        section: "exporters" as const,
        key: `exporters[${exporter.name}].headers.${header}`,
        reference,
        use: `nothing goes to ${exporter.name}`,
      })),
    ),
  ]
  return all.flatMap(({ used, ...secret }) => (used ? [secret] : []))
}
