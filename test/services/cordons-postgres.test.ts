import * as Fs from "node:fs/promises"
import { join } from "node:path"
import { assert, describe, it, layer } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Schedule from "effect/Schedule"
import * as Postgres from "../../src/services/postgres.ts"
import * as CordonPlace from "../support/cordon-place.ts"
import * as CutProxy from "../support/cut-proxy.ts"
import * as Databases from "../support/servers/databases.ts"
import * as Servers from "../support/servers/scoped.ts"

const given = { id: "ir-1", owner: "ada", reason: "fire" }
const database = Effect.flatMap(Databases.Databases, ({ make }) => make)
const nightly = { pipeline: "nightly" }

/** Two homes on one database. */
const pair = Effect.gen(function* () {
  const url = yield* database
  return { url, one: yield* CordonPlace.sharing(url), two: yield* CordonPlace.sharing(url) }
})

/** Looks again and again until it is found, or until nothing is. */
const until = ({ cordons }: CordonPlace.Place, found: boolean) =>
  Effect.repeat(cordons.against(nightly), {
    schedule: Schedule.spaced(20),
    until: (seen) => Option.isSome(seen) === found,
  })

const namesIn = ({ folder }: CordonPlace.Place) =>
  Effect.promise(() => Fs.readdir(folder).catch((): Array<string> => []))

/** A database that can be stopped and started again. */
const stoppable = Effect.gen(function* () {
  const server = yield* Servers.ownPostgres()
  const stop = Effect.promise(() => server.stop("SIGINT"))
  const start = Effect.acquireRelease(
    Effect.promise(() => server.again()),
    (back) => Effect.promise(() => back.stop("SIGINT")),
  )
  return { url: server.url, stop, start }
})

