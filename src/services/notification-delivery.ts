import { join } from "node:path"
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as Queue from "effect/Queue"
import * as Random from "effect/Random"
import * as Semaphore from "effect/Semaphore"
import type { Route } from "../domain/config/notifications.ts"
import type { EnvironmentName } from "../domain/names.ts"
import type * as Durable from "./durable-files.ts"
import * as FileLock from "./file-lock.ts"
import * as Outbox from "./notification-outbox.ts"
import { type Deliver, DeliveryFailed, routeText } from "./notification-route.ts"
import type { Message } from "./notifier.ts"

/** One try of one route, for the record. `problem` says why it did not end as `delivered`. */
export interface Delivery {
  readonly id: string
  readonly route: string
  readonly message: Message
  readonly outcome: "delivered" | "delayed" | "refused"
  readonly tries: number
  readonly problem: string | undefined
}

/** What delivers, and who hears of it. */
export interface Options {
  readonly env: EnvironmentName
  readonly outbox: Outbox.Outbox
  readonly deliverers: Readonly<Partial<Record<Route["to"], Deliver>>>
  readonly redact: (text: string) => string
  readonly onDelivery: (delivery: Delivery) => Effect.Effect<void>
}

/** How long a process that ends goes on delivering. */
export const closingMillis = 10_000
const pollMillis = 30_000
const firstDelayMillis = 1_000
const longestDelayMillis = 300_000
/** What no route has taken for so long is given up. */
const patienceMillis = 3 * 86_400_000
/** Between two looks at the outbox, whatever happens. */
const breathMillis = 10

/** How long to wait after so many tries: exponential with full jitter, and as long as the other side asks. In milliseconds. */
export const delayMillis = (tries: number, random: number, retryAfter = 0): number =>
  Math.ceil(Math.max(retryAfter, random * Math.min(longestDelayMillis, firstDelayMillis * 2 ** (tries - 1))))

/** A way that entries go one after the other. */
type Lane = ReadonlyArray<{ readonly id: string; readonly route: number }>

/** Delivers what is in an outbox. */
export interface Courier {
  /** Delivers from now on, woken by `wake`. Ends when it was told to close, and nothing is left that could go until then. */
  readonly deliver: Effect.Effect<void>
  readonly wake: Effect.Effect<void>
  readonly close: Effect.Effect<void>
  /** What this process could deliver and has not, with the last reason. */
  readonly left: Effect.Effect<{ readonly count: number; readonly why: string | undefined }, Durable.FileFailed>
}

/**
 * Makes a courier. Routes do not wait for each other. On one route an entry waits for earlier ones with its `dedupKey`;
 * others may overtake one that was delayed, unless what delayed it stands in the way of all.
 */
