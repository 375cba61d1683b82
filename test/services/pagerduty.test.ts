import { assert, describe, it } from "@effect/vitest"
import type { Entry } from "../../src/services/notification-outbox.ts"
import type { Message } from "../../src/services/notifier.ts"
import { dedupKeyOf, event } from "../../src/services/pagerduty.ts"

const section = {
  routing_key: "${env:P}",
  source: "ml-assets-core",
  component: "dandori",
  severity: { info: "info", warning: "warning", critical: "error" },
} as const

const entry = (changed: Partial<Message> = {}): Entry => ({
  id: "id-1",
  created: Date.UTC(2026, 0, 1),
  env: "prod",
  message: { channel: "on-call", severity: "critical", title: "Gate", text: "did not\npass", ...changed },
  routes: [{ to: "pagerduty" }],
  done: [],
})

describe("an event for PagerDuty", () => {
  it("triggers with severity, source, component and details, under the message's id where it is about nothing", () => {
    const from = { pipeline: "retrain", run: "r1", task: "tell" }
    const links = [{ text: "the run", url: "https://host/runs" }]
    assert.deepStrictEqual(event(entry({ from, links }), section, "key"), {
      routing_key: "key",
      event_action: "trigger",
      dedup_key: "id-1",
      client: "dandori",
      links: [{ href: "https://host/runs", text: "the run" }],
      payload: {
        summary: "Gate: did not pass",
        source: "ml-assets-core",
        severity: "error",
        timestamp: "2026-01-01T00:00:00.000Z",
        component: "dandori",
        group: "retrain",
        custom_details: { text: "did not\npass", id: "id-1", env: "prod", ...from },
      },
    })
  })

  for (const action of ["acknowledge", "resolve"] as const) {
    it(`to ${action} names what it is about and nothing else`, () => {
      assert.deepStrictEqual(event(entry({ action, dedupKey: "disk" }), section, "key"), {
        routing_key: "key",
        event_action: action,
        dedup_key: "disk",
      })
    })
  }

  it("keeps to PagerDuty's limits, and long keys apart", () => {
    const { payload } = event(entry({ text: "😀".repeat(99_000) }), section, "key") as { payload: Record<string, any> }
    assert.isAtMost(payload.summary.length, 1_024)
    assert.isTrue(payload.summary.isWellFormed())
    assert.isAtMost(JSON.stringify(payload).length, 100_000)
    const long = "k".repeat(400)
    assert.strictEqual(dedupKeyOf("k".repeat(255)), "k".repeat(255))
    assert.strictEqual(dedupKeyOf(long), dedupKeyOf(long))
    assert.notStrictEqual(dedupKeyOf(`${long}1`), dedupKeyOf(`${long}2`))
    assert.isAtMost(dedupKeyOf(long).length, 255)
  })
})
