import * as Fs from "node:fs/promises"
import { join } from "node:path"
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Schema from "effect/Schema"
import { Route } from "../domain/config/notifications.ts"
import { EnvironmentName } from "../domain/names.ts"
import * as Durable from "./durable-files.ts"
import { Message } from "./notifier.ts"

/** A route that did not take the message yet. `due` is when it is tried next; `everybody` waits until then. */
export const Delay = Schema.Struct({
  route: Schema.Int,
  tries: Schema.Int,
  due: Schema.Int.annotate({ description: "milliseconds since the epoch" }),
  everybody: Schema.optionalKey(Schema.Boolean),
  reason: Schema.String,
})
export type Delay = typeof Delay.Type

/** A message on its way: the routes it takes, and those it has taken (`done`, by position in `routes`) or is barred from. */
export const Entry = Schema.Struct({
  id: Schema.String,
  created: Schema.Int.annotate({ description: "milliseconds since the epoch" }),
  env: Schema.optionalKey(EnvironmentName),
  message: Message,
  routes: Schema.Array(Route),
  done: Schema.Array(Schema.Int),
  delayed: Schema.optionalKey(Schema.Array(Delay)),
  refused: Schema.optionalKey(Schema.Array(Schema.Struct({ route: Schema.Int, reason: Schema.String }))),
})
export type Entry = typeof Entry.Type

/** Entries that were stored before these times (milliseconds since the epoch) are swept. */
export interface Ages {
  readonly deliveredBefore: number
  readonly refusedBefore: number
}

/**
 * Messages in a folder: one file each, in `pending/` until every route is done, then in `delivered/` or in `refused/`, and
 * from there in `acknowledged/` when somebody has looked at it.
 */
export interface Outbox {
  readonly root: string
  /** Stores an entry unless one with its id is pending, or was delivered and is less than an hour old. Durable on return. */
  readonly add: (entry: Entry) => Effect.Effect<void, Durable.FileFailed>
  /** What is to be delivered, oldest first. Files that are no entries are left alone. */
  readonly pending: Effect.Effect<ReadonlyArray<Entry>, Durable.FileFailed>
  /**
   * As `pending`, for the one process that delivers: removes what was stored again while it was delivered, which nobody who
   * stores can see.
   */
  readonly take: Effect.Effect<ReadonlyArray<Entry>, Durable.FileFailed>
  /** Writes how far an entry has come; one that has no way to go leaves `pending/`. */
  readonly update: (entry: Entry) => Effect.Effect<void, Durable.FileFailed>
  /** What was refused and nobody has acknowledged, oldest first. */
  readonly refused: Effect.Effect<ReadonlyArray<Entry>, Durable.FileFailed>
  /** Takes a refused entry out of those to look at. False where it is not among them. Durable on return. */
  readonly acknowledge: (id: string) => Effect.Effect<boolean, Durable.FileFailed>
  /**
   * Removes what was delivered or acknowledged long ago, and what was refused so long ago that nobody will. What is pending
   * and files that are no entries stay. Answers with how many went.
   */
  readonly sweep: (ages: Ages) => Effect.Effect<number, Durable.FileFailed>
}

const repeatMillis = 3_600_000

const text = Schema.fromJsonString(Entry)
const decode = Schema.decodeUnknownOption(text)
const encode = Schema.encodeSync(text)

/** Whether a route has neither taken the entry nor refused it. */
export const isOpen = ({ done, refused = [] }: Entry, route: number): boolean =>
  !done.includes(route) && !refused.some((one) => one.route === route)

/** Whether every route is done with. */
export const isComplete = (entry: Entry): boolean => entry.routes.every((_, route) => !isOpen(entry, route))

/** The folder of an entry that is complete. */
export const lastFolder = ({ refused = [] }: Entry): "delivered" | "refused" =>
  refused.length === 0 ? "delivered" : "refused"

/** Removes what processes that were killed left half written, long after they could still have been at it. */
const sweepTemporary = (folder: string, now: number) =>
  Durable.attempt("sweep", folder, async () => {
    for (const name of await Fs.readdir(folder)) {
      if (!name.endsWith(".tmp")) continue
      const path = join(folder, name)
      if (now - (await Fs.stat(path)).mtimeMs > repeatMillis) await Fs.rm(path, { force: true })
    }
  }).pipe(Effect.ignore)

