import { dirname, join } from "node:path"
import * as Clock from "effect/Clock"
import * as Context from "effect/Context"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import * as CanonicalJson from "../domain/canonical-json.ts"
import { type Route, routesOf } from "../domain/config/notifications.ts"
import * as Alarm from "./alarm-files.ts"
import * as Durable from "./durable-files.ts"
import { Ids } from "./ids.ts"
import * as LineFile from "./line-file.ts"
import * as Delivery from "./notification-delivery.ts"
import * as Outbox from "./notification-outbox.ts"
import { type Deliver, DeliveryFailed, routeText } from "./notification-route.ts"
import { Alarms, type Message, Notifier, NotifyError, actionOf } from "./notifier.ts"
import { Secrets } from "./secrets.ts"
import { Settings } from "./settings.ts"
import { Workspace } from "./workspace.ts"

/** What a process adds to console and file: other kinds of routes, and where deliveries are recorded. */
export interface Options {
  readonly deliverers?: Readonly<Partial<Record<Route["to"], Deliver>>>
  readonly onDelivery?: (delivery: Delivery.Delivery) => Effect.Effect<void>
}

const idNamespace = "c8f7f5a2-5d0e-5a7b-9a5e-0c2b6f6d1e11"

const standings = { trigger: undefined, acknowledge: "acknowledged", resolve: "resolved" } as const

/** One line per message; control characters become spaces, so that a message cannot steer a terminal. */
export const consoleText = (message: Message): string => {
  const { links = [], severity, text, title } = message
  const seen = links.map((link) => ` ${link.text}: ${link.url}`).join("")
  const line = `[${standings[actionOf(message)] ?? severity}] ${title}: ${text}${seen}`
  // oxlint-disable-next-line no-control-regex
  return line.replace(/[\u0000-\u001f\u007f-\u009f]+/g, " ")
}

const say = (text: string) =>
  Effect.callback<Error | undefined>((resume) => {
    process.stderr.write(`${text}\n`, (cause) => resume(Effect.succeed(cause ?? undefined)))
  })

const toConsole: Deliver = (entry) =>
  Effect.flatMap(say(consoleText(entry.message)), (cause) =>
    cause === undefined ? Effect.void : Effect.fail(new DeliveryFailed({ route: "console", reason: cause.message })),
  )

const storing = Effect.mapError(({ message }: { readonly message: string }) => new NotifyError({ reason: message }))

/** A message as JSON can hold it: lone surrogates replaced. */
const wellFormed = (value: unknown): unknown => {
  if (typeof value === "string") return value.toWellFormed()
  if (Array.isArray(value)) return value.map(wellFormed)
  if (typeof value !== "object" || value === null) return value
  return Object.fromEntries(Object.entries(value).map(([key, field]) => [key, wellFormed(field)]))
}

const union = (...routes: ReadonlyArray<Route>): ReadonlyArray<Route> => [
  ...new Map(routes.map((route) => [JSON.stringify(route), route])).values(),
]

/** The id of a message: the same for the same one with the same key, under the same alarm. */
const idOf = (message: Message, since: number | undefined, fresh: () => string): string => {
  if (message.key === undefined && message.dedupKey === undefined) return fresh()
  const { from: _, ...said } = message
  return Bun.randomUUIDv5(CanonicalJson.encode({ ...said, ...(since === undefined ? {} : { since }) }), idNamespace)
}

