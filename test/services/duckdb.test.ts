import * as Fs from "node:fs/promises"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { assert, describe, layer } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Sha256 from "../../src/domain/sha256.ts"
import { DuckDb, type WritableColumn } from "../../src/services/duckdb.ts"
import * as Embedded from "../../src/services/duckdb-embedded.ts"

const folder = Effect.acquireRelease(
  Effect.promise(() => Fs.mkdtemp(join(tmpdir(), "dandori-duckdb-"))),
  (path) => Effect.promise(() => Fs.rm(path, { recursive: true, force: true })),
)
const bytes = (path: string) => Effect.promise(() => Fs.readFile(path))
const columns = (rows: number): ReadonlyArray<WritableColumn> => [
  {
    name: "timestamp",
    type: "timestamp",
    values: Float64Array.from({ length: rows }, (_, i) => (i === 3 ? Number.NaN : 1_735_689_600_000 + i * 3_600_000)),
  },
  {
    name: "close",
    type: "double",
    values: Float64Array.from({ length: rows }, (_, i) => (i === 2 ? Number.NaN : 1 + i / 7)),
  },
  { name: "volume", type: "double", values: Array.from({ length: rows }, (_, i) => (i === 1 ? null : i)) },
  { name: "count", type: "integer", values: Float64Array.from({ length: rows }, (_, i) => i * 1_000_000_007) },
  { name: "label", type: "text", values: Array.from({ length: rows }, (_, i) => (i === 0 ? null : `row "${i}"`)) },
]

describe("DuckDb", () => {
  layer(Embedded.layer)((it) => {
    it.effect("gives back the columns that it wrote to Parquet", () =>
      Effect.gen(function* () {
        const duckdb = yield* DuckDb
        const path = join(yield* folder, "a.parquet")
        yield* duckdb.writeParquet(path, columns(5000))
        const read = yield* duckdb.readColumns([path])
        assert.deepStrictEqual(Object.keys(read), ["timestamp", "close", "volume", "count", "label"])
        for (const { name, values } of columns(5000)) {
          const expected =
            name === "volume" ? Float64Array.from({ length: 5000 }, (_, i) => (i === 1 ? Number.NaN : i)) : values
          assert.deepStrictEqual(read[name], expected)
        }
      }),
    )

    it.effect("writes the same bytes for the same columns and leaves no other file", () =>
      Effect.gen(function* () {
        const duckdb = yield* DuckDb
        const root = yield* folder
        yield* duckdb.writeParquet(join(root, "a.parquet"), columns(3000))
        yield* duckdb.writeParquet(join(root, "b.parquet"), columns(3000))
        assert.strictEqual(
          Sha256.of(yield* bytes(join(root, "a.parquet"))),
          Sha256.of(yield* bytes(join(root, "b.parquet"))),
        )
        assert.deepStrictEqual((yield* Effect.promise(() => Fs.readdir(root))).sort(), ["a.parquet", "b.parquet"])
      }),
    )

    it.effect("keeps the file that is there when the columns cannot be written", () =>
      Effect.gen(function* () {
        const duckdb = yield* DuckDb
        const root = yield* folder
        const path = join(root, "a.parquet")
        yield* Effect.promise(() => Fs.writeFile(path, "before"))
        const error = yield* Effect.flip(
          duckdb.writeParquet(path, [...columns(3), { name: "short", type: "double", values: new Float64Array(2) }]),
        )
        assert.include(error.message, "the column short has 2 values")
        assert.strictEqual((yield* bytes(path)).toString(), "before")
        assert.deepStrictEqual(yield* Effect.promise(() => Fs.readdir(root)), ["a.parquet"])
      }),
    )

    it.effect("reads several files in the order in which they are named, and only the columns that are asked for", () =>
      Effect.gen(function* () {
        const duckdb = yield* DuckDb
        const root = yield* folder
        const write = (name: string, value: number) =>
          duckdb.writeParquet(join(root, name), [
            { name: "x", type: "double", values: Float64Array.of(value, value + 1) },
            { name: "y", type: "double", values: Float64Array.of(0, 0) },
          ])
        yield* write("z.parquet", 1)
        yield* write("a.parquet", 3)
        const read = yield* duckdb.readColumns([join(root, "z.parquet"), join(root, "a.parquet")], ["x"])
        assert.deepStrictEqual(read, { x: Float64Array.of(1, 2, 3, 4) })
      }),
    )

    it.effect("reads the allowed file and nothing else, and cannot be unlocked", () =>
      Effect.gen(function* () {
        const root = yield* folder
        yield* Effect.promise(() => Fs.writeFile(join(root, "in.csv"), "a,b\n1,x\n"))
        yield* Effect.promise(() => Fs.writeFile(join(root, "out.csv"), "a,b\n2,y\n"))
        const database = yield* (yield* DuckDb).open({ paths: [join(root, "in.csv")] })
        assert.deepStrictEqual(yield* database.rows(`SELECT * FROM read_csv('${root}/in.csv')`), [{ a: 1, b: "x" }])
        for (const sql of [
          `SELECT * FROM read_csv('${root}/out.csv')`,
          `COPY (SELECT 1) TO '${root}/new.csv'`,
          `ATTACH '${root}/new.db'`,
          "INSTALL httpfs",
          "SET enable_external_access = true",
          "SET threads = 4",
        ]) {
          const error = yield* Effect.flip(database.run(sql))
          assert.match(error.message, /disabled by configuration|has been locked|Cannot (enable|change)/, sql)
        }
      }),
    )

    it.effect("takes a time without a zone as UTC, whatever the machine's zone is", () =>
      Effect.gen(function* () {
        const database = yield* (yield* DuckDb).open({})
        const read = yield* database.columns(
          "SELECT CAST('2025-01-01T00:00:00' AS TIMESTAMPTZ) AS a, TIMESTAMP '2025-01-01 00:00:00.5' AS b, DATE '1969-12-31' AS c, true AS d, 1.5::DECIMAL(4,2) AS e",
        )
        const midnight = Date.UTC(2025, 0, 1)
        assert.deepStrictEqual(read, {
          a: Float64Array.of(midnight),
          b: Float64Array.of(midnight + 500),
          c: Float64Array.of(-86_400_000),
          d: Float64Array.of(1),
          e: Float64Array.of(1.5),
        })
      }),
    )

    it.effect("keeps the order of a sorted query, binds parameters, and says what is wrong with a statement", () =>
      Effect.gen(function* () {
        const database = yield* (yield* DuckDb).open({})
        const read = yield* database.columns("SELECT (i * 7) % 10007 AS x FROM range(9000) t(i) ORDER BY x DESC")
        assert.isTrue((read["x"] as Float64Array).every((value, i, all) => i === 0 || all[i - 1] > value))
        assert.deepStrictEqual(yield* database.rows("SELECT ? || '!' AS a, ?::BIGINT AS b", ["it's", 3]), [
          { a: "it's!", b: 3 },
        ])
        assert.include((yield* Effect.flip(database.rows("SELEC 1"))).message, "syntax error")
      }),
    )
  })
})
