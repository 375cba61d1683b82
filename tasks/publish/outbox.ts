import type { MessagingSection } from "../../src/domain/config/messaging.ts"
import type { NotificationsSection } from "../../src/domain/config/notifications.ts"
import type { Model } from "../../src/domain/model.ts"
import { slotText } from "../../src/domain/model.ts"
import type { OutboxMessage, Warrant } from "../../src/domain/registry.ts"

/**
 * What is told to others when a version becomes champion: a notification for people (to the first channel for `info`)
 * and a signal for the processes that serve models.
 */
export const messages = (
  model: Pick<Model, "version" | "slot" | "digest" | "synthetic">,
  previous: string | undefined,
  warrant: Warrant,
  notifications: NotificationsSection,
  messaging: MessagingSection,
): ReadonlyArray<OutboxMessage> => {
  const slot = slotText(model.slot)
  const synthetic = model.synthetic ? " (trained on synthetic data)" : ""
  const notification = {
    severity: "info",
    title: `${model.version} is champion of ${slot}${synthetic}`,
    text: `In place of ${previous ?? "none"}, by ${warrant.who}: ${warrant.reason}`,
    key: `publish/${model.version}/${warrant.key}`,
  }
  const signal = {
    channel: messaging.channels.ops_events,
    event: "model.deployed",
    slot,
    version: model.version,
    digest: model.digest,
    previous: previous ?? null,
  }
  return [
    ...notifications.severities.info
      .slice(0, 1)
      .map((channel) => ({ kind: "notification", payload: { channel, ...notification } })),
    { kind: "signal", payload: signal },
  ]
}