layer(Databases.layer, { excludeTestServices: true })("cordons of two homes on one PostgreSQL", (test) => {
  test.effect("hold at both, with the file at the home where they are raised", () =>
    Effect.gen(function* () {
      const { one, two } = yield* pair
      assert.deepStrictEqual(yield* two.cordons.against(nightly), Option.none())
      const raised = yield* one.cordons.raise(given)
      assert.deepStrictEqual(yield* until(two, true), Option.some(raised))
      assert.deepStrictEqual(yield* Effect.forEach([one, two], namesIn), [["ir-1.json"], []])
      yield* one.cordons.lift("ir-1")
      assert.deepStrictEqual(yield* until(two, false), Option.none())
      assert.deepStrictEqual(yield* namesIn(one), [])
    }),
  )

  test.effect("are lifted for both where either lifts them, and the file at the other says nothing any more", () =>
    Effect.gen(function* () {
      const { one, two } = yield* pair
      const raised = yield* one.cordons.raise(given)
      assert.deepStrictEqual(yield* two.cordons.lift("ir-1"), raised)
      assert.deepStrictEqual(yield* until(one, false), Option.none())
      assert.deepStrictEqual(yield* one.cordons.list, [])
      assert.deepStrictEqual(yield* namesIn(one), ["ir-1.json"])
      const again = yield* one.cordons.raise({ ...given, reason: "flood" })
      assert.strictEqual(again.epoch, 2)
      assert.deepStrictEqual(yield* Effect.all([one.cordons.list, two.cordons.list]), [[again], [again]])
    }),
  )

  test.effect("have one name for both, and epochs that grow over both", () =>
    Effect.gen(function* () {
      const { one, two } = yield* pair
      yield* one.cordons.raise(given)
      const taken = yield* Effect.flip(two.cordons.raise(given))
      assert.deepInclude(taken, { _tag: "CordonTaken", epoch: 1 })
      assert.deepStrictEqual(yield* namesIn(two), [])
      const [b, c, d] = yield* Effect.all(
        [
          two.cordons.raise({ ...given, id: "ir-2" }),
          one.cordons.raise({ ...given, id: "ir-3" }),
          two.cordons.raise({ ...given, id: "ir-4" }),
        ],
        { concurrency: "unbounded" },
      )
      assert.deepStrictEqual([b.epoch, c.epoch, d.epoch].toSorted(), [2, 3, 4])
      for (const { cordons, folder } of [one, two]) {
        for (const cordon of yield* cordons.list) {
          const file = join(folder, `${cordon.id}.json`)
          const text = yield* Effect.promise(() => Fs.readFile(file, "utf8").catch(() => undefined))
          if (text !== undefined) assert.deepStrictEqual(JSON.parse(text), cordon)
        }
      }
    }),
  )

  test.effect("with a row that is none count as raised for everything, and are lifted by its id", () =>
    Effect.gen(function* () {
      const { one, two, url } = yield* pair
      yield* one.cordons.raise(given)
      yield* one.cordons.lift("ir-1")
      const sql = yield* Postgres.open(Databases.options(url))
      for (const [column, value] of [
        ["scope", `'["No Pipeline"]'`],
        ["scope", "'{}'"],
        ["expires", "'infinity'"],
        ["raised", "'-infinity'"],
      ]) {
        yield* sql`INSERT INTO core.cordons (epoch, id, owner, reason, raised) VALUES (100, 'odd', 'x', 'y', now())
          ON CONFLICT (epoch) DO UPDATE SET lifted = NULL, scope = NULL, expires = NULL, raised = now()`
        yield* sql.unsafe(`UPDATE core.cordons SET ${column} = ${value} WHERE epoch = 100`)
        const found = Option.getOrThrow(yield* until(two, true))
        assert.strictEqual(found.id, "odd", value)
        assert.match(found.reason, /cannot be read, which counts as raised/)
        yield* two.cordons.lift("odd")
        yield* until(two, false)
      }
    }),
  )

  test.effect("make no table where somebody only looks, and are seen by who may only read", () =>
    Effect.gen(function* () {
      const { one, two, url } = yield* pair
      const sql = yield* Postgres.open(Databases.options(url))
      const there = sql<{ readonly found: boolean }>`SELECT to_regclass('core.cordons') IS NOT NULL AS found`
      yield* two.cordons.list
      assert.strictEqual((yield* Effect.flip(two.cordons.lift("ir-1")))._tag, "CordonMissing")
      assert.deepStrictEqual(yield* there, [{ found: false }])
      const raised = yield* one.cordons.raise(given)
      const user = `reader_${crypto.randomUUID().replaceAll("-", "")}`
      yield* Effect.acquireRelease(sql`CREATE ROLE ${sql(user)} LOGIN`, () =>
        Effect.orDie(Effect.andThen(sql`DROP OWNED BY ${sql(user)}`, sql`DROP ROLE ${sql(user)}`)),
      )
      const reader = new URL(url)
      reader.username = user
      const three = yield* CordonPlace.sharing(reader.href)
      const shut = Option.getOrThrow(yield* three.cordons.against(nightly))
      assert.match(shut.reason, /in PostgreSQL cannot be read, which counts as raised: .*permission denied/)
      yield* sql`GRANT USAGE ON SCHEMA core TO ${sql(user)}`
      yield* sql`GRANT SELECT ON core.cordons TO ${sql(user)}`
      assert.deepStrictEqual(yield* three.cordons.list, [raised])
    }),
  )
})

