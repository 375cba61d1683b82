import * as Fs from "node:fs/promises"
import { join } from "node:path"
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import { TestClock } from "effect/testing"
import * as FastCheck from "fast-check"
import { delayMillis } from "../../src/services/notification-delivery.ts"
import { retryAfterMillis } from "../../src/services/notification-route.ts"
import * as ChatServer from "../support/servers/chat-server.ts"
import * as Place from "./notification-place.ts"
import { fast, inPlace, message, outcomes, refused, send, sends, settled, titles } from "./notification-sending.ts"

describe("a delivery", () => {
  for (const [what, behaviour] of [
    ["an error of the server", refused(500, "rollup_error")],
    ["a gateway that is down", refused(502, "<html>")],
    ["a rate limit", refused(429)],
    ["an answer that is not Slack's", refused(200, "<html>Log in to the network</html>")],
    ["a redirect", refused(302, "", { location: "http://127.0.0.1:1/" })],
    ["a connection that ends without an answer", "reset"],
    ["an answer that is cut", "truncate"],
  ] as const) {
    it.effect(`is tried again after ${what}`, () =>
      inPlace(({ chat, place }) =>
        Effect.gen(function* () {
          chat.script("/services", [behaviour])
          yield* sends(place, message())
          yield* settled(place)
          assert.deepStrictEqual(outcomes(place), ["delayed", "delivered"])
          assert.strictEqual(place.deliveries[1].tries, 2)
        }),
      ),
    )
  }

  for (const [status, word] of [
    [400, "invalid_payload"],
    [403, "action_prohibited"],
    [404, "no_service"],
    [410, "channel_is_archived"],
  ] as const) {
    it.effect(`that is refused with ${word} is told loudly, kept, and not tried again`, () =>
      inPlace(({ chat, place, said }) =>
        Effect.gen(function* () {
          chat.script("/services", [refused(status, word)])
          const [sent] = yield* sends(place, message())
          assert.deepStrictEqual(outcomes(place), ["refused"])
          assert.strictEqual(place.deliveries[0].problem, `HTTP ${status} ${word}`)
          assert.match(
            said.text,
            new RegExp(`"Trained" will not reach slack:#ml-ops: HTTP ${status} ${word}\\. Kept in`),
          )
          assert.deepStrictEqual(yield* Place.folder(place, "refused"), [`${sent.id}.json`])
          yield* TestClock.adjust("4 days")
          yield* Place.life(place, Effect.void)
          assert.strictEqual(chat.received.length, 1)
        }),
      ),
    )
  }

  it.live("is given up by its timeout when the server hangs, and tried again", () =>
    inPlace(({ chat, place: made }) =>
      Effect.gen(function* () {
        const place = { ...made, notifications: { ...made.notifications, timeout: "100ms" as const } }
        chat.script("/services", ["hang"])
        yield* Place.life(place, send(message()))
        assert.deepStrictEqual(outcomes(place), ["delayed", "delivered"])
        assert.include(place.deliveries[0].problem, "no answer within 100 ms")
      }),
    ),
  )

  for (const [what, webhook] of [
    ["nobody listens", "http://127.0.0.1:1/services/plantedWebhookSecret1"],
    ["there is no TLS", "https://127.0.0.1:PORT/services/plantedWebhookSecret1"],
    ["there is no such host", "http://host.invalid/services/plantedWebhookSecret1"],
    ["the webhook is not a URL", "plantedWebhookSecret1"],
  ] as const) {
    it.effect(`waits where ${what}, and says so without the webhook`, () =>
      inPlace(({ chat, place, said }) =>
        Effect.gen(function* () {
          place.environment.SLACK_WEBHOOK_URL = webhook.replace("PORT", new URL(chat.url).port)
          yield* sends(place, message())
          assert.deepStrictEqual([...new Set(outcomes(place))], ["delayed"])
          assert.include(said.text, "1 notification is not delivered yet (slack:#ml-ops: ")
          assert.notInclude(said.text + (yield* Place.everything(place)), "plantedWebhook")
          place.environment.SLACK_WEBHOOK_URL = chat.webhook
          yield* settled(place)
          assert.strictEqual(chat.slack().length, 1)
        }),
      ),
    )
  }

  it.effect("waits for a process that has the secret, and does not keep one that has not", () =>
    inPlace(({ chat, place, said }) =>
      Effect.gen(function* () {
        delete place.environment.SLACK_WEBHOOK_URL
        yield* Place.life(place, send(message()))
        assert.include(said.text, "set the environment variable SLACK_WEBHOOK_URL")
        assert.strictEqual(place.deliveries.length, 1)
        place.environment.SLACK_WEBHOOK_URL = chat.webhook
        yield* TestClock.adjust("30 seconds")
        yield* Place.life(place, Effect.void)
        assert.strictEqual(chat.slack().length, 1)
      }),
    ),
  )

  it.effect(
    "waits as long as Retry-After says, in seconds or until a date, over restarts, and all of its route with it",
    () =>
      inPlace(({ chat, place }) =>
        Effect.gen(function* () {
          for (const header of ["3600", new Date(7_200_000).toUTCString()]) {
            const before = chat.received.length
            chat.script("/services", [refused(429, "", { "retry-after": header })])
            yield* Place.life(place, send(message({ title: "first" })))
            yield* Place.life(place, send(message({ title: "second" })))
            yield* TestClock.adjust(3_580_000)
            yield* Place.life(place, Effect.void)
            assert.strictEqual(chat.received.length, before + 1)
            yield* TestClock.adjust(20_000)
            yield* Place.life(place, Effect.void)
            assert.strictEqual(chat.received.length, before + 3)
          }
          assert.deepStrictEqual(titles(chat.slack()), ["first", "second", "first", "second"])
        }),
      ),
  )

  it.effect(
    "is not kept from its route by one that the server cannot digest, but by an earlier one about the same thing",
    () =>
      inPlace(({ chat, place }) =>
        Effect.gen(function* () {
          chat.script("/services", [refused(500), refused(500), refused(500)])
          const about = { dedupKey: "disk" }
          yield* sends(
            place,
            message({ title: "poison", ...about }),
            message({ title: "over", action: "resolve", ...about }),
            message({ title: "other" }),
          )
          yield* settled(place)
          const order = titles(chat.slack())
          assert.sameMembers(order, ["poison", "over", "other"])
          assert.isBelow(order.indexOf("poison"), order.indexOf("over"))
        }),
      ),
  )

  it.live("goes to the webhook of its channel where that has one, else names the channel to the common one", () =>
    inPlace(({ chat, place }) =>
      Effect.gen(function* () {
        yield* Place.life(place, send(message({ title: "common" })))
        const slack = { webhook: "${env:NOT_THERE}", webhooks: { "#ml-ops": "${env:SLACK_WEBHOOK_URL}" } }
        const own = { ...place, notifications: { ...place.notifications, slack } }
        yield* Place.life(own, send(message({ title: "own" })))
        assert.deepStrictEqual(
          chat.slack().map(({ channel }) => channel),
          ["#ml-ops", undefined],
        )
      }),
    ),
  )

  it.live(
    "is not made again for what was stored in the moment of its delivery, nor for what a crash has not moved",
    () =>
      inPlace(({ chat, place }) =>
        Effect.gen(function* () {
          const [sent] = yield* Place.life(place, send(message({ key: "once" })))
          const outbox = join(place.root, ".dandori/outbox")
          const [from, to] = ["delivered", "pending"].map((name) => join(outbox, name, `${sent.id}.json`))
          const delivered = yield* Effect.promise(() => Fs.readFile(from, "utf8"))
          const fresh = { ...JSON.parse(delivered), done: [], delayed: [] }
          yield* Effect.promise(() => Fs.writeFile(to, JSON.stringify(fresh)))
          yield* Place.life(place, Effect.void)
          assert.deepStrictEqual(yield* Place.folder(place, "pending"), [])
          yield* Effect.promise(() => Fs.rename(from, to))
          yield* Place.life(place, Effect.void)
          assert.deepStrictEqual(yield* Place.folder(place, "pending"), [])
          assert.deepStrictEqual(yield* Place.folder(place, "delivered"), [`${sent.id}.json`])
          assert.strictEqual(chat.received.length, 1)
        }),
      ),
  )

  it.effect("does not wait for another route that is down", () =>
    inPlace(({ chat, place }) =>
      Effect.gen(function* () {
        chat.script("/services", [refused(429, "", { "retry-after": "100" })])
        yield* Place.life(place, send(message({ channel: "all" })))
        assert.strictEqual(chat.pagerDuty().length, 1)
        assert.strictEqual(chat.slack().length, 0)
        const [waiting] = yield* Place.entries(place, "pending")
        assert.deepStrictEqual(waiting.done.toSorted(), [0, 2])
      }),
    ),
  )

  it.effect("is given up, loudly, when nothing was taken for three days", () =>
    inPlace(({ chat, place, said }) =>
      Effect.gen(function* () {
        chat.script(
          "/services",
          Array.from({ length: 999 }, () => "reset" as const),
        )
        yield* sends(place, message())
        yield* TestClock.adjust("71 hours")
        yield* fast(place, Place.life(place, Effect.void))
        assert.notInclude(outcomes(place), "refused")
        yield* TestClock.adjust("1 hour")
        yield* settled(place)
        assert.strictEqual(place.deliveries.at(-1)?.outcome, "refused")
        assert.include(said.text, "it was not taken for three days")
        assert.deepStrictEqual(yield* Place.folder(place, "pending"), [])
      }),
    ),
  )

  it.effect("is made by a process of its environment only", () =>
    inPlace(({ chat, place }) =>
      Effect.gen(function* () {
        chat.script("/services", [refused(429, "", { "retry-after": "60" })])
        place.env = "prod"
        yield* Place.life(place, send(message()))
        yield* TestClock.adjust("5 minutes")
        place.env = "dev"
        yield* Place.life(place, Effect.void)
        assert.strictEqual(chat.slack().length, 0)
        place.env = "prod"
        yield* Place.life(place, Effect.void)
        assert.strictEqual(chat.slack().length, 1)
      }),
    ),
  )

  it.live("is never made twice by two processes at once", () =>
    inPlace(({ chat, place }) =>
      Effect.gen(function* () {
        const many = Array.from({ length: 10 }, (_, n) => message({ title: `n${n}` }))
        const both = many.map((one) => Place.life(place, send(one)))
        yield* Effect.all(both, { concurrency: "unbounded" })
        assert.sameMembers(titles(chat.slack()), titles(many.map(({ title }) => ({ text: `[x] ${title}:` }))))
      }),
    ),
  )

  it.effect(
    "is made at least once or refused for the record, whatever the answers and however often processes end",
    () =>
      Effect.promise(() =>
        FastCheck.assert(
          FastCheck.asyncProperty(lives, (script) =>
            Effect.runPromise(
              inPlace(({ chat, place }) => survive(chat, place, script)).pipe(Effect.provide(TestClock.layer())),
            ),
          ),
          { numRuns: 25 },
        ),
      ),
  )
})

