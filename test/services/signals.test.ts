import * as Fs from "node:fs/promises"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { assert, describe, it } from "@effect/vitest"
import { Database } from "bun:sqlite"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Result from "effect/Result"
import type * as Scope from "effect/Scope"
import * as Stream from "effect/Stream"
import Redis from "ioredis"
import { Signals } from "../../src/services/signals.ts"
import * as CutProxy from "../support/cut-proxy.ts"
import * as Servers from "../support/servers/scoped.ts"
import * as SignalsPlace from "../support/signals-place.ts"
import * as Tls from "../support/tls-redis.ts"

const fixture = join(import.meta.dirname, "signals-process.fixture.ts")
const note = { reason: "the feed is late", source: "a test" }

const home = Effect.acquireRelease(
  Effect.promise(() => Fs.mkdtemp(join(tmpdir(), "dandori-signals-"))),
  (folder) => Effect.promise(() => Fs.rm(folder, { recursive: true, force: true })),
)

const place = Effect.map(home, (folder): SignalsPlace.Place => ({ home: folder, name: `test:${crypto.randomUUID()}` }))

/** A place, and how its hash is written past the service. */
interface Rig {
  readonly place: SignalsPlace.Place
  readonly put: (fields: Readonly<Record<string, string>>) => Effect.Effect<void>
}

const embedded: Effect.Effect<Rig, never, Scope.Scope> = Effect.map(place, (made) => ({
  place: made,
  put: (fields) =>
    Effect.sync(() => {
      const database = new Database(join(made.home, "signals.db"))
      const insert = database.query("INSERT OR REPLACE INTO hashes (key, field, value) VALUES (?, ?, ?)")
      for (const [field, value] of Object.entries(fields)) insert.run(`${made.name}:flags`, field, value)
      database.close()
    }),
}))

/** A client of the test's own. */
const clientOf = (url: string) =>
  Effect.acquireRelease(
    Effect.sync(() => new Redis(url, { retryStrategy: null })),
    (redis) => Effect.sync(() => redis.disconnect()),
  )

const inRedis: Effect.Effect<Rig, never, Scope.Scope> = Effect.gen(function* () {
  const url = yield* Servers.redisUrl
  const made = { ...(yield* place), url }
  const redis = yield* clientOf(url)
  return {
    place: made,
    put: (fields) => Effect.promise(() => redis.hset(`${made.name}:flags`, fields)),
  }
})

/** Does something as a process of its own would. */
const as = <A, E>(where: SignalsPlace.Place, use: (signals: Signals["Service"]) => Effect.Effect<A, E, Scope.Scope>) =>
  Effect.scoped(Effect.provide(Effect.flatMap(Signals, use), SignalsPlace.layer(where)))

const flagsOf = (where: SignalsPlace.Place) =>
  as(where, (signals) => Effect.flatMap(signals.look, ({ flags }) => Effect.fromResult(flags)))

