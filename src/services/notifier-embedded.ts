import { join } from "node:path"
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Queue from "effect/Queue"
import * as Schema from "effect/Schema"
import * as CanonicalJson from "../domain/canonical-json.ts"
import { type Route, routesOf } from "../domain/config/notifications.ts"
import * as Durable from "./durable-files.ts"
import * as FileLock from "./file-lock.ts"
import { Ids } from "./ids.ts"
import * as LineFile from "./line-file.ts"
import * as Outbox from "./notification-outbox.ts"
import { Notifier, NotifyError, type Message } from "./notifier.ts"
import { Settings } from "./settings.ts"
import { Workspace } from "./workspace.ts"

/** A message did not get through on one route; it stays in the outbox and is tried again. */
export class DeliveryFailed extends Schema.TaggedError<DeliveryFailed>()("DeliveryFailed", {
  route: Schema.String,
  reason: Schema.String,
}) {
  override get message() {
    return `Not delivered to ${this.route} yet: ${this.reason}`
  }
}

/** Delivers an entry on the routes of one kind. */
export type Deliver = (entry: Outbox.Entry, route: Route) => Effect.Effect<void, DeliveryFailed>

/** One try of one route, for the record. `problem` is undefined when it was delivered. */
export interface Delivery {
  readonly id: string
  readonly route: string
  readonly problem: string | undefined
}

/** What a process adds to console and file: other kinds of routes, and where deliveries are recorded. */
export interface Options {
  readonly deliverers?: Readonly<Partial<Record<Route["to"], Deliver>>>
  readonly onDelivery?: (delivery: Delivery) => Effect.Effect<void>
}

const idNamespace = "c8f7f5a2-5d0e-5a7b-9a5e-0c2b6f6d1e11"
/** How long a process that ends goes on delivering. */
const closingMillis = 10_000
const pollMillis = 30_000
const firstRetryMillis = 1_000

/** Short name of a route: `console`, `file:alerts.ndjson`, `slack:#ml-ops`, `pagerduty`. */
export const routeText = (route: Route): string =>
  route.to === "file" ? `file:${route.path}` : route.to === "slack" ? `slack:${route.channel}` : route.to

/** One line per message; control characters become spaces, so that a message cannot steer a terminal. */
export const consoleText = ({ severity, title, text }: Message): string =>
  // oxlint-disable-next-line no-control-regex
  `[${severity}] ${title}: ${text}`.replace(/[\u0000-\u001f\u007f-\u009f]+/g, " ")

const toConsole: Deliver = (entry) =>
  Effect.callback<void, DeliveryFailed>((resume) => {
    process.stderr.write(`${consoleText(entry.message)}\n`, (cause) =>
      resume(cause ? Effect.fail(new DeliveryFailed({ route: "console", reason: cause.message })) : Effect.void),
    )
  })

