import * as Fs from "node:fs/promises"
import { join } from "node:path"
import * as NodeServices from "@effect/platform-node/NodeServices"
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import Redis from "ioredis"
import type { Entry } from "../../src/domain/event.ts"
import { layer as layerSegments } from "../../src/ledger/ledger-segments.ts"
import { Ledger } from "../../src/ledger/ledger.ts"
import { nameOf } from "../../src/services/users.ts"
import * as Servers from "../support/servers/scoped.ts"
import { freePort } from "../support/servers/server.ts"
import { dandori, ndjson, project, shifted } from "./evidence-project.ts"

const me = nameOf(process.getuid?.() ?? 0)
const pair = "EURUSD-GBPUSD"

const write = (folder: string, path: string, text: string) =>
  Effect.promise(() => Fs.writeFile(join(folder, path), text))

/** The ledger of a project, as one person writes it. */
const ledger = (folder: string, authid: string) =>
  layerSegments({
    folder: join(folder, ".dandori/ledger"),
    author: { source: "dandori://dev/elsewhere", authid, authtype: "user" },
    flushIntervalMillis: 1,
  }).pipe(Layer.provide(NodeServices.layer), Layer.fresh)

/** What `system` says of changes of the flags, oldest first. */
const record = (folder: string) =>
  Effect.flatMap(Ledger, (books) => books.read("system")).pipe(
    Effect.map(({ entries, fault }) => {
      assert.isUndefined(fault)
      return entries
        .filter(({ type }) => type.startsWith("dev.dandori.ops."))
        .map((entry) => ({ ...entry, data: entry.data as Readonly<Record<string, unknown>> }))
    }),
    Effect.provide(ledger(folder, "nobody")),
  )

const kinds = (entries: ReadonlyArray<Entry>) => entries.map(({ type }) => type.replace(/^dev\.dandori\.|\.v1$/g, ""))

/** A request of another person, for the flags as they are; its id. */
const askedBy = Effect.fnUntraced(function* (folder: string, authid: string, agoMillis = 0) {
  const asked = yield* dandori(folder, "ops", "resume", "--reason", "mine", "--json")
  assert.strictEqual(asked.code, 16, asked.err)
  const [mine] = (yield* record(folder)).slice(-1)
  const id = crypto.randomUUID()
  const data = { ...mine.data, id, reason: "it is back" } as never
  yield* Effect.flatMap(Ledger, (books) =>
    books.record("system", [{ type: "dev.dandori.ops.requested.v1", data }]),
  ).pipe(Effect.provide(ledger(folder, authid)), shifted(-agoMillis))
  return id
})

/** Two people are needed, in env dev too. */
const strict = Effect.tap(project, (folder) =>
  write(folder, "configs/envs/dev/approvals.yaml", "selfApproval: false\n"),
)

/** A project whose signals are in a Redis of its own. */
const inRedis = Effect.gen(function* () {
  const folder = yield* strict
  const server = yield* Servers.ownRedis
  const redis = yield* Effect.acquireRelease(
    Effect.sync(() => new Redis(server.url, { retryStrategy: null })),
    (client) => Effect.sync(() => client.disconnect()),
  )
  yield* Effect.promise(() => redis.config("SET", "requirepass", "hunter2hunter2"))
  yield* write(folder, "configs/envs/dev/messaging.yaml", "backend: redis\nurl: ${file:redis}\n")
  yield* write(folder, "redis", server.url.replace("redis://", "redis://:hunter2hunter2@"))
  return { folder, server, redis }
})