const behaviours: FastCheck.Arbitrary<ChatServer.Behaviour> = FastCheck.oneof(
  FastCheck.constantFrom<ChatServer.Behaviour>("accept", "reset", "truncate"),
  FastCheck.constantFrom(500, 503, 408, 400, 404, 302).map((status) => refused(status)),
  FastCheck.constantFrom("0", "2", "400", "Thu, 01 Jan 1970 00:00:30 GMT", "nonsense").map((after) =>
    refused(429, "", { "retry-after": after }),
  ),
)

/** What processes that come one after the other send, and what the servers answer meanwhile. */
const lives = FastCheck.record({
  slack: FastCheck.array(behaviours, { maxLength: 8 }),
  pagerDuty: FastCheck.array(behaviours, { maxLength: 8 }),
  processes: FastCheck.array(
    FastCheck.array(
      FastCheck.record({
        channel: FastCheck.constantFrom("slack", "pagerduty", "all"),
        about: FastCheck.constantFrom(undefined, "a", "b"),
        action: FastCheck.constantFrom("trigger" as const, "resolve" as const),
      }),
      { maxLength: 3 },
    ),
    { minLength: 1, maxLength: 4 },
  ),
})

type Lives = typeof lives extends FastCheck.Arbitrary<infer A> ? A : never