/** Opens the outbox in a folder, making the folder. */
export const open = (root: string): Effect.Effect<Outbox, Durable.FileFailed> =>
  Effect.gen(function* () {
    const waiting = join(root, "pending")
    yield* Effect.forEach(["pending", "delivered", "refused", "acknowledged"], (name) =>
      Durable.makeFolderDurably(join(root, name)),
    )
    yield* sweepTemporary(waiting, yield* Clock.currentTimeMillis)
    const fileOf = (folder: string, id: string) => join(root, folder, `${id}.json`)

    const readEntry = (path: string) =>
      Durable.attempt("read", path, () => Fs.readFile(path, "utf8")).pipe(
        Effect.map(decode),
        Effect.orElseSucceed(() => Option.none<Entry>()),
      )

    const wasDelivered = (entry: Entry) =>
      Effect.map(
        readEntry(fileOf("delivered", entry.id)),
        (before) => Option.isSome(before) && entry.created - before.value.created < repeatMillis,
      )

    const add: Outbox["add"] = (entry) =>
      Effect.gen(function* () {
        if (yield* wasDelivered(entry)) return
        yield* Durable.writeNewFileDurably(fileOf("pending", entry.id), encode(entry)).pipe(
          Effect.catchIf(
            (error) => error.code === "EEXIST",
            () => Durable.syncFolder(waiting),
          ),
        )
      })

    const leave = (entry: Entry) =>
      Durable.renameDurably(fileOf("pending", entry.id), fileOf(lastFolder(entry), entry.id))

    const entriesIn = Effect.fnUntraced(function* (folder: string) {
      const path = join(root, folder)
      const names = yield* Durable.attempt("list", path, () => Fs.readdir(path))
      const entries = yield* Effect.forEach(
        names.filter((name) => name.endsWith(".json")),
        (name) =>
          Effect.map(
            readEntry(join(path, name)),
            Option.map((entry) => ({ ...entry, file: join(path, name) })),
          ),
        { concurrency: 16 },
      )
      return entries
        .flatMap((entry) => (Option.isSome(entry) ? [entry.value] : []))
        .toSorted((x, y) => x.created - y.created || (x.id < y.id ? -1 : 1))
    })
    const plain = Effect.map((entries: ReadonlyArray<Entry & { readonly file: string }>) =>
      entries.map((found): Entry => {
        const { file: _, ...entry } = found
        return entry
      }),
    )
    const pending: Outbox["pending"] = plain(entriesIn("pending"))

    const take = Effect.gen(function* () {
      const entries = yield* pending
      const again = yield* Effect.filter(entries, wasDelivered)
      yield* Effect.forEach(again, ({ id }) => Durable.removeFileDurably(fileOf("pending", id)))
      return entries.filter((entry) => !again.includes(entry))
    })

    const update: Outbox["update"] = (entry) =>
      Durable.writeFileDurably(fileOf("pending", entry.id), encode(entry)).pipe(
        Effect.andThen(isComplete(entry) ? leave(entry) : Effect.void),
      )

    const acknowledge: Outbox["acknowledge"] = (id) =>
      Effect.gen(function* () {
        const found = (yield* entriesIn("refused")).find((entry) => entry.id === id)
        if (found === undefined) return false
        yield* Durable.renameDurably(found.file, fileOf("acknowledged", found.id))
        return true
      })

    const sweep: Outbox["sweep"] = ({ deliveredBefore, refusedBefore }) =>
      Effect.gen(function* () {
        const before = { delivered: deliveredBefore, acknowledged: deliveredBefore, refused: refusedBefore }
        let count = 0
        for (const [folder, time] of Object.entries(before)) {
          for (const { created, file } of yield* entriesIn(folder)) {
            if (created >= time) continue
            yield* Durable.attempt("remove", file, () => Fs.rm(file, { force: true }))
            count++
          }
        }
        return count
      })

    return { root, add, pending, take, update, refused: plain(entriesIn("refused")), acknowledge, sweep }
  })