export const make = (options: Options) =>
  Effect.gen(function* () {
    const { deliverers, env, onDelivery, outbox, redact } = options
    const bell = yield* Queue.sliding<void>(1)
    const turn = yield* Semaphore.make(1)
    /** What could not be written of how far entries have come: known to this process at least. */
    const unwritten = new Map<string, Outbox.Entry>()
    let closing: number | undefined
    let trouble: string | undefined

    const openRoutes = (entry: Outbox.Entry) =>
      entry.routes.flatMap(({ to }, route) => (deliverers[to] && Outbox.isOpen(entry, route) ? [route] : []))
    const own = (entries: ReadonlyArray<Outbox.Entry>) =>
      entries.map((entry) => unwritten.get(entry.id) ?? entry).filter((entry) => (entry.env ?? env) === env)
    const pending = Effect.map(outbox.pending, own)
    const delayOf = (entry: Outbox.Entry, route: number) => entry.delayed?.find((delay) => delay.route === route)

    const write = (entry: Outbox.Entry) => {
      unwritten.set(entry.id, entry)
      return Effect.andThen(
        outbox.update(entry),
        Effect.sync(() => void unwritten.delete(entry.id)),
      )
    }

    /** The entry after a route has not taken it, `tries` times before. */
    const afterFailure = Effect.fnUntraced(function* (
      entry: Outbox.Entry,
      route: number,
      tries: number,
      { everybody, permanent, reason, retryAfterMillis }: DeliveryFailed,
    ): Effect.fn.Return<Outbox.Entry> {
      const now = yield* Clock.currentTimeMillis
      const old = now - entry.created > patienceMillis
      const why = redact(old ? `it was not taken for three days: ${reason}` : reason)
      if (permanent === true || old) return { ...entry, refused: [...(entry.refused ?? []), { route, reason: why }] }
      const due = now + delayMillis(tries + 1, yield* Random.next, retryAfterMillis)
      const delay = { route, tries: tries + 1, due, reason: why, ...(everybody === true ? { everybody } : {}) }
      return { ...entry, delayed: [...(entry.delayed ?? []), delay] }
    })

    /** What has come of a try: the entry as it is then, the record, and its file. True when the route is done with. */
    const settle = Effect.fnUntraced(function* (
      entry: Outbox.Entry,
      route: number,
      failure: DeliveryFailed | undefined,
      keep: (next: Outbox.Entry) => void,
    ) {
      const name = routeText(entry.routes[route])
      const delayed = (entry.delayed ?? []).filter((delay) => delay.route !== route)
      const next: Outbox.Entry =
        failure === undefined
          ? { ...entry, done: [...entry.done, route], delayed }
          : yield* afterFailure({ ...entry, delayed }, route, delayOf(entry, route)?.tries ?? 0, failure)
      keep(next)
      const delay = delayOf(next, route)
      const refused = next.refused?.find((one) => one.route === route)
      yield* onDelivery({
        id: entry.id,
        route: name,
        message: entry.message,
        outcome: delay !== undefined ? "delayed" : refused !== undefined ? "refused" : "delivered",
        tries: (delayOf(entry, route)?.tries ?? 0) + 1,
        problem: delay === undefined ? refused?.reason : `Not delivered to ${name} yet: ${delay.reason}`,
      })
      yield* Effect.ignore(write(next))
      return delay === undefined
    })

    const tryOnce = (entry: Outbox.Entry, route: Route) =>
      (deliverers[route.to]?.(entry, route) ?? Effect.void).pipe(
        Effect.as(undefined),
        Effect.catchTag("DeliveryFailed", (error) => Effect.succeed(error)),
        Effect.catchDefect((defect) =>
          Effect.succeed(new DeliveryFailed({ route: routeText(route), reason: String(defect) })),
        ),
      )

    /** Carries a lane's part of a snapshot of the outbox; the entries change as it goes. When it is to go on, if at all. */
    const carry = Effect.fnUntraced(function* (entries: Map<string, Outbox.Entry>, lane: Lane) {
      const now = yield* Clock.currentTimeMillis
      const entryOf = (id: string) => entries.get(id) as Outbox.Entry
      const delays = () => lane.flatMap(({ id, route }) => delayOf(entryOf(id), route) ?? [])
      const rest = () => Math.max(0, ...delays().map(({ due, everybody }) => (everybody === true ? due : 0)))
      const waiting = new Set<string>()
      for (const { id, route } of lane) {
        const entry = entryOf(id)
        const { dedupKey } = entry.message
        if (rest() > now) break
        if (dedupKey !== undefined && waiting.has(dedupKey)) continue
        const due = delayOf(entry, route)?.due ?? 0
        const done =
          due <= now &&
          (yield* Effect.uninterruptibleMask((restore) =>
            Effect.flatMap(restore(tryOnce(entry, entry.routes[route])), (failure) =>
              turn.withPermit(
                Effect.suspend(() => settle(entryOf(id), route, failure, (next) => entries.set(id, next))),
              ),
            ),
          ))
        if (!done && dedupKey !== undefined) waiting.add(dedupKey)
      }
      const dues = delays().map(({ due }) => due)
      return dues.length === 0 ? undefined : Math.max(rest(), Math.min(...dues))
    })

    const lanesOf = (entries: ReadonlyArray<Outbox.Entry>): ReadonlyArray<Lane> => {
      const lanes = Map.groupBy(
        entries.flatMap((entry) => openRoutes(entry).map((route) => ({ id: entry.id, route, entry }))),
        ({ entry, route }) => routeText(entry.routes[route]),
      )
      return [...lanes.values()]
    }

    /** One pass, by one process at a time. When something is to be tried next; undefined when nothing is left. */
    const pass = Effect.gen(function* () {
      const found = yield* pending
      if (!found.some((entry) => Outbox.isComplete(entry) || openRoutes(entry).length > 0)) return undefined
      return yield* Effect.scoped(
        Effect.gen(function* () {
          yield* FileLock.acquireWithin(join(outbox.root, "deliver.lock"), closingMillis)
          yield* Effect.forEach([...unwritten.values()], write)
          const all = own(yield* outbox.take)
          yield* Effect.forEach(all.filter(Outbox.isComplete), write)
          const entries = new Map(all.map((entry) => [entry.id, entry]))
          const nexts = yield* Effect.forEach(lanesOf(all), (lane) => carry(entries, lane), {
            concurrency: "unbounded",
          })
          const dues = nexts.flatMap((next) => next ?? [])
          return dues.length === 0 ? undefined : Math.min(...dues)
        }),
      )
    })

    const deliver = Effect.gen(function* () {
      let troubles = 0
      while (true) {
        // What was sent before it was told to close may have come after the pass that goes on then.
        const until = closing
        const next = yield* pass.pipe(
          Effect.tap(() => Effect.sync(() => void (troubles = 0))),
          Effect.catchDefect((defect) =>
            Effect.fail(new DeliveryFailed({ route: "any route", reason: String(defect) })),
          ),
          Effect.catch(({ message }) => {
            trouble = message
            return Effect.map(Clock.currentTimeMillis, (now) => now + delayMillis(++troubles, 1))
          }),
        )
        const now = yield* Clock.currentTimeMillis
        if (until !== undefined && (next === undefined || next > until)) return
        const wait = next === undefined ? pollMillis : Math.min(Math.max(next - now, breathMillis), pollMillis)
        yield* Effect.timeoutOption(Queue.take(bell), wait)
      }
    })

    const wake = Effect.asVoid(Queue.offer(bell, undefined))
    const courier: Courier = {
      deliver,
      wake,
      close: Effect.gen(function* () {
        closing = (yield* Clock.currentTimeMillis) + closingMillis
        yield* wake
      }),
      left: Effect.map(pending, (entries) => {
        const mine = entries.filter((entry) => openRoutes(entry).length > 0)
        const why = mine.flatMap((entry) =>
          openRoutes(entry).flatMap((route) => {
            const delay = delayOf(entry, route)
            return delay === undefined ? [] : [`${routeText(entry.routes[route])}: ${delay.reason}`]
          }),
        )[0]
        return { count: mine.length, why: why ?? trouble }
      }),
    }
    return courier
  })
