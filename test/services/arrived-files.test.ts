import { mkdtempSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { afterAll, assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as ManagedRuntime from "effect/ManagedRuntime"
import * as SqlClient from "effect/sql/SqlClient"
import type { ListedFile } from "../../src/domain/file-arrival.ts"
import * as ArrivedFilesSql from "../../src/services/arrived-files.ts"
import { ArrivedFiles } from "../../src/services/arrived-files.ts"
import * as Postgres from "../../src/services/postgres.ts"
import * as Sqlite from "../../src/services/sqlite.ts"
import * as Databases from "../support/servers/databases.ts"

const server = ManagedRuntime.make(Databases.layer)
afterAll(() => server.dispose())

const inSqlite = Layer.suspend(() =>
  Sqlite.layer({ path: join(mkdtempSync(join(tmpdir(), "dandori-arrived-")), "state.db") }),
)
const inPostgres = Layer.effect(
  SqlClient.SqlClient,
  Effect.gen(function* () {
    const { make } = yield* Effect.promise(() => server.runPromise(Databases.Databases))
    return yield* Postgres.open(Databases.options(yield* make))
  }),
)

/** The same on both databases, each time a new one. */
const test = <A, E>(name: string, body: Effect.Effect<A, E, ArrivedFiles | SqlClient.SqlClient>) => {
  const on = (database: typeof inSqlite) => () =>
    Effect.provide(body, Layer.provideMerge(ArrivedFilesSql.layer, database))
  it.effect(`${name} (SQLite)`, on(inSqlite))
  it.effect(`${name} (PostgreSQL)`, on(inPostgres))
}

const listed = (path: string, size = 1): ListedFile => ({
  path,
  size,
  modified: "1764270000123456789",
  changed: "-5",
  inode: "18446744073709551615",
})

const sorted = (files: ReadonlyArray<ListedFile> | undefined) => files?.toSorted((a, b) => (a.path < b.path ? -1 : 1))

describe("files that have arrived", () => {
  test(
    "are none of a watch that nobody has begun, and what was there of one that was",
    Effect.gen(function* () {
      const arrived = yield* ArrivedFiles
      assert.isUndefined(yield* arrived.of("w"))
      yield* arrived.begin("w", [])
      assert.deepStrictEqual(yield* arrived.of("w"), [])
      yield* arrived.begin("v", [listed("a b.csv"), listed("段/'c.csv", 2 ** 45)])
      assert.deepStrictEqual(sorted(yield* arrived.of("v")), [listed("a b.csv"), listed("段/'c.csv", 2 ** 45)])
      yield* arrived.begin("v", [listed("late.csv")])
      assert.lengthOf((yield* arrived.of("v")) ?? [], 2)
    }),
  )

  test(
    "are remembered as they were last, each once, until they are forgotten",
    Effect.gen(function* () {
      const arrived = yield* ArrivedFiles
      yield* arrived.begin("w", [listed("a")])
      yield* arrived.begin("v", [listed("a")])
      yield* arrived.take("w", listed("b"))
      yield* arrived.take("w", listed("a", 2))
      yield* arrived.take("w", listed("a", 3))
      assert.deepStrictEqual(sorted(yield* arrived.of("w")), [listed("a", 3), listed("b")])
      yield* arrived.forget("w", ["a", "none"])
      assert.deepStrictEqual(yield* arrived.of("w"), [listed("b")])
      assert.deepStrictEqual(yield* arrived.of("v"), [listed("a")])
      yield* arrived.forget("w", [])
    }),
  )

  test(
    "may be very many",
    Effect.gen(function* () {
      const arrived = yield* ArrivedFiles
      const many = Array.from({ length: 12_345 }, (_, i) => listed(`f${i}`))
      yield* arrived.begin("w", many)
      assert.lengthOf((yield* arrived.of("w")) ?? [], 12_345)
      yield* arrived.forget(
        "w",
        many.slice(1).map(({ path }) => path),
      )
      assert.deepStrictEqual(yield* arrived.of("w"), [listed("f0")])
    }),
  )

  test(
    "are told to be out of reach where they are",
    Effect.gen(function* () {
      const arrived = yield* ArrivedFiles
      const sql = yield* SqlClient.SqlClient
      yield* arrived.begin("w", [])
      yield* sql`ALTER TABLE arrived_files RENAME TO taken_away`
      for (const all of [arrived.of("w"), arrived.take("w", listed("a")), arrived.begin("v", [listed("a")])]) {
        assert.match(
          (yield* Effect.flip<unknown, { readonly message: string }, never>(all)).message,
          /so none is taken: /,
        )
      }
    }),
  )
})