const make = Effect.fnUntraced(function* (options: Options) {
  const workspace = yield* Workspace
  const secrets = yield* Secrets
  const { env, sections } = yield* Settings
  const { notifications } = sections
  const ids = yield* Ids
  const outbox = yield* Outbox.open(join(workspace.home, "outbox"))
  const alarms = yield* Alarm.open(join(workspace.home, "outbox", "alarms"), env)
  yield* secrets.prime(notifications)

  const toFile: Deliver = (entry, route) =>
    Effect.gen(function* () {
      if (route.to !== "file") return
      const path = yield* workspace.resolve(route.path)
      const { id, created, message } = entry
      yield* Durable.makeFolderDurably(dirname(path))
      yield* LineFile.append(path, [JSON.stringify({ id, time: new Date(created).toISOString(), ...message })])
    }).pipe(Effect.mapError((error) => new DeliveryFailed({ route: routeText(route), reason: error.message })))

  /** What was refused is told at once, whoever keeps the record: nobody would hear of it otherwise. */
  const onDelivery = (delivery: Delivery.Delivery) =>
    Effect.gen(function* () {
      yield* options.onDelivery?.(delivery) ?? Effect.void
      const { id, message, outcome, problem, route } = delivery
      if (outcome !== "refused") return
      const place = join(outbox.root, outcome, `${id}.json`)
      yield* say(
        `The notification ${JSON.stringify(message.title)} will not reach ${route}: ${problem}. Kept in ${place}`,
      )
    })

  const courier = yield* Delivery.make({
    env,
    outbox,
    deliverers: { console: toConsole, file: toFile, ...options.deliverers },
    redact: secrets.redact,
    onDelivery,
  })
  const over = yield* Deferred.make<void>()
  const late = Effect.andThen(Deferred.await(over), Effect.sleep(Delivery.closingMillis))
  const delivering = yield* Effect.forkDetach(Effect.interruptible(Effect.raceFirst(courier.deliver, late)))

  /** What is left at the end: nobody would hear of it otherwise. */
  const sayWhatIsLeft = Effect.gen(function* () {
    const { count, why = "there was no time" } = yield* courier.left
    if (count === 0) return
    const what = count === 1 ? "notification is" : "notifications are"
    yield* say(`${count} ${what} not delivered yet (${why}); kept in ${outbox.root} for the next process.`)
  })

  yield* Effect.addFinalizer(() =>
    courier.close.pipe(
      Effect.andThen(Deferred.succeed(over, undefined)),
      Effect.andThen(Fiber.await(delivering)),
      Effect.andThen(sayWhatIsLeft),
      Effect.ignore,
    ),
  )

  let last = Number.NEGATIVE_INFINITY
  /** The time, later for each message, so that they keep their order. */
  const now = Effect.map(Clock.currentTimeMillis, (millis) => (last = Math.max(millis, last + 1)))

  const store = (message: Message, routes: ReadonlyArray<Route>, created: number, id: string) =>
    (routes.length === 0 ? Effect.void : outbox.add({ id, created, env, message, routes, done: [] })).pipe(
      Effect.as({ id, to: routes.map(routeText) }),
    )

  /** Stores a message that says something of an alarm, and what becomes of the alarm. */
  const storeAbout = (message: Message & { readonly dedupKey: string }, own: ReadonlyArray<Route>) =>
    Effect.gen(function* () {
      const { channel, dedupKey } = message
      const alarm = Option.getOrUndefined(yield* alarms.find(dedupKey))
      const created = Math.max(yield* now, alarm === undefined ? 0 : alarm.since + 1)
      const routes = union(...own, ...(alarm?.routes ?? []))
      if (actionOf(message) !== "trigger") {
        const stored = yield* store(message, routes, created, idOf(message, undefined, ids.uuid))
        if (message.action === "resolve") yield* alarms.remove(dedupKey)
        return stored
      }
      const since = alarm?.since ?? created
      const run = message.from?.run ?? alarm?.run
      if (own.length > 0) yield* alarms.put({ dedupKey, since, channel, routes, ...(run === undefined ? {} : { run }) })
      return yield* store(message, own, created, idOf(message, since, ids.uuid))
    })

  const send: Notifier["Service"]["send"] = Effect.fn("Notifier.send")(function* (given) {
    const message = secrets.redactValue(wellFormed(given)) as Message
    const routes = routesOf(notifications, message.channel, message.severity)
    if (routes === undefined) {
      const names = Object.keys(notifications.channels).join(", ")
      return yield* new NotifyError({ reason: `there is no channel ${message.channel}; the channels are: ${names}` })
    }
    const { dedupKey } = message
    if (dedupKey === undefined) {
      if (actionOf(message) !== "trigger") {
        return yield* new NotifyError({ reason: `a message that is to ${message.action} needs a dedupKey` })
      }
      const id = idOf(message, undefined, ids.uuid)
      const stored = yield* storing(store(message, routes, yield* now, id))
      yield* courier.wake
      return stored
    }
    const stored = yield* storing(alarms.alone(storeAbout({ ...message, dedupKey }, routes)))
    yield* courier.wake
    return stored
  })

  const recover: Alarms["Service"]["recover"] = Effect.fn("Alarms.recover")(function* ({ dedupKey, run, text, title }) {
    const found = yield* storing(alarms.find(dedupKey))
    if (Option.isNone(found)) return false
    const resolved = Effect.gen(function* () {
      const alarm = Option.getOrUndefined(yield* alarms.find(dedupKey))
      if (alarm === undefined || alarm.run === run) return false
      const { channel } = alarm
      const said = { channel, severity: "info", action: "resolve", dedupKey, title, text, key: run } as const
      yield* storeAbout(secrets.redactValue(said) as typeof said, [])
      return true
    })
    const done = yield* storing(alarms.alone(resolved))
    if (done) yield* courier.wake
    return done
  })

  return Context.make(Notifier, { send }).pipe(Context.add(Alarms, { recover }))
})

/**
 * Notifications from an outbox in `<home>/outbox`: a message is on disk when `send` returns, and is delivered at least
 * once, by this process (which goes on for up to 10 s when its scope closes) or by the next one of its environment; or it
 * is refused, and that is told. Console routes write to standard error; file routes append NDJSON (a repeated `id` is the
 * same message). Routes of a kind that this process cannot deliver wait for one that can. The same message with the same
 * `key` or `dedupKey` is stored once in an hour, unless its alarm was resolved in between.
 */
export const layer = (
  options: Options = {},
): Layer.Layer<Notifier | Alarms, Durable.FileFailed, Workspace | Settings | Secrets> =>
  Layer.effectContext(make(options))
