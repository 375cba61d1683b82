import { assert, describe, layer } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Postgres from "../../src/services/postgres.ts"
import { migrate } from "../../src/services/sql-migrations.ts"
import * as Databases from "../support/servers/databases.ts"

const migrations = [
  { name: "one", statements: ["CREATE TABLE core.one (a integer)"] },
  { name: "two", statements: ["CREATE TABLE core.two (a integer)", "INSERT INTO core.two VALUES (1)"] },
]

describe("migrations in PostgreSQL", () => {
  layer(Databases.layer, { excludeTestServices: true })((test) => {
    const withDatabase = <A, E, R>(use: (url: string) => Effect.Effect<A, E, R>) =>
      Effect.scoped(
        Effect.flatMap(
          Effect.flatMap(Databases.Databases, ({ make }) => make),
          use,
        ),
      )
    const process = (url: string) => Postgres.open({ ...Databases.options(url), pool: { min: 0, max: 1 } })

    test.effect("run once when ten processes begin at once, on each step", () =>
      withDatabase((url) =>
        Effect.gen(function* () {
          const processes = yield* Effect.all(Array.from({ length: 10 }, () => process(url)))
          for (const known of [1, 2]) {
            yield* Effect.forEach(processes, (sql) => migrate(sql, "x", migrations.slice(0, known)), {
              concurrency: "unbounded",
            })
          }
          const [sql] = processes
          assert.deepStrictEqual(yield* sql`SELECT count(*) FROM core.two`.values, [[1]])
          assert.deepStrictEqual(yield* sql`SELECT version, name FROM core.schema_version ORDER BY version`.values, [
            [1, "one"],
            [2, "two"],
          ])
        }),
      ),
    )

    test.effect(
      "leave nothing of a step that fails, and say of tables that are too new that they are, to whoever reads",
      () =>
        withDatabase((url) =>
          Effect.gen(function* () {
            const sql = yield* process(url)
            const wrong = [
              ...migrations,
              { name: "wrong", statements: ["CREATE TABLE core.three (a integer)", "wrong"] },
            ]
            yield* Effect.flip(migrate(sql, "x", wrong))
            assert.deepStrictEqual(
              yield* sql`SELECT to_regclass('core.one')::text, to_regclass('core.three')::text`.values,
              [[null, null]],
            )
            yield* migrate(sql, "x", migrations)
            const role = `reader_${crypto.randomUUID().slice(0, 8)}`
            yield* Effect.acquireRelease(sql`CREATE ROLE ${sql(role)} LOGIN`, () =>
              Effect.orDie(Effect.andThen(sql`DROP OWNED BY ${sql(role)}`, sql`DROP ROLE ${sql(role)}`)),
            )
            yield* sql`GRANT USAGE ON SCHEMA core TO ${sql(role)}`
            yield* sql`GRANT SELECT ON core.schema_version TO ${sql(role)}`
            const limited = new URL(url)
            limited.username = role
            const old = yield* Effect.flip(migrate(yield* process(limited.href), "x", migrations.slice(0, 1)))
            assert.match(old.message, /tables of x have version 2, this program knows 1; use a newer dandori/)
          }),
        ),
    )
  })
})