const make = Effect.fnUntraced(function* (options: Options) {
  const workspace = yield* Workspace
  const settings = yield* Settings
  const ids = yield* Ids
  const outbox = yield* Outbox.open(join(workspace.home, "outbox"))
  const wake = yield* Queue.sliding<void>(1)

  const toFile: Deliver = (entry, route) =>
    Effect.gen(function* () {
      if (route.to !== "file") return
      const path = yield* workspace.resolve(route.path)
      const { id, created, message } = entry
      yield* LineFile.append(path, [JSON.stringify({ id, time: new Date(created).toISOString(), ...message })])
    }).pipe(Effect.mapError((error) => new DeliveryFailed({ route: routeText(route), reason: error.message })))

  const deliverers: Partial<Record<Route["to"], Deliver>> = { console: toConsole, file: toFile, ...options.deliverers }
  const isOpen = (entry: Outbox.Entry) => (route: Route, index: number) =>
    !entry.done.includes(index) && deliverers[route.to] !== undefined
  const isMine = (entry: Outbox.Entry) => entry.routes.some(isOpen(entry))

  const problemOf = new Map<string, string>()

  const deliverOne = (entry: Outbox.Entry): Effect.Effect<boolean, Durable.FileFailed> =>
    Effect.gen(function* () {
      let current = entry
      let complete = true
      for (const [index, route] of entry.routes.entries()) {
        const deliver = deliverers[route.to]
        if (deliver === undefined || entry.done.includes(index)) continue
        const problem = yield* deliver(entry, route).pipe(
          Effect.as(undefined),
          Effect.catchTag("DeliveryFailed", (error) => Effect.succeed(error.message)),
          Effect.catchDefect((defect) => Effect.succeed(`Not delivered to ${routeText(route)} yet: ${String(defect)}`)),
        )
        if (problem !== undefined) problemOf.set(entry.id, problem)
        if (problem === undefined) current = yield* Effect.uninterruptible(outbox.settle(current, index))
        else complete = false
        yield* options.onDelivery?.({ id: entry.id, route: routeText(route), problem }) ?? Effect.void
      }
      return complete
    })

  /** One pass over the outbox, by one process at a time. True when nothing is left that this process could deliver. */
  const drain = Effect.gen(function* () {
    if (!(yield* outbox.pending).some(isMine)) return true
    return yield* Effect.scoped(
      Effect.gen(function* () {
        yield* FileLock.acquireWithin(join(outbox.root, "deliver.lock"), closingMillis)
        const results = yield* Effect.forEach((yield* outbox.pending).filter(isMine), deliverOne)
        return results.every((complete) => complete)
      }),
    )
  }).pipe(Effect.orElseSucceed(() => false))

  const deliverForEver = Effect.gen(function* () {
    let pause = firstRetryMillis
    while (true) {
      const complete = yield* drain
      pause = complete ? firstRetryMillis : Math.min(pause * 2, pollMillis)
      yield* Effect.timeoutOption(Queue.take(wake), complete ? pollMillis : pause)
    }
  })

  /** What is left at the end: nobody would hear of it otherwise. */
  const sayWhatIsLeft = Effect.gen(function* () {
    const left = (yield* outbox.pending).filter(isMine)
    if (left.length === 0) return
    const why = left.flatMap(({ id }) => problemOf.get(id) ?? [])[0] ?? "there was no time"
    const what = left.length === 1 ? "notification is" : "notifications are"
    const text = `${left.length} ${what} not delivered yet (${why}); kept in ${outbox.root} for the next process.\n`
    yield* Effect.callback<void>((resume) => void process.stderr.write(text, () => resume(Effect.void)))
  })

  yield* Effect.addFinalizer(() =>
    Effect.timeoutOption(drain, closingMillis).pipe(Effect.andThen(sayWhatIsLeft), Effect.ignore),
  )
  yield* Effect.forkScoped(deliverForEver)

  const send: Notifier["Service"]["send"] = Effect.fn("Notifier.send")(function* (message) {
    const { notifications } = settings.sections
    const routes = routesOf(notifications, message.channel, message.severity)
    if (routes === undefined) {
      const names = Object.keys(notifications.channels).join(", ")
      return yield* new NotifyError({ reason: `there is no channel ${message.channel}; the channels are: ${names}` })
    }
    const id =
      message.dedupKey === undefined ? ids.uuid() : Bun.randomUUIDv5(CanonicalJson.encode(message), idNamespace)
    if (routes.length === 0) return { id, to: [] }
    const created = yield* Clock.currentTimeMillis
    yield* outbox
      .add({ id, created, message, routes, done: [] })
      .pipe(Effect.mapError((error) => new NotifyError({ reason: error.message })))
    yield* Queue.offer(wake, undefined)
    return { id, to: routes.map(routeText) }
  })

  return { send }
})

/**
 * Notifications from an outbox in `<home>/outbox`: a message is on disk when `send` returns, and is delivered at least
 * once, by this process (which goes on for up to 10 s when its scope closes) or by the next one. Console routes write to
 * standard error; file routes append NDJSON (a repeated `id` is the same message). Routes of a kind that this process
 * cannot deliver wait for one that can. The same message with the same `dedupKey` is stored once in an hour.
 */
export const layer = (options: Options = {}): Layer.Layer<Notifier, Durable.FileFailed, Workspace | Settings> =>
  Layer.effect(Notifier, make(options))
