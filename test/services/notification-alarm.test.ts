import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import { Alarms, type Message } from "../../src/services/notifier.ts"
import * as Place from "./notification-place.ts"
import { fast, inPlace, message, send, settled } from "./notification-sending.ts"

describe("an alarm", () => {
  const pager = (changed: Partial<Message> = {}) => message({ channel: "pagerduty", dedupKey: "disk", ...changed })

  it.live("is resolved where it was triggered, whatever the channel of what resolves it", () =>
    inPlace(({ chat, place }) =>
      Effect.gen(function* () {
        yield* Place.life(place, send(pager()))
        assert.strictEqual(chat.alerts.get("disk"), "trigger")
        const [sent] = yield* Place.life(place, send(message({ dedupKey: "disk", action: "resolve" })))
        assert.deepStrictEqual(sent.to, ["slack:#ml-ops", "pagerduty"])
        assert.strictEqual(chat.alerts.get("disk"), "resolve")
      }),
    ),
  )

  it.live("that comes again after it was resolved is triggered again, though the words are the same", () =>
    inPlace(({ chat, place }) =>
      Effect.gen(function* () {
        yield* Place.life(place, send(pager(), pager()))
        assert.strictEqual(chat.pagerDuty().length, 1)
        yield* Place.life(place, send(pager({ action: "resolve", key: "r1" })))
        yield* Place.life(place, send(pager()))
        assert.strictEqual(chat.alerts.get("disk"), "trigger")
        yield* Place.life(place, send(pager({ action: "resolve", key: "r2" })))
        assert.strictEqual(chat.alerts.get("disk"), "resolve")
        assert.strictEqual(chat.pagerDuty().length, 4)
      }),
    ),
  )

  it.effect("that was triggered, resolved and triggered while the server was away ends as triggered", () =>
    inPlace(({ chat, place }) =>
      Effect.gen(function* () {
        chat.script(
          "/v2",
          Array.from({ length: 30 }, () => "reset" as const),
        )
        for (const one of [pager(), pager({ action: "resolve", key: "r1" }), pager()]) {
          yield* fast(place, Place.life(place, send(one)))
        }
        chat.script("/v2", [])
        yield* settled(place)
        assert.deepStrictEqual(
          chat.pagerDuty().map((event) => event.event_action),
          ["trigger", "resolve", "trigger"],
        )
      }),
    ),
  )

  it.live("is recovered once, on its own routes, and not by the run that triggered it", () =>
    inPlace(({ chat, place }) =>
      Effect.gen(function* () {
        const recover = (run: string) =>
          Place.life(
            place,
            Effect.flatMap(Alarms, (alarms) => alarms.recover({ dedupKey: "disk", run, title: "well", text: "again" })),
          )
        assert.isFalse(yield* recover("r0"))
        yield* Place.life(place, send(pager({ from: { pipeline: "p", run: "r1", task: "t" } })))
        assert.isFalse(yield* recover("r1"))
        assert.isTrue(yield* recover("r2"))
        assert.isFalse(yield* recover("r3"))
        assert.strictEqual(chat.alerts.get("disk"), "resolve")
        assert.strictEqual(chat.received.length, 2)
      }),
    ),
  )

  it.live("of one environment is not that of another", () =>
    inPlace(({ place }) =>
      Effect.gen(function* () {
        yield* Place.life(place, send(pager()))
        place.env = "prod"
        const recovery = { dedupKey: "disk", run: "r", title: "well", text: "again" }
        assert.isFalse(
          yield* Place.life(
            place,
            Effect.flatMap(Alarms, (alarms) => alarms.recover(recovery)),
          ),
        )
      }),
    ),
  )

  it.live("cannot be acknowledged or resolved without a dedupKey", () =>
    inPlace(({ place }) =>
      Effect.gen(function* () {
        const error = yield* Effect.flip(Place.life(place, send(message({ action: "resolve" }))))
        assert.include(error.message, "needs a dedupKey")
      }),
    ),
  )
})
