import * as Effect from "effect/Effect"
import { TestClock } from "effect/testing"
import { type Message, Notifier } from "../../src/services/notifier.ts"
import * as ChatServer from "../support/servers/chat-server.ts"
import { hastened } from "../support/virtual-time.ts"
import * as Place from "./notification-place.ts"

interface Given {
  readonly chat: ChatServer.ChatServer
  readonly place: Place.Place
  readonly said: { readonly text: string }
}

export const inPlace = <A, E, R>(use: (given: Given) => Effect.Effect<A, E, R>) =>
  Effect.scoped(
    Effect.gen(function* () {
      const chat = yield* ChatServer.start
      const place = yield* Place.make(chat)
      return yield* use({ chat, place, said: yield* Place.standardError })
    }),
  )

export const message = (changed: Partial<Message> = {}): Message => ({
  channel: "slack",
  severity: "warning",
  title: "Trained",
  text: "AUC 0.61",
  ...changed,
})

export const send = (...messages: ReadonlyArray<Message>) =>
  Effect.flatMap(Notifier, (notifier) => Effect.forEach(messages, notifier.send))

export const fast = <A, E, R>(place: Place.Place, effect: Effect.Effect<A, E, R>) =>
  hastened(effect, () => place.under > 0)

/** A process sends and ends; others come until each message was tried. */
export const sends = Effect.fnUntraced(function* (place: Place.Place, ...messages: ReadonlyArray<Message>) {
  const stored = yield* fast(place, Place.life(place, send(...messages)))
  const isTried = ({ id }: { readonly id: string }) => place.deliveries.some((delivery) => delivery.id === id)
  while (!stored.every(isTried)) yield* fast(place, Place.life(place, Effect.void))
  return stored
})

/** Processes come one after the other until nothing is left. */
export const settled = Effect.fnUntraced(function* (place: Place.Place) {
  while ((yield* Place.folder(place, "pending")).length > 0) {
    yield* TestClock.adjust("5 minutes")
    yield* fast(place, Place.life(place, Effect.void))
  }
})

export const outcomes = ({ deliveries }: Place.Place) => deliveries.map(({ outcome }) => outcome)
export const titles = (bodies: ReadonlyArray<Record<string, any>>) =>
  bodies.map(({ text }) => /\] (.*?):/.exec(text)?.[1])

export const refused = (status: number, text = "", headers: Record<string, string> = {}) => ({ status, text, headers })