describe("dandori ops", () => {
  it.live("halts without asking, and leaves what was meant and what came of it in the ledger", () =>
    Effect.gen(function* () {
      const folder = yield* project
      const before = yield* dandori(folder, "ops", "status")
      assert.strictEqual(before.code, 0, before.err)
      assert.match(before.out, /^Halted: .*nobody has set it yet/)
      const halted = yield* dandori(folder, "ops", "halt", "--reason", "the feed is late")
      assert.strictEqual(halted.code, 0, halted.err)
      assert.match(halted.out, /^halt: done\.\nHalted: everything\.\n {2}global_halt {5}1\n/)
      const again = yield* dandori(folder, "ops", "halt", "--reason", "still late", "--json")
      const [line] = ndjson(again.out)
      assert.deepInclude(line, { v: 1, kind: "ops", operation: "halt", env: "dev", changed: false, halted: true })
      const entries = yield* record(folder)
      assert.deepStrictEqual(kinds(entries), ["ops.intended", "ops.applied", "ops.intended", "ops.applied"])
      assert.isTrue(entries.every(({ authid }) => authid === me))
      assert.deepInclude(entries[2].data, { id: line.id, change: { operation: "halt" }, reason: "still late" })
      assert.deepInclude(entries[3].data, { id: line.id, changed: false, flags: line.flags })
      const shown = yield* dandori(folder, "ledger", "show", "system")
      assert.match(shown.out, /ops\.applied\s+halt {2}reason=still late/)
    }).pipe(Effect.scoped),
  )

  it.live("changes nothing without a reason, or without --yes where nobody can be asked", () =>
    Effect.gen(function* () {
      const folder = yield* project
      for (const args of [
        ["halt"],
        ["halt", "--reason", ""],
        ["halt-pairs", pair],
        ["halt-pairs", "--reason", "news"],
        ["flatten", pair, "--reason", "news"],
        ["resume-pairs", pair, "--reason", "news"],
        ["set-leverage", "0.5", "--reason", "news"],
        ["set-leverage", "1.5", "--reason", "news", "--yes"],
        ["resume"],
        ["resume", "--reason", "back", "--approve", "x"],
        ["halt-pairs", "EURUDS-GBPUSD", "--reason", "news"],
      ]) {
        const { code, err, out } = yield* dandori(folder, "ops", ...args)
        assert.deepStrictEqual([code, out], [64, ""], args.join(" "))
        assert.notStrictEqual(err, "")
      }
      const status = yield* dandori(folder, "ops", "status", "--json")
      assert.match(String(ndjson(status.out)[0].unreadable), /nobody has set it yet/)
    }).pipe(Effect.scoped),
  )

  it.live("halts, flattens and resumes pairs, and scales the leverage", () =>
    Effect.gen(function* () {
      const folder = yield* project
      for (const args of [
        ["halt-pairs", pair, "EURUSD-USDJPY", pair],
        ["flatten", pair, "--yes"],
        ["set-leverage", "0.5", "--yes"],
        ["halt"],
      ]) {
        const { code, err } = yield* dandori(folder, "ops", ...args, "--reason", "news")
        assert.strictEqual(code, 0, err)
      }
      const resumed = yield* dandori(folder, "ops", "resume-pairs", pair, "--reason", "over", "--yes", "--json")
      assert.deepInclude(ndjson(resumed.out)[0], { operation: "resume-pairs", pairs: [pair], changed: true })
      const [{ flags }] = ndjson((yield* dandori(folder, "ops", "status", "--json")).out)
      const expected = { halted_pairs: ["EURUSD-USDJPY"], flatten_pairs: [], leverage_scale: 0.5, global_halt: true }
      assert.deepInclude(flags, expected)
    }).pipe(Effect.scoped),
  )

  it.live("lets nobody resume alone", () =>
    Effect.gen(function* () {
      const folder = yield* strict
      yield* dandori(folder, "ops", "halt", "--reason", "the feed is late")
      const asked = yield* dandori(folder, "ops", "resume", "--reason", "it is back", "--json")
      assert.strictEqual(asked.code, 16, asked.err)
      const [{ approve, requested }] = ndjson(asked.out)
      assert.strictEqual(approve, `dandori ops resume --approve ${requested}`)
      const self = yield* dandori(folder, "ops", "resume", "--approve", String(requested), "--yes")
      assert.strictEqual(self.code, 77)
      assert.include(self.err, `${me} asked for this and cannot agree to it`)
      assert.strictEqual((yield* dandori(folder, "ops", "resume", "--approve", "nothing", "--yes")).code, 66)
      assert.isTrue(ndjson((yield* dandori(folder, "ops", "status", "--json")).out)[0].halted)
      assert.deepStrictEqual(kinds(yield* record(folder)).slice(2), ["ops.requested"])
    }).pipe(Effect.scoped),
  )

  it.live("resumes when another person agrees, once, and shows them first what it is about", () =>
    Effect.gen(function* () {
      const folder = yield* strict
      yield* dandori(folder, "ops", "halt", "--reason", "the feed is late")
      const id = yield* askedBy(folder, "grace")
      const looked = yield* dandori(folder, "ops", "resume", "--approve", id)
      assert.strictEqual(looked.code, 64)
      assert.match(
        looked.err,
        /^Resume in dev\n {2}grace asked at .*: it is back\nHalted: everything\.\n[^]*the feed is late/,
      )
      const agreed = yield* dandori(folder, "ops", "resume", "--approve", id, "--yes")
      assert.strictEqual(agreed.code, 0, agreed.err)
      assert.match(agreed.out, /^resume: done\.\nNot halted\.[^]*asked for by grace: it is back/)
      const [intended, applied] = (yield* record(folder)).slice(-2)
      assert.deepInclude(intended.data, { id, requester: "grace" })
      assert.strictEqual(intended.authid, me)
      assert.deepInclude(applied.data, { id, changed: true })
      const again = yield* dandori(folder, "ops", "resume", "--approve", id, "--yes")
      assert.strictEqual(again.code, 64)
      assert.include(again.err, "done already")
      const nothing = yield* dandori(folder, "ops", "resume", "--reason", "once more")
      assert.deepStrictEqual([nothing.code, nothing.out], [0, "Nothing is to be resumed: global_halt is 0.\n"])
    }).pipe(Effect.scoped),
  )

  it.live("does not resume from flags that have changed since it was asked for, nor after a day", () =>
    Effect.gen(function* () {
      const folder = yield* strict
      yield* dandori(folder, "ops", "halt", "--reason", "the feed is late")
      const id = yield* askedBy(folder, "grace")
      const late = yield* askedBy(folder, "grace", 86_400_000 + 60_000)
      const tooLate = yield* dandori(folder, "ops", "resume", "--approve", late, "--yes")
      assert.strictEqual(tooLate.code, 77)
      assert.include(tooLate.err, "more than a day ago")
      yield* dandori(folder, "ops", "halt", "--reason", "another incident")
      const moved = yield* dandori(folder, "ops", "resume", "--approve", id, "--yes")
      assert.strictEqual(moved.code, 75)
      assert.include(moved.err, "The flags have changed since")
      const [{ flags }] = ndjson((yield* dandori(folder, "ops", "status", "--json")).out)
      assert.deepInclude(flags, { global_halt: true })
      assert.deepInclude((yield* record(folder)).at(-1)?.data, { id, applied: "no" })
    }).pipe(Effect.scoped),
  )

  it.live("lets one who asked agree where env dev allows it, and the record says so", () =>
    Effect.gen(function* () {
      const folder = yield* project
      const asked = yield* dandori(folder, "ops", "resume", "--reason", "a start", "--json")
      const id = String(ndjson(asked.out)[0].requested)
      const agreed = yield* dandori(folder, "ops", "resume", "--approve", id, "--yes", "--json")
      assert.deepInclude(ndjson(agreed.out)[0], { operation: "resume", id, changed: true, halted: false })
      assert.deepInclude((yield* record(folder)).at(-2)?.data, { id, self: true, requester: me })
    }).pipe(Effect.scoped),
  )
})

