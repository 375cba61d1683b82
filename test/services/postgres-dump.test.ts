import * as Fs from "node:fs/promises"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { assert, describe, layer } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import type { DatabaseSection } from "../../src/domain/config/database.ts"
import * as Contents from "../../src/services/postgres-contents.ts"
import * as Dump from "../../src/services/postgres-dump.ts"
import * as Restore from "../../src/services/postgres-restore.ts"
import * as Postgres from "../../src/services/postgres.ts"
import * as Processes from "../../src/services/processes-local.ts"
import * as Secrets from "../../src/services/secrets.ts"
import * as Databases from "../support/servers/databases.ts"

const section: DatabaseSection = {
  backend: "postgres",
  dsn: "${env:DSN}",
  pool: { min: 0, max: 2 },
  timeout: "5s",
  statement_timeout: "30s",
  search_path: ["public"],
}

const folder = Effect.acquireRelease(
  Effect.promise(() => Fs.mkdtemp(join(tmpdir(), "postgres dump "))),
  (path) => Effect.promise(() => Fs.rm(path, { recursive: true })),
)

/** What a dump needs, of one database. */
const services = (url: string, home: string) =>
  Layer.merge(
    Secrets.layer({ project: home, environment: { DSN: url } }),
    Processes.layer({ folder: join(home, "processes") }),
  )

/** A database with what is easily lost: text, times, floats, empty tables, other schemas, sequences, triggers. */
const filled = Effect.gen(function* () {
  const url = yield* (yield* Databases.Databases).make
  const sql = yield* Postgres.open(Databases.options(url))
  const statements = [
    "CREATE SCHEMA core",
    "CREATE TABLE core.a (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, words text, at timestamptz, x double precision, raw bytea, j jsonb)",
    String.raw`INSERT INTO core.a (words, at, x, raw, j) SELECT 'zeile ' || n || E'\n\t日本', now(), n / 7.0, '\xff00', '{"b":1,"a":[null]}' FROM generate_series(1, 1000) n`,
    'CREATE TABLE public."odd name, "" and a quote" (x int)',
    `INSERT INTO public."odd name, "" and a quote" VALUES (1), (1), (NULL)`,
    "CREATE TABLE public.nothing (x int)",
    "CREATE VIEW core.seen AS SELECT count(*) FROM core.a",
  ]
  for (const statement of statements) yield* sql.unsafe(statement)
  return { url, sql }
})

const dumped = (url: string, during: Effect.Effect<unknown, unknown> = Effect.void) =>
  Effect.gen(function* () {
    const home = yield* folder
    const into = yield* folder
    const transaction = yield* Dump.atOneMoment(section, (moment) =>
      Effect.gen(function* () {
        yield* during
        yield* Dump.dump(section, moment, into)
        return moment.transaction
      }),
    ).pipe(Effect.provide(services(url, home)))
    return { home, into, transaction }
  })

describe("a dump of PostgreSQL", () => {
  layer(Databases.layer, { excludeTestServices: true })((it) => {
    it.effect("holds one moment, whatever is written meanwhile, and is restored equal into an empty database", () =>
      Effect.gen(function* () {
        const { sql, url } = yield* filled
        const { home, into, transaction } = yield* dumped(url, sql`INSERT INTO nothing VALUES (1)`)
        assert.match(transaction, /^\d+:\d+:/)
        const target = yield* (yield* Databases.Databases).make
        const restored = yield* Restore.intoConfigured(section, into).pipe(Effect.provide(services(target, home)))
        assert.deepStrictEqual(
          restored.tables.map(({ rows, table }) => [table, rows]),
          [
            ["core.a", 1000],
            ["public.nothing", 0],
            ['public.odd name, " and a quote', 3],
          ],
        )
        assert.deepStrictEqual(restored.sequences, [{ sequence: "core.a_id_seq", last: 1000 }])

        const again = yield* Restore.intoConfigured(section, into).pipe(Effect.provide(services(target, home)))
        assert.deepStrictEqual(again, restored)
      }),
    )

    it.effect("is proved in a database of its own, of which nothing is left", () =>
      Effect.gen(function* () {
        const { sql, url } = yield* filled
        const { home, into } = yield* dumped(url)
        yield* Restore.intoScratch(section, into).pipe(Effect.provide(services(url, home)))
        const left = yield* sql`SELECT datname FROM pg_database WHERE datname LIKE 'dandori_restore_%'`
        assert.deepStrictEqual(left, [])
      }),
    )

    it.effect("is not restored over other tables, which stay as they are", () =>
      Effect.gen(function* () {
        const { url } = yield* filled
        const { home, into } = yield* dumped(url)
        const target = yield* filled
        yield* target.sql`INSERT INTO nothing VALUES (7)`
        const refused = yield* Restore.intoConfigured(section, into).pipe(
          Effect.provide(services(target.url, home)),
          Effect.flip,
        )
        assert.strictEqual(refused._tag, "DatabaseNotEmpty")
        assert.deepStrictEqual(yield* target.sql`SELECT x FROM nothing`, [{ x: 7 }])
      }),
    )

    it.effect("that was cut is refused, and what it began is undone", () =>
      Effect.gen(function* () {
        const { url } = yield* filled
        const { home, into } = yield* dumped(url)
        const file = join(into, Dump.files.dump)
        yield* Effect.promise(async () => Fs.truncate(file, (await Fs.stat(file)).size - 5_000))
        const target = yield* (yield* Databases.Databases).make
        const refused = yield* Restore.intoConfigured(section, into).pipe(
          Effect.provide(services(target, home)),
          Effect.flip,
        )
        assert.strictEqual(refused._tag, "PostgresToolFailed")
        assert.strictEqual(yield* Contents.tablesOf(yield* Postgres.open(Databases.options(target))), 0)
      }),
    )

    it.effect("tells a changed value, a lost row, and a table too many by name", () =>
      Effect.gen(function* () {
        const { sql } = yield* filled
        const read = sql.withTransaction(Contents.read(sql))
        const before = yield* read
        yield* sql`UPDATE core.a SET x = x + 1e-9 WHERE id = 500`
        yield* sql`DELETE FROM ${sql('odd name, " and a quote')} WHERE x IS NULL`
        yield* sql`CREATE TABLE public.extra (x int)`
        const problems = Contents.differences(before, yield* read)
        assert.deepStrictEqual(
          problems.map((text) => text.replace(/ (has|was) .*/, "")),
          ["core.a", 'public.odd name, " and a quote', "public.extra"],
        )
      }),
    )

    it.effect("says which program of PostgreSQL's failed and why, and never the password", () =>
      Effect.gen(function* () {
        const { url } = yield* filled
        const { home, into } = yield* dumped(url)
        const wrong = new URL(url)
        wrong.port = "1"
        wrong.password = "planted-secret"
        const refused = yield* Restore.intoConfigured(section, into).pipe(
          Effect.provide(services(wrong.href, home)),
          Effect.flip,
        )
        assert.notInclude(`${refused.message} ${JSON.stringify(refused)}`, "planted-secret")
        assert.include(refused.message, ":1/")
      }),
    )
  })
})
