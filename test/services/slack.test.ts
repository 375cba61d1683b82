import { assert, describe, it } from "@effect/vitest"
import * as FastCheck from "fast-check"
import type { Entry } from "../../src/services/notification-outbox.ts"
import type { Message } from "../../src/services/notifier.ts"
import { mrkdwn, payload } from "../../src/services/slack.ts"

const entry = (changed: Partial<Message> = {}): Entry => ({
  id: "id-1",
  created: Date.UTC(2026, 0, 1),
  message: { channel: "ml-ops", severity: "warning", title: "Trained", text: "AUC 0.61", ...changed },
  routes: [{ to: "slack", channel: "#ml-ops" }],
  done: [],
})

describe("a message in Slack", () => {
  it("has its severity, title, text, links and where it comes from", () => {
    const links = [{ text: "the <run>", url: "https://host/runs?a=1&b=2" }]
    const from = { pipeline: "retrain", run: "r1", task: "tell" }
    assert.deepStrictEqual(payload(entry({ links, from, dedupKey: "disk" }), "#ml-ops"), {
      channel: "#ml-ops",
      text: "[warning] Trained: AUC 0.61",
      blocks: [
        { type: "section", text: { type: "mrkdwn", text: ":warning: *warning*  *Trained*", verbatim: true } },
        { type: "section", text: { type: "mrkdwn", text: "AUC 0.61", verbatim: true } },
        {
          type: "context",
          elements: [
            { type: "mrkdwn", text: "<https://host/runs?a=1&amp;b=2|the &lt;run&gt;>", verbatim: true },
            { type: "mrkdwn", text: "run r1, retrain/tell", verbatim: true },
            { type: "mrkdwn", text: "about disk", verbatim: true },
            { type: "mrkdwn", text: "2026-01-01T00:00:00.000Z, id-1", verbatim: true },
          ],
        },
      ],
    })
  })

  it("names no channel to a webhook of the channel's own", () => {
    assert.notProperty(payload(entry(), undefined), "channel")
  })

  it("says of what is acknowledged and resolved that it is", () => {
    const said = (action: "acknowledge" | "resolve") => JSON.stringify(payload(entry({ action }), undefined))
    assert.include(said("acknowledge"), ":eyes: *Acknowledged*")
    assert.include(said("resolve"), ":white_check_mark: *Resolved*")
    assert.include(said("resolve"), "[resolved] Trained")
  })

  it("calls nobody and links to nothing by what it says", () => {
    const text = JSON.stringify(
      payload(entry({ title: "<!channel>", text: "<@U1> <https://evil|here> &amp;" }), undefined),
    )
    assert.notMatch(text, /<[!@h]/)
    assert.include(text, "&lt;!channel&gt;")
    assert.include(text, "&amp;amp;")
  })

  it("never is longer than Slack takes, nor has half an entity or half a character", () => {
    const texts = FastCheck.array(FastCheck.constantFrom("&", "<", ">", "a", "😀", "λ", "\n", "\u001b", "\ud800"))
    FastCheck.assert(
      FastCheck.property(texts, FastCheck.integer({ min: 1, max: 40 }), (parts, length) => {
        const text = parts.join("")
        const shown = mrkdwn(text, length)
        assert.isAtMost(shown.length, length)
        assert.isTrue(shown.isWellFormed())
        assert.notMatch(shown, /&(?!(amp|lt|gt);)|[<>]/)
        assert.notInclude(shown, "\u001b")
        const whole = mrkdwn(text, 9_999)
        assert.isTrue(shown === whole || (shown.endsWith("…") && whole.startsWith(shown.slice(0, -1))))
      }),
    )
  })
})