for (const [name, rig] of [
  ["in the project", embedded],
  ["in Redis", inRedis],
] as const) {
  describe(`signals ${name}`, () => {
    it.live("count as halted until somebody sets them, and the error says so", () =>
      Effect.gen(function* () {
        const { place } = yield* rig
        const halted = yield* Effect.flip(as(place, (signals) => signals.mayAct()))
        assert.deepInclude(halted, { _tag: "Halted", readable: false })
        assert.match(halted.message, /^Halted: .*cannot be read, which counts as halted: global_halt: it is not there/)
      }).pipe(Effect.scoped),
    )

    it.live("are changed for every process, with when, why and by what", () =>
      Effect.gen(function* () {
        const { place } = yield* rig
        const made = yield* as(place, (signals) => signals.change({ operation: "resume" }, note))
        assert.isTrue(made.changed)
        const flags = yield* flagsOf(place)
        assert.deepStrictEqual(flags, {
          global_halt: false,
          halted_pairs: [],
          flatten_pairs: [],
          leverage_scale: 1,
          metadata: { updated_at: made.updated_at, ...note },
        })
        assert.deepStrictEqual(yield* as(place, (signals) => signals.mayAct("EURUSD-GBPUSD")), flags)
        assert.isFalse((yield* as(place, (signals) => signals.change({ operation: "resume" }, note))).changed)
        assert.isTrue((yield* as(place, (signals) => signals.change({ operation: "halt" }, note))).changed)
        const halted = yield* Effect.flip(as(place, (signals) => signals.mayAct()))
        assert.deepInclude(halted, { readable: true, reason: "everything is halted: the feed is late" })
      }).pipe(Effect.scoped),
    )

    it.live("halt a pair, flatten another, and let both go again", () =>
      Effect.gen(function* () {
        const { place } = yield* rig
        yield* as(place, (signals) =>
          Effect.gen(function* () {
            yield* signals.change({ operation: "resume" }, note)
            yield* signals.change({ operation: "halt-pairs", pairs: ["A-B", "C-D"] }, note)
            yield* signals.change({ operation: "flatten", pairs: ["E-F"] }, note)
            yield* signals.change({ operation: "set-leverage", scale: 0.5 }, note)
            assert.match((yield* Effect.flip(signals.mayAct("C-D"))).reason, /^C-D is halted/)
            assert.match((yield* Effect.flip(signals.mayAct("E-F"))).reason, /^E-F is only to be closed/)
            assert.strictEqual((yield* signals.mayAct("G-H")).leverage_scale, 0.5)
            yield* signals.change({ operation: "resume-pairs", pairs: ["C-D", "E-F"] }, note)
          }),
        )
        assert.deepInclude(yield* flagsOf(place), { halted_pairs: ["A-B"], flatten_pairs: [], leverage_scale: 0.5 })
      }).pipe(Effect.scoped),
    )

    it.live("lose no pair that processes halt at the same time", () =>
      Effect.gen(function* () {
        const { place } = yield* rig
        yield* as(place, (signals) => signals.change({ operation: "resume" }, note))
        const pairsOf = (name: string) => Array.from({ length: 25 }, (_, n) => `${name}-${n + 10}`)
        const ended = yield* Effect.forEach(
          ["A", "B", "C"],
          (name) =>
            Effect.promise(async () => {
              const argv = [process.execPath, fixture, JSON.stringify(place), ...pairsOf(name)]
              const child = Bun.spawn(argv, { stdout: "pipe", stderr: "pipe" })
              return [await child.exited, await new Response(child.stderr).text()] as const
            }),
          { concurrency: "unbounded" },
        )
        assert.deepStrictEqual(
          ended.map(([code, said]) => (code === 0 ? 0 : said)),
          [0, 0, 0],
        )
        assert.deepStrictEqual((yield* flagsOf(place)).halted_pairs, ["A", "B", "C"].flatMap(pairsOf))
      }).pipe(Effect.scoped),
    )

    it.live("that cannot be parsed count as halted, whichever field it is", () =>
      Effect.gen(function* () {
        const { place, put } = yield* rig
        const whole = { global_halt: "0", halted_pairs: "[]", flatten_pairs: "[]", leverage_scale: "1", metadata: "{}" }
        yield* as(place, (signals) => signals.change({ operation: "resume" }, note))
        for (const [field, garbage] of [
          ["global_halt", "maybe"],
          ["global_halt", ""],
          ["halted_pairs", "EURUSD-GBPUSD"],
          ["halted_pairs", '{"a":1}'],
          ["flatten_pairs", "[1]"],
          ["leverage_scale", "NaN"],
          ["leverage_scale", "-1"],
          ["leverage_scale", "1e999"],
          ["metadata", "why not"],
        ] as const) {
          yield* put({ ...whole, [field]: garbage })
          const halted = yield* Effect.flip(as(place, (signals) => signals.mayAct()))
          assert.isFalse(halted.readable, `${field} ${garbage}`)
          assert.match(halted.message, new RegExp(`which counts as halted: ${field}: it is ".*", not `))
        }
        yield* put(whole)
        yield* as(place, (signals) => signals.mayAct())
      }).pipe(Effect.scoped),
    )

    it.live("are halted whatever the hash holds; a change that would start from garbage is refused", () =>
      Effect.gen(function* () {
        const { place, put } = yield* rig
        yield* as(place, (signals) => signals.change({ operation: "resume" }, note))
        yield* put({ global_halt: "0", halted_pairs: "oops" })
        yield* as(place, (signals) =>
          Effect.gen(function* () {
            for (const operation of ["halt-pairs", "resume-pairs"] as const) {
              const refused = yield* Effect.flip(signals.change({ operation, pairs: ["A-B"] }, note))
              assert.deepInclude(refused, { _tag: "FlagsUnreadable", field: "halted_pairs", notApplied: true })
            }
            const made = yield* signals.change({ operation: "halt" }, note)
            assert.isTrue(made.changed)
            assert.isTrue(Result.isFailure(made.flags))
            assert.strictEqual(
              (yield* Effect.flip(signals.change({ operation: "resume" }, note)))._tag,
              "FlagsUnreadable",
            )
          }),
        )
        yield* put({ halted_pairs: "[]" })
        assert.isTrue((yield* flagsOf(place)).global_halt)
      }).pipe(Effect.scoped),
    )

    it.live("are not changed on the word of somebody who saw others", () =>
      Effect.gen(function* () {
        const { place } = yield* rig
        yield* as(place, (signals) =>
          Effect.gen(function* () {
            yield* signals.change({ operation: "halt" }, note)
            const { digest } = yield* signals.look
            yield* signals.change({ operation: "halt" }, { ...note, reason: "another incident" })
            const refused = yield* Effect.flip(signals.change({ operation: "resume" }, note, digest))
            assert.strictEqual(refused._tag, "FlagsMoved")
            const again = yield* signals.look
            yield* signals.change({ operation: "resume" }, note, again.digest)
            yield* signals.mayAct()
          }),
        )
      }).pipe(Effect.scoped),
    )

    it.live("tell each change and each message to those who listen, in order, and not what was before", () =>
      Effect.gen(function* () {
        const { place } = yield* rig
        const events = `${place.name}:events`
        yield* as(place, (signals) => signals.change({ operation: "resume" }, note))
        const heard = yield* as(place, (listener) =>
          Effect.gen(function* () {
            const stream = yield* listener.subscribe(events)
            yield* as(place, (signals) =>
              Effect.gen(function* () {
                yield* signals.change({ operation: "halt-pairs", pairs: ["A-B"] }, note)
                yield* signals.publish(`${place.name}:signals`, { pair: "A-B" })
                yield* signals.publish(events, { event: "model.deployed", version: "é1" })
                yield* signals.change({ operation: "halt" }, note)
              }),
            )
            return yield* Stream.runCollect(Stream.take(stream, 3))
          }),
        )
        const [first, second, third] = heard.map((text) => JSON.parse(text))
        assert.deepInclude(first, { event: "ops.halt-pairs", pairs: ["A-B"], ...note })
        assert.match(first.updated_at, /^\d{4}-\d\d-\d\dT[\d:.]+Z$/)
        assert.deepStrictEqual(second, { event: "model.deployed", version: "é1" })
        assert.deepInclude(third, { event: "ops.halt", ...note })
      }).pipe(Effect.scoped),
    )
  })
}

describe("signals in the project", () => {
  it.live("count as halted when their file is damaged", () =>
    Effect.gen(function* () {
      const made = yield* place
      yield* Effect.promise(() => Fs.writeFile(join(made.home, "signals.db"), "no database at all".repeat(100)))
      const halted = yield* Effect.flip(as(made, (signals) => signals.mayAct()))
      assert.isFalse(halted.readable)
      assert.match(halted.message, /which counts as halted: .*signals\.db.*damaged/)
      const failed = yield* Effect.flip(as(made, (signals) => signals.change({ operation: "halt" }, note)))
      assert.deepInclude(failed, { _tag: "SignalsUnavailable", applied: "no", notApplied: true })
    }).pipe(Effect.scoped),
  )
})

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