const survive = (chat: ChatServer.ChatServer, place: Place.Place, { pagerDuty, processes, slack }: Lives) =>
  Effect.gen(function* () {
    chat.script("/services", slack)
    chat.script("/v2", pagerDuty)
    const sent: Array<{ readonly id: string; readonly to: ReadonlyArray<string>; readonly about: string | undefined }> =
      []
    let count = 0
    for (const process of processes) {
      const messages = process.map(({ about, action, channel }) =>
        message({
          channel,
          title: `m${count++}`,
          ...(about === undefined ? {} : { dedupKey: about, action }),
        }),
      )
      const stored = yield* fast(place, Place.life(place, send(...messages)))
      stored.forEach((one, n) => sent.push({ ...one, about: messages[n].dedupKey }))
    }
    yield* settled(place)
    const bodies = chat.received.filter(({ accepted }) => accepted)
    for (const { id, to } of sent) {
      for (const route of to) {
        const last = place.deliveries.findLast((one) => one.id === id && one.route === route)
        assert.include(["delivered", "refused"], last?.outcome, `${id} ${route}`)
        if (last?.outcome !== "delivered" || route.startsWith("file")) continue
        const path = route === "pagerduty" ? "/v2" : "/services"
        const about = sent.find((one) => one.id === id)?.about
        const found = bodies.filter((one) => one.path.startsWith(path)).map(({ body }) => JSON.stringify(body))
        assert.isTrue(
          found.some((text) => text.includes(id) || (about !== undefined && text.includes(`"dedup_key":"${about}"`))),
          `${id} ${route}`,
        )
      }
    }
    for (const about of ["a", "b"]) {
      const order = place.deliveries.filter((one) => one.message.dedupKey === about && one.outcome === "delivered")
      for (const route of ["slack:#ml-ops", "pagerduty"]) {
        const places = order
          .filter((one) => one.route === route)
          .map(({ id }) => sent.findIndex((one) => one.id === id))
        assert.deepStrictEqual(
          places,
          places.toSorted((x, y) => x - y),
        )
      }
    }
  })

