import * as Fs from "node:fs/promises"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { assert, describe, it } from "@effect/vitest"
import { Redis } from "ioredis"
import * as Effect from "effect/Effect"
import * as Redacted from "effect/Redacted"
import * as Processes from "../../src/services/processes-local.ts"
import * as RedisCopy from "../../src/services/redis-copy.ts"
import * as RedisRestore from "../../src/services/redis-restore.ts"
import * as Servers from "../support/servers/scoped.ts"

const folder = Effect.acquireRelease(
  Effect.promise(() => Fs.mkdtemp(join(tmpdir(), "redis copy "))),
  (path) => Effect.promise(() => Fs.rm(path, { recursive: true, force: true })),
)

const client = (url: string) =>
  Effect.acquireRelease(
    Effect.sync(() => new Redis(url)),
    (redis) => Effect.sync(() => redis.disconnect()),
  )

/** A value of every type, keys that are no text, a key that ends, and a second database. */
const fill = (redis: Redis) =>
  Effect.promise(async () => {
    await redis.hset("core:ops:flags", { halted: "1", reason: "日本" })
    await redis.set(Buffer.from([0xff, 0x00, 0x0a]), Buffer.from([1, 2, 0xfe]))
    await redis.rpush("list", "b", "a", "b")
    await redis.sadd("set", ...Array.from({ length: 1_000 }, (_, n) => `member ${n}`))
    await redis.zadd("ranked", 1.5, "x", 2, "y")
    await redis.xadd("stream", "5-1", "field", "value")
    await redis.set("ends", "soon", "PX", 600_000)
    await redis.select(3)
    await redis.set("other database", "1")
    await redis.select(0)
  })

const copied = (url: string) =>
  Effect.gen(function* () {
    const file = join(yield* folder, "redis.rdb")
    yield* RedisCopy.copyTo(Redacted.make(url), file)
    return file
  })

const test = (name: string, body: Effect.Effect<void, unknown, any>) =>
  it.live(
    name,
    () =>
      Effect.scoped(
        Effect.gen(function* () {
          const home = yield* folder
          yield* body.pipe(Effect.provide(Processes.layer({ folder: join(home, "processes") })))
        }),
      ) as Effect.Effect<void, unknown>,
  )

describe("a copy of Redis", () => {
  test(
    "holds every database, is loaded to prove it, and put into an empty server, once more too",
    Effect.gen(function* () {
      const { url } = yield* Servers.ownRedis
      yield* fill(yield* client(url))
      const file = yield* copied(url)
      assert.deepStrictEqual(yield* RedisRestore.check(file), { databases: 2, keys: 8, ending: 1 })

      const target = (yield* Servers.ownRedis).url
      const redis = yield* client(target)
      yield* RedisRestore.into(Redacted.make(target), file)
      const [flags, list, ttl] = yield* Effect.promise(() =>
        Promise.all([redis.hgetall("core:ops:flags"), redis.lrange("list", 0, -1), redis.pttl("ends")]),
      )
      assert.deepStrictEqual(flags, { halted: "1", reason: "日本" })
      assert.deepStrictEqual(list, ["b", "a", "b"])
      assert.isAbove(ttl, 0)
      yield* Effect.promise(() => redis.del("list"))
      assert.deepStrictEqual(yield* RedisRestore.into(Redacted.make(target), file), {
        databases: 2,
        keys: 8,
        ending: 1,
      })
      assert.strictEqual(yield* Effect.promise(() => redis.llen("list")), 3)
    }),
  )

  test(
    "is not put over other keys, which stay as they are",
    Effect.gen(function* () {
      const { url } = yield* Servers.ownRedis
      yield* fill(yield* client(url))
      const file = yield* copied(url)
      const target = (yield* Servers.ownRedis).url
      const redis = yield* client(target)
      yield* Effect.promise(() => redis.set("list", "not a list"))
      const refused = yield* Effect.flip(RedisRestore.into(Redacted.make(target), file))
      assert.strictEqual(refused._tag, "RedisNotEmpty")
      assert.include(refused.message, "db0 list")
      assert.deepStrictEqual(yield* Effect.promise(() => redis.keys("*")), ["list"])
    }),
  )

  test(
    "that was cut is refused by the server that loads it",
    Effect.gen(function* () {
      const { url } = yield* Servers.ownRedis
      yield* fill(yield* client(url))
      const file = yield* copied(url)
      yield* Effect.promise(async () => Fs.truncate(file, (await Fs.stat(file)).size - 100))
      const refused = yield* Effect.flip(RedisRestore.check(file))
      assert.strictEqual(refused._tag, "RedisCopyFailed")
    }),
  )

  test(
    "is not made of a server that is away or does not let us in, and no password is told",
    Effect.gen(function* () {
      const { url } = yield* Servers.ownRedis
      const redis = yield* client(url)
      yield* Effect.promise(() => redis.config("SET", "requirepass", "right-password"))
      const wrong = url.replace("redis://", "redis://:planted-password@")
      const refused = yield* Effect.flip(copied(wrong))
      assert.include(refused.message, "127.0.0.1")
      assert.notInclude(JSON.stringify(refused) + refused.message, "planted-password")
      yield* copied(url.replace("redis://", "redis://:right-password@"))
      const away = yield* Effect.flip(copied("redis://127.0.0.1:1/0"))
      assert.include(away.message, "127.0.0.1:1")
    }),
  )
})
