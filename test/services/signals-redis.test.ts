import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Result from "effect/Result"
import * as Stream from "effect/Stream"
import * as CutProxy from "../support/cut-proxy.ts"
import * as Servers from "../support/servers/scoped.ts"
import * as Tls from "../support/tls-redis.ts"
import { as, clientOf, fixture, flagsOf, note, place } from "./signals-rig.ts"

describe("signals in Redis", () => {
  it.live("count as halted while the server is away, and work again when it is back", () =>
    Effect.gen(function* () {
      const server = yield* Servers.ownRedis
      const made = { ...(yield* place), url: server.url }
      yield* as(made, (signals) =>
        Effect.gen(function* () {
          yield* signals.change({ operation: "resume" }, note)
          yield* signals.mayAct()
          const stream = yield* signals.subscribe(`${made.name}:events`)
          const listening = yield* Effect.forkChild(Effect.flip(Stream.runDrain(stream)))
          yield* Effect.promise(() => server.stop("SIGKILL"))
          const lost = yield* Fiber.join(listening)
          assert.deepInclude(lost, { _tag: "SignalsUnavailable", transient: true })
          assert.match(
            lost.message,
            /^Redis at 127\.0\.0\.1:\d+: .*:events is not heard any more: the connection was lost/,
          )
          const halted = yield* Effect.flip(signals.mayAct())
          assert.deepInclude(halted, { readable: false })
          assert.match(
            halted.message,
            /which counts as halted: Redis at 127\.0\.0\.1:\d+: it cannot be used: .*ECONNREFUSED/,
          )
          const refused = yield* Effect.flip(signals.change({ operation: "halt" }, note))
          assert.deepInclude(refused, { _tag: "SignalsUnavailable", applied: "no", transient: true, notApplied: true })
          const again = yield* Effect.acquireRelease(
            Effect.promise(() => server.again()),
            (restarted) => Effect.promise(() => restarted.stop()),
          )
          assert.strictEqual(again.url, server.url)
          assert.isFalse((yield* signals.mayAct()).global_halt)
          const heard = yield* signals.subscribe(`${made.name}:events`)
          yield* signals.change({ operation: "halt" }, note)
          assert.lengthOf(yield* Stream.runCollect(Stream.take(heard, 1)), 1)
        }),
      )
    }).pipe(Effect.scoped),
  )

  for (const [cut, applied] of [
    ["before", false],
    ["after", true],
  ] as const) {
    it.live(`say that a change may have been made when the connection is lost ${cut} the server has it`, () =>
      Effect.gen(function* () {
        const server = yield* Servers.ownRedis
        const proxy = yield* CutProxy.make(server.port)
        const made = { ...(yield* place), url: `redis://127.0.0.1:${proxy.port}` }
        yield* as(made, (signals) =>
          Effect.gen(function* () {
            yield* signals.change({ operation: "resume" }, note)
            proxy.cutAt("EVAL", cut)
            const lost = yield* Effect.flip(signals.change({ operation: "halt" }, note))
            assert.deepInclude(lost, { _tag: "SignalsUnavailable", applied: "unknown", transient: true })
            assert.isFalse(lost._tag === "SignalsUnavailable" && lost.notApplied)
            assert.match(lost.message, /the connection was lost while it was asked to halt: .*It may have been done: /)
            const { flags } = yield* signals.look
            assert.strictEqual(Result.getOrThrow(flags).global_halt, applied)
          }),
        )
      }).pipe(Effect.scoped),
    )
  }

  it.live("are read over a new connection when the old one turns out to be dead", () =>
    Effect.gen(function* () {
      const proxy = yield* CutProxy.make((yield* Servers.ownRedis).port)
      const made = { ...(yield* place), url: `redis://127.0.0.1:${proxy.port}` }
      yield* as(made, (signals) =>
        Effect.gen(function* () {
          yield* signals.change({ operation: "resume" }, note)
          proxy.cutAt("hgetall", "before")
          yield* signals.mayAct()
        }),
      )
    }).pipe(Effect.scoped),
  )

  it.live("end for those who listen when the server vanishes without a word", () =>
    Effect.gen(function* () {
      const proxy = yield* CutProxy.make((yield* Servers.ownRedis).port)
      const made = { ...(yield* place), url: `redis://127.0.0.1:${proxy.port}`, subscribeTimeout: "1s" }
      yield* as(made, (signals) =>
        Effect.gen(function* () {
          const stream = yield* signals.subscribe(`${made.name}:events`)
          yield* signals.publish(`${made.name}:events`, { event: "still there" })
          assert.lengthOf(yield* Stream.runCollect(Stream.take(stream, 1)), 1)
          proxy.cutAt("ping", "silence")
          const lost = yield* Effect.flip(Stream.runDrain(stream))
          assert.match(lost.message, /is not heard any more: no answer within 1000 ms/)
        }),
      )
    }).pipe(Effect.scoped),
  )

  it.live("go over TLS to a server whose certificate is trusted, and to no other", () =>
    Effect.gen(function* () {
      const made = yield* place
      const server = yield* Tls.redis(made.home)
      const url = `rediss://127.0.0.1:${server.port}/0`
      const failed = yield* Effect.flip(as({ ...made, url }, (signals) => signals.change({ operation: "halt" }, note)))
      assert.match(failed.message, /^Redis at 127\.0\.0\.1:\d+: it cannot be used: .*certificate/i)
      const said = yield* Effect.promise(async () => {
        const env = { ...process.env, NODE_EXTRA_CA_CERTS: server.certificate }
        const argv = [process.execPath, fixture, JSON.stringify({ ...made, url }), "A-B"]
        const child = Bun.spawn(argv, { env, stdout: "pipe", stderr: "pipe" })
        return [await child.exited, await new Response(child.stderr).text()] as const
      })
      assert.deepStrictEqual(said, [0, ""])
    }).pipe(Effect.scoped),
  )

  it.live("name a wrong password, a wrong database and a wrong URL, and never the password", () =>
    Effect.gen(function* () {
      const server = yield* Servers.ownRedis
      const made = yield* place
      const admin = yield* clientOf(server.url)
      yield* Effect.promise(() => admin.config("SET", "requirepass", "right p@ss"))
      const at = `127.0.0.1:${server.port}`
      const tryAt = (url: string) =>
        Effect.flip(as({ ...made, url }, (signals) => signals.change({ operation: "halt" }, note)))
      for (const [url, words] of [
        [`redis://:hunter2hunter2@${at}/0`, /^Redis at 127\.0\.0\.1:\d+: it cannot be used: WRONGPASS/],
        [`redis://${at}/0`, /it cannot be used: .*NOAUTH/],
        [`redis://:${encodeURIComponent("right p@ss")}@${at}/999`, /it cannot be used: .*DB index is out of range/],
        [`redis://:${encodeURIComponent("right p@ss")}@${at}/prod`, /no number of a database/],
        [`http://:hunter2hunter2@${at}/0`, /no URL like redis:\/\/host/],
        ["hunter2hunter2", /no URL like redis:\/\/host/],
      ] as const) {
        const failed = yield* tryAt(url)
        assert.deepInclude(failed, { _tag: "SignalsUnavailable", applied: "no" })
        assert.match(failed.message, words)
        assert.notMatch(JSON.stringify(failed) + String(failed.stack) + failed.message, /hunter2|right/)
      }
      const right = { ...made, url: `redis://:${encodeURIComponent("right p@ss")}@${at}/0` }
      yield* as(right, (signals) => signals.change({ operation: "resume" }, note))
      yield* as(right, (signals) => signals.mayAct())
    }).pipe(Effect.scoped),
  )

  it.live("count as halted when the hash holds bytes that are no text, or is no hash", () =>
    Effect.gen(function* () {
      const url = yield* Servers.redisUrl
      const made = { ...(yield* place), url }
      const redis = yield* clientOf(url)
      const key = `${made.name}:flags`
      yield* Effect.promise(() =>
        redis.hset(key, "global_halt", Buffer.from("0"), "halted_pairs", Buffer.from('["É-B"]')),
      )
      assert.deepStrictEqual((yield* flagsOf(made)).halted_pairs, ["É-B"])
      yield* Effect.promise(() => redis.hset(key, "halted_pairs", Buffer.from([0x5b, 0xff, 0x5d])))
      const bytes = yield* Effect.flip(as(made, (signals) => signals.mayAct()))
      assert.match(bytes.message, /halted_pairs: it is no UTF-8, not a JSON list of pairs/)
      const refused = yield* Effect.flip(
        as(made, (signals) => signals.change({ operation: "halt-pairs", pairs: ["A-B"] }, note)),
      )
      assert.strictEqual(refused._tag, "FlagsUnreadable")
      yield* as(made, (signals) => signals.change({ operation: "halt" }, note))
      assert.strictEqual(yield* Effect.promise(() => redis.hget(key, "global_halt")), "1")
      yield* Effect.promise(() => redis.set(key, "0"))
      const other = yield* Effect.flip(as(made, (signals) => signals.mayAct()))
      assert.match(other.message, /which counts as halted: .*WRONGTYPE/)
    }).pipe(Effect.scoped),
  )

  it.live("keep fields that others added, and say when the change is made but nobody was told", () =>
    Effect.gen(function* () {
      const server = yield* Servers.ownRedis
      const made = yield* place
      const admin = yield* clientOf(server.url)
      yield* Effect.promise(async () => {
        await admin.hset(`${made.name}:flags`, "owner", "desk 4")
        await admin.call("ACL", "SETUSER", "mute", "on", ">pass-word", "~*", "+@all", "resetchannels")
      })
      const url = server.url.replace("redis://", "redis://mute:pass-word@")
      const failed = yield* Effect.flip(as({ ...made, url }, (signals) => signals.change({ operation: "halt" }, note)))
      assert.deepInclude(failed, { _tag: "SignalsUnavailable", applied: "yes", notApplied: false })
      assert.match(failed.message, /it refused to tell .*:events: .*The flags are changed, but nobody was told$/)
      const hash = yield* Effect.promise(() => admin.hgetall(`${made.name}:flags`))
      assert.deepInclude(hash, { global_halt: "1", owner: "desk 4" })
    }).pipe(Effect.scoped),
  )
})
