import * as Fs from "node:fs/promises"
import { join } from "node:path"
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import { type Message, Notifier } from "../../src/services/notifier.ts"
import { TestClock } from "effect/testing"
import * as ChatServer from "../support/servers/chat-server.ts"
import { hastened } from "../support/virtual-time.ts"
import * as Place from "./notification-place.ts"

/** What one kind of route shows of the messages that came through, and how it is broken and mended. */
interface Kind {
  readonly shown: Effect.Effect<ReadonlyArray<string>>
  readonly breakIt: Effect.Effect<void>
  readonly mend: Effect.Effect<void>
}

interface Around {
  readonly place: Place.Place
  readonly chat: ChatServer.ChatServer
  readonly said: { text: string; broken: Error | undefined }
}

const kinds: Readonly<Record<keyof typeof Place.routes, (around: Around) => Kind>> = {
  console: ({ said }) => ({
    shown: Effect.sync(() => said.text.split("\n").filter((line) => line.startsWith("["))),
    breakIt: Effect.sync(() => void (said.broken = new Error("EPIPE"))),
    mend: Effect.sync(() => void (said.broken = undefined)),
  }),
  file: ({ place }) => {
    const path = join(place.root, "logs/alerts.ndjson")
    return {
      shown: Effect.promise(async () => (await Fs.readFile(path, "utf8").catch(() => "")).split("\n").filter(Boolean)),
      breakIt: Effect.promise(() => Fs.mkdir(path, { recursive: true })),
      mend: Effect.promise(() => Fs.rmdir(path)),
    }
  },
  slack: ({ chat }) => ({
    shown: Effect.sync(() => chat.slack().map((body) => JSON.stringify(body))),
    breakIt: Effect.sync(() =>
      chat.script(
        "/services",
        Array.from({ length: 99 }, () => "reset" as const),
      ),
    ),
    mend: Effect.sync(() => chat.script("/services", [])),
  }),
  pagerduty: ({ chat }) => ({
    shown: Effect.sync(() => chat.pagerDuty().map((body) => JSON.stringify(body))),
    breakIt: Effect.sync(() =>
      chat.script(
        "/v2",
        Array.from({ length: 99 }, () => "reset" as const),
      ),
    ),
    mend: Effect.sync(() => chat.script("/v2", [])),
  }),
}

const hostile = `a <!channel> & <http://evil|here> \u001b[2J ${"\ud800"} ${"λ😀".repeat(9_000)}`

const send = (...messages: ReadonlyArray<Message>) =>
  Effect.flatMap(Notifier, (notifier) => Effect.forEach(messages, notifier.send))

for (const [name, kindOf] of Object.entries(kinds)) {
  const message = (changed: Partial<Message> = {}): Message => ({
    channel: name,
    severity: "critical",
    title: "Trained",
    text: "AUC 0.61",
    ...changed,
  })
  const given = <A, E, R>(use: (kind: Kind, around: Around) => Effect.Effect<A, E, R>) =>
    Effect.scoped(
      Effect.gen(function* () {
        const chat = yield* ChatServer.start
        const place = yield* Place.make(chat)
        const said = yield* Place.standardError
        const around = { chat, place, said }
        return yield* use(kindOf(around), around)
      }),
    )

  describe(`a route to ${name}`, () => {
    it.live("delivers before the process ends, once, and keeps the record", () =>
      given((kind, { place }) =>
        Effect.gen(function* () {
          const [sent] = yield* Place.life(place, send(message({ from: { pipeline: "p", run: "r", task: "t" } })))
          const shown = yield* kind.shown
          assert.strictEqual(shown.length, 1)
          assert.include(shown[0], "Trained")
          assert.include(shown[0], "AUC 0.61")
          assert.deepStrictEqual(yield* Place.folder(place, "pending"), [])
          assert.deepStrictEqual(yield* Place.folder(place, "delivered"), [`${sent.id}.json`])
          assert.strictEqual(place.deliveries.length, 1)
          assert.deepInclude(place.deliveries[0], { id: sent.id, route: sent.to[0], outcome: "delivered", tries: 1 })
        }),
      ),
    )

    it.live("shows what is acknowledged and resolved as such, in the order in which it was sent", () =>
      given((kind, { place }) =>
        Effect.gen(function* () {
          const about = { dedupKey: "disk full" }
          yield* Place.life(
            place,
            send(
              message(about),
              message({ ...about, action: "acknowledge" }),
              message({ ...about, action: "resolve" }),
            ),
          )
          const shown = (yield* kind.shown).map((text) => text.toLowerCase())
          assert.strictEqual(shown.length, 3)
          assert.notMatch(shown[0], /acknowledge|resolve/)
          assert.match(shown[1], /acknowledge/)
          assert.match(shown[2], /resolve/)
        }),
      ),
    )

    it.effect("keeps what does not go through, fails nobody, and delivers it in the next process", () =>
      given((kind, { place, said }) =>
        Effect.gen(function* () {
          yield* kind.breakIt
          const ends = (sends = send()) => hastened(Place.life(place, sends), () => place.under > 0)
          const [sent] = yield* ends(send(message()))
          while (place.deliveries.length === 0) yield* ends()
          assert.deepStrictEqual(yield* kind.shown, [])
          assert.deepStrictEqual([...new Set(place.deliveries.map(({ outcome }) => outcome))], ["delayed"])
          const [waiting] = yield* Place.entries(place, "pending")
          assert.strictEqual(waiting.id, sent.id)
          assert.strictEqual(waiting.delayed?.[0].tries, place.deliveries.length)
          if (name !== "console") assert.include(said.text, "1 notification is not delivered yet")
          yield* kind.mend
          while ((yield* Place.folder(place, "pending")).length > 0) {
            yield* TestClock.adjust("5 minutes")
            yield* ends()
          }
          assert.strictEqual((yield* kind.shown).length, 1)
          assert.deepStrictEqual(yield* Place.folder(place, "delivered"), [`${sent.id}.json`])
          assert.strictEqual(place.deliveries.at(-1)?.tries, place.deliveries.length)
        }),
      ),
    )

    it.live("takes a text of any characters and any length", () =>
      given((kind, { place }) =>
        Effect.gen(function* () {
          yield* Place.life(place, send(message({ title: hostile, text: hostile, dedupKey: hostile })))
          assert.strictEqual((yield* kind.shown).length, 1)
          assert.deepStrictEqual(yield* Place.folder(place, "refused"), [])
        }),
      ),
    )
  })
}