describe("dandori ops while the database is away", () => {
  it.live("halts at once and says what it could not record; nothing else is changed without its record", () =>
    Effect.gen(function* () {
      const folder = yield* project
      yield* write(folder, "configs/envs/dev/ledger.yaml", "store: postgres\n")
      yield* write(folder, "configs/envs/dev/database.yaml", "backend: postgres\ndsn: ${file:dsn}\n")
      yield* write(folder, "dsn", `postgres://dandori:hunter2hunter2@127.0.0.1:${freePort()}/x`)
      const halted = yield* dandori(folder, "ops", "halt", "--reason", "the feed is late")
      assert.strictEqual(halted.code, 0, halted.err)
      assert.match(halted.out, /^halt: done\.\nHalted: everything\./)
      assert.match(halted.err, /^It could not be recorded in the ledger: [^\n]+\n$/)
      const refused = yield* dandori(folder, "ops", "set-leverage", "0.5", "--reason", "news", "--yes")
      assert.deepStrictEqual([refused.code, refused.out], [69, ""])
      assert.match(refused.err, /^Nothing was changed, since it could not be recorded in the ledger: [^\n]+\n$/)
      assert.notInclude(halted.err + refused.err, "hunter2")
      const [{ flags }] = ndjson((yield* dandori(folder, "ops", "status", "--json")).out)
      assert.deepInclude(flags, { global_halt: true, leverage_scale: 1 })
    }).pipe(Effect.scoped),
  )
})

