import * as Fs from "node:fs/promises"
import { tmpdir } from "node:os"
import { basename, dirname, join } from "node:path"
import type { Redis } from "ioredis"
import * as Effect from "effect/Effect"
import type * as Redacted from "effect/Redacted"
import * as Schema from "effect/Schema"
import * as Durable from "./durable-files.ts"
import { Processes } from "./processes.ts"
import * as RedisConnection from "./redis-connection.ts"
import * as Contents from "./redis-contents.ts"
import { RedisCopyFailed } from "./redis-copy.ts"

/** The Redis to restore to has other keys. */
export class RedisNotEmpty extends Schema.TaggedError<RedisNotEmpty>()("RedisNotEmpty", {
  where: Schema.String,
  keys: Schema.Array(Schema.String),
}) {
  readonly notApplied = true
  override get message() {
    const more = this.keys.length > 3 ? ` and ${this.keys.length - 3} more` : ""
    return `${this.where} has keys that the copy does not hold like this: ${this.keys.slice(0, 3).join(", ")}${more}; restore into an empty one`
  }
}

/** What was restored: databases with keys, keys, and how many of them end by themselves. */
export const RestoredRedis = Schema.Struct({ databases: Schema.Int, keys: Schema.Int, ending: Schema.Int })
export type RestoredRedis = typeof RestoredRedis.Type

const failure = (where: string) => (cause: unknown) =>
  new RedisCopyFailed({ where, reason: cause instanceof Error ? cause.message : String(cause) })

/** A short path: a socket's name has 107 bytes at most. */
const socketFolder = Effect.acquireRelease(
  Durable.attempt("make a folder in", tmpdir(), () => Fs.mkdtemp(join(tmpdir(), "dandori-redis-"))),
  (path) => Effect.ignore(Durable.attempt("remove", path, () => Fs.rm(path, { recursive: true, force: true }))),
)

const patience = 100

/** A server of its own that has loaded a copy and that nobody else can reach; it ends with the scope. */
const serving = Effect.fnUntraced(function* (file: string) {
  const where = `the copy ${basename(file)}`
  const failed = failure(where)
  const program = Bun.which("redis-server") ?? Bun.which("valkey-server")
  if (program === null) {
    return yield* failed("redis-server is not installed here; install it (Debian: redis-server): it reads the copy")
  }
  const socket = join(yield* socketFolder, "s")
  const settings = {
    port: "0",
    unixsocket: socket,
    dir: dirname(file),
    dbfilename: basename(file),
    save: "",
    appendonly: "no",
  }
  const words = Object.entries(settings).flatMap(([name, value]) => [`--${name}`, value])
  let ended: string | undefined
  yield* (yield* Processes).run({ argv: [program, ...words], keep: 4_096 }).pipe(
    Effect.matchEffect({
      onFailure: ({ message }) => Effect.sync(() => void (ended = message)),
      onSuccess: ({ exitCode, stderr, stdout }) =>
        Effect.sync(() => {
          const last = `${stdout}\n${stderr}`.split("\n").filter((line) => line.trim() !== "")
          ended = last.slice(-2).join("; ") || `redis-server ended with ${exitCode}`
        }),
    }),
    Effect.forkScoped,
  )
  const { Redis: Client } = yield* Effect.promise(() => import("ioredis"))
  const redis = yield* Effect.acquireRelease(
    Effect.sync(() => {
      const client = new Client({
        path: socket,
        lazyConnect: true,
        retryStrategy: () => 20,
        maxRetriesPerRequest: null,
      })
      return client.on("error", () => {})
    }),
    (client) => Effect.sync(() => client.disconnect()),
  )
  const answers = Effect.promise(() =>
    Promise.race([
      redis.ping().then(
        () => true,
        () => false,
      ),
      Bun.sleep(patience).then(() => false),
    ]),
  )
  for (;;) {
    if (ended !== undefined) return yield* failed(ended)
    if (yield* answers) return { redis, where }
  }
})

/** Every database of a server with its keys. */
const readAll = ({ redis, where }: RedisConnection.Connection) =>
  Effect.tryPromise({
    try: async () => {
      const found: Array<{ readonly database: number; readonly keys: ReadonlyArray<Contents.Key> }> = []
      for (const database of await Contents.databases(redis)) {
        await redis.select(database)
        found.push({ database, keys: await Contents.read(redis) })
      }
      return found
    },
    catch: failure(where),
  })

const countOf = (all: Effect.Success<ReturnType<typeof readAll>>): RestoredRedis => {
  const keys = all.flatMap((one) => one.keys)
  return { databases: all.length, keys: keys.length, ending: keys.filter(({ ends }) => ends).length }
}

/** Proves that a copy can be loaded: by a server of its own, which is ended again. */
export const check = Effect.fn("RedisRestore.check")(
  (file: string) => Effect.map(Effect.flatMap(serving(file), readAll), countOf),
  Effect.scoped,
)

const copyKey = async (from: Redis, to: Redis, key: Buffer) => {
  const [left, value] = [await from.pttl(key), await from.dumpBuffer(key)]
  if (value !== null && left !== -2) await to.restore(key, Math.max(0, left), value, "REPLACE")
}

/**
 * Puts all keys of a copy into a server that is empty, or has a part of them from an earlier try, and proves that it has
 * them all. A server with other keys is left as it is.
 */
export const into = Effect.fn("RedisRestore.into")(function* (url: Redacted.Redacted<string>, file: string) {
  const copy = yield* serving(file)
  const target = yield* Effect.acquireRelease(RedisConnection.connect(url), ({ redis }) =>
    Effect.sync(() => redis.disconnect()),
  )
  const failed = failure(target.where)
  const wanted = yield* readAll(copy)
  const keysAt = (found: Effect.Success<ReturnType<typeof readAll>>, database: number) =>
    found.find((one) => one.database === database)?.keys ?? []
  const strangers = (found: Effect.Success<ReturnType<typeof readAll>>) =>
    found.flatMap(({ database, keys }) =>
      Contents.compare(keysAt(wanted, database), keys).strange.map(({ key }) => `db${database} ${key.toString()}`),
    )
  const before = yield* readAll(target)
  const keys = strangers(before)
  if (keys.length > 0) return yield* new RedisNotEmpty({ where: target.where, keys })
  for (const { database, keys: all } of wanted) {
    const { missing } = Contents.compare(all, keysAt(before, database))
    const ending = all.filter((one) => one.ends)
    yield* Effect.tryPromise({
      try: async () => {
        await copy.redis.select(database)
        await target.redis.select(database)
        for (const { key } of [...missing, ...ending]) await copyKey(copy.redis, target.redis, key)
      },
      catch: failed,
    })
  }
  const after = yield* readAll(target)
  const lost = wanted.flatMap(({ database, keys: all }) => Contents.compare(all, keysAt(after, database)).missing)
  if (lost.length > 0 || strangers(after).length > 0)
    return yield* failed(`${lost.length} keys are not there afterwards`)
  return countOf(wanted)
}, Effect.scoped)
