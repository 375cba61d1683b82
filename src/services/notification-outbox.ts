import * as Fs from "node:fs/promises"
import { join } from "node:path"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Schema from "effect/Schema"
import { Route } from "../domain/config/notifications.ts"
import * as Durable from "./durable-files.ts"
import { Message } from "./notifier.ts"

/** A message on its way: the routes it takes, and those it has taken (`done`, by position in `routes`). */
export const Entry = Schema.Struct({
  id: Schema.String,
  created: Schema.Int.annotate({ description: "milliseconds since the epoch" }),
  message: Message,
  routes: Schema.Array(Route),
  done: Schema.Array(Schema.Int),
})
export type Entry = typeof Entry.Type

/** Messages in a folder: one file each, in `pending/` until every route is done, then in `delivered/`. */
export interface Outbox {
  readonly root: string
  /** Stores an entry unless one with its id is pending, or was delivered and is less than an hour old. Durable on return. */
  readonly add: (entry: Entry) => Effect.Effect<void, Durable.FileFailed>
  /** What is to be delivered, oldest first. Files that are no entries are left alone. */
  readonly pending: Effect.Effect<ReadonlyArray<Entry>, Durable.FileFailed>
  /** Marks one route of an entry as done, and the entry as delivered when it was the last. */
  readonly settle: (entry: Entry, route: number) => Effect.Effect<Entry, Durable.FileFailed>
}

const repeatMillis = 3_600_000

const text = Schema.fromJsonString(Entry)
const decode = Schema.decodeUnknownOption(text)
const encode = Schema.encodeSync(text)

/** Opens the outbox in a folder, making the folder. */
export const open = (root: string): Effect.Effect<Outbox, Durable.FileFailed> =>
  Effect.gen(function* () {
    const waiting = join(root, "pending")
    const delivered = join(root, "delivered")
    yield* Durable.makeFolderDurably(waiting)
    yield* Durable.makeFolderDurably(delivered)
    const fileOf = (folder: string, id: string) => join(folder, `${id}.json`)

    const readEntry = (path: string) =>
      Durable.attempt("read", path, () => Fs.readFile(path, "utf8")).pipe(
        Effect.map(decode),
        Effect.orElseSucceed(() => Option.none<Entry>()),
      )

    const add: Outbox["add"] = (entry) =>
      Effect.gen(function* () {
        const before = yield* readEntry(fileOf(delivered, entry.id))
        if (Option.isSome(before) && entry.created - before.value.created < repeatMillis) return
        yield* Durable.writeNewFileDurably(fileOf(waiting, entry.id), encode(entry)).pipe(
          Effect.catchIf(
            (error) => error.code === "EEXIST",
            () => Durable.syncFolder(waiting),
          ),
        )
      })

    const pending: Outbox["pending"] = Effect.gen(function* () {
      const names = yield* Durable.attempt("list", waiting, () => Fs.readdir(waiting))
      const entries = yield* Effect.forEach(
        names.filter((name) => name.endsWith(".json")),
        (name) => readEntry(join(waiting, name)),
      )
      return entries
        .flatMap((entry) => (Option.isSome(entry) ? [entry.value] : []))
        .toSorted((x, y) => x.created - y.created || (x.id < y.id ? -1 : 1))
    })

    const settle: Outbox["settle"] = (entry, route) =>
      Effect.gen(function* () {
        const next: Entry = { ...entry, done: [...entry.done, route] }
        yield* Durable.writeFileDurably(fileOf(waiting, entry.id), encode(next))
        if (next.done.length === next.routes.length) {
          yield* Durable.renameDurably(fileOf(waiting, entry.id), fileOf(delivered, entry.id))
        }
        return next
      })

    return { root, add, pending, settle }
  })