describe("dandori ops on a Redis", () => {
  it.live("works on the hash that others read, and says what garbage in it is", () =>
    Effect.gen(function* () {
      const { folder, redis } = yield* inRedis
      const halted = yield* dandori(folder, "ops", "halt", "--reason", "the feed is late")
      assert.strictEqual(halted.code, 0, halted.err)
      const hash = yield* Effect.promise(() => redis.hgetall("core:ops:flags"))
      assert.strictEqual(hash.global_halt, "1")
      assert.deepInclude(JSON.parse(hash.metadata), { reason: "the feed is late" })
      yield* Effect.promise(() => redis.hset("core:ops:flags", "halted_pairs", "oops\u001b[2J"))
      const status = yield* dandori(folder, "ops", "status")
      assert.strictEqual(status.code, 65)
      assert.match(status.out, /^Halted: .*halted_pairs: it is "oops.*", not a JSON list of pairs\n$/)
      assert.notInclude(status.out, "\u001b")
      const refused = yield* dandori(folder, "ops", "halt-pairs", pair, "--reason", "news")
      assert.strictEqual(refused.code, 65)
      assert.deepStrictEqual(kinds(yield* record(folder)).slice(-2), ["ops.intended", "ops.failed"])
    }).pipe(Effect.scoped),
  )

  it.live("that is away ends with 69 and one line without its password, and is in the ledger", () =>
    Effect.gen(function* () {
      const { folder, server } = yield* inRedis
      yield* Effect.promise(() => server.stop("SIGKILL"))
      for (const args of [
        ["status"],
        ["halt", "--reason", "the feed is late"],
        ["halt-pairs", pair, "--reason", "news"],
        ["resume", "--reason", "it is back"],
      ]) {
        const { code, err, out } = yield* dandori(folder, "ops", ...args)
        assert.deepStrictEqual([code, out], [69, ""], args.join(" "))
        assert.match(err, /^Redis at 127\.0\.0\.1:\d+: it cannot be used: .*start the server.*Nothing was changed\n$/)
        assert.notInclude(err, "hunter2")
      }
      const entries = yield* record(folder)
      assert.deepStrictEqual(kinds(entries), ["ops.intended", "ops.failed", "ops.intended", "ops.failed"])
      assert.deepInclude(entries[1].data, { applied: "no" })
      assert.notInclude(JSON.stringify(entries), "hunter2")
    }).pipe(Effect.scoped),
  )

  it.live("halts with a broken configuration and without a ledger, and says what it could not record", () =>
    Effect.gen(function* () {
      const { folder, redis } = yield* inRedis
      yield* write(folder, "configs/base/dq.yaml", "strikt: [")
      yield* write(folder, ".dandori", "no folder")
      const halted = yield* dandori(folder, "ops", "halt", "--reason", "the feed is late")
      assert.strictEqual(halted.code, 0, halted.err)
      assert.match(halted.out, /^halt: done\./)
      assert.match(halted.err, /^It could not be recorded in the ledger: .*\.dandori/)
      assert.strictEqual(yield* Effect.promise(() => redis.hget("core:ops:flags", "global_halt")), "1")
    }).pipe(Effect.scoped),
  )

  it.live("changes nothing else that it cannot record", () =>
    Effect.gen(function* () {
      const { folder, redis } = yield* inRedis
      yield* write(folder, ".dandori", "no folder")
      const refused = yield* dandori(folder, "ops", "halt-pairs", pair, "--reason", "news")
      assert.isAbove(refused.code, 69)
      assert.match(refused.err, /^Nothing was changed, since it could not be recorded in the ledger: /)
      assert.strictEqual(yield* Effect.promise(() => redis.exists("core:ops:flags")), 0)
    }).pipe(Effect.scoped),
  )
})