describe("cordons whose PostgreSQL is away", () => {
  it.live("are raised by the file, hold everything but repairs, and come to the database when raised again", () =>
    Effect.gen(function* () {
      const { start, stop, url } = yield* stoppable
      const [one, two] = yield* Effect.all([CordonPlace.sharing(url), CordonPlace.sharing(url)])
      yield* one.cordons.list
      yield* stop
      const { degraded, ...raised } = yield* one.cordons.raise(given)
      assert.match(String(degraded), /start the server, or correct host and port in the dsn; on other machines/)
      assert.deepStrictEqual(yield* one.cordons.against(nightly), Option.some(raised))
      const seen = Option.getOrThrow(yield* two.cordons.against(nightly))
      assert.match(seen.reason, /raised in PostgreSQL cannot be read, which counts as raised: connect at PostgreSQL/)
      for (const starter of [{ pipeline: "rollback" }, { ...nightly, incident: "ir-1" }]) {
        assert.deepStrictEqual(yield* one.cordons.against(starter), Option.none())
      }
      assert.isTrue(Option.isSome(yield* one.cordons.against({ ...nightly, incident: "ir-2" })))
      assert.isTrue(Option.isSome(yield* two.cordons.against({ ...nightly, incident: "ir-1" })))
      const taken = yield* Effect.flip(one.cordons.raise(given))
      assert.match(String(taken._tag === "CordonTaken" ? taken.unseen : ""), /start the server/)

      yield* start
      assert.deepStrictEqual(yield* until(two, false), Option.none())
      assert.deepStrictEqual(yield* one.cordons.raise({ ...given, reason: "another" }), raised)
      assert.deepStrictEqual(yield* until(two, true), Option.some(raised))
      assert.deepStrictEqual(yield* one.cordons.list, [raised])
    }),
  )

  it.live("are said to stand still when they are lifted, and are gone when that is done again", () =>
    Effect.gen(function* () {
      const { start, stop, url } = yield* stoppable
      const one = yield* CordonPlace.sharing(url)
      yield* one.cordons.raise(given)
      yield* stop
      const error = yield* Effect.flip(one.cordons.lift("ir-1"))
      assert.strictEqual(error._tag, "CordonFailed")
      assert.match(
        error.message,
        /The cordon ir-1 may still stand: .*start the server.*Lift it again when that is mended/,
      )
      assert.isTrue(Option.isSome(yield* one.cordons.against(nightly)))
      yield* start
      assert.strictEqual((yield* one.cordons.lift("ir-1")).id, "ir-1")
      assert.deepStrictEqual(yield* until(one, false), Option.none())
      assert.deepStrictEqual(yield* one.cordons.list, [])
    }),
  )

  it.live(
    "are raised nowhere, which is said, where the folder takes no file either; where it alone fails the row will do",
    () =>
      Effect.gen(function* () {
        const { stop, url } = yield* stoppable
        const [one, two] = yield* Effect.all([CordonPlace.sharing(url), CordonPlace.sharing(url)])
        yield* Effect.promise(() => Fs.writeFile(one.folder, "in the way"))
        const { degraded, ...raised } = yield* one.cordons.raise(given)
        assert.match(String(degraded), /cordons/)
        assert.deepStrictEqual(yield* until(two, true), Option.some(raised))
        yield* stop
        const error = yield* Effect.flip(one.cordons.raise({ ...given, id: "ir-2" }))
        assert.strictEqual(error._tag, "CordonFailed")
        assert.match(error.message, /The cordon ir-2 could be raised nowhere: .*cordons.*start the server/)
      }),
  )

  it.live("hold when it falls silent, and a raise gives it up after the configured time", () =>
    Effect.gen(function* () {
      const url = new URL((yield* Servers.ownPostgres()).url)
      const proxy = yield* CutProxy.make(Number(url.port))
      url.port = String(proxy.port)
      const one = yield* CordonPlace.sharing(url.href, 1_000)
      const two = yield* CordonPlace.sharing(url.href, 1_000)
      yield* two.cordons.raise(given)
      yield* two.cordons.lift("ir-1")
      assert.deepStrictEqual(yield* until(one, false), Option.none())
      proxy.cutAt("[]", "silence")
      const silent = Option.getOrThrow(yield* until(one, true))
      assert.match(silent.reason, /PostgreSQL (has not answered for|did not answer within) 1000 ms/)
      proxy.cutAt("BEGIN", "silence")
      const { degraded } = yield* two.cordons.raise(given)
      assert.match(String(degraded), /did not answer within 1000 ms/)
      assert.deepStrictEqual(yield* namesIn(two), ["ir-1.json"])
    }),
  )
})