describe("how long to wait", () => {
  it("grows to a bound, never above it, and is as long as the other side asks", () => {
    const most = [1, 2, 3, 9, 10, 99].map((tries) => delayMillis(tries, 1))
    assert.deepStrictEqual(most, [1_000, 2_000, 4_000, 256_000, 300_000, 300_000])
    assert.strictEqual(delayMillis(5, 0), 0)
    assert.strictEqual(delayMillis(1, 0.5, 60_000), 60_000)
  })

  it("is read from Retry-After in seconds or as a date, at most a day, and not from anything else", () => {
    const now = Date.UTC(2026, 0, 1)
    assert.strictEqual(retryAfterMillis(" 30 ", now), 30_000)
    assert.strictEqual(retryAfterMillis("99999999999", now), 86_400_000)
    for (const date of [
      "Thu, 01 Jan 2026 00:01:00 GMT",
      "Thursday, 01-Jan-26 00:01:00 GMT",
      "Thu Jan  1 00:01:00 2026",
    ]) {
      assert.strictEqual(retryAfterMillis(date, now), 60_000, date)
    }
    assert.strictEqual(retryAfterMillis("Wed, 31 Dec 2025 00:00:00 GMT", now), 0)
    for (const text of [undefined, "", "soon", "-5", "1.5"]) assert.isUndefined(retryAfterMillis(text, now), text)
  })
})
