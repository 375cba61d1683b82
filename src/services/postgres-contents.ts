import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import type { SqlClient } from "effect/sql/SqlClient"
import * as Stream from "effect/Stream"
import * as Sha256 from "../domain/sha256.ts"

/**
 * What a database holds, so that two can be compared: of each table the number of its rows and a digest, of each sequence
 * how far it is. The digest of a table is the SHA-256 over the hexadecimal SHA-256s of its rows as text, sorted, each with
 * a newline.
 */
export const Contents = Schema.Struct({
  tables: Schema.Array(Schema.Struct({ table: Schema.String, rows: Schema.Int, sha256: Sha256.Sha256 })),
  sequences: Schema.Array(Schema.Struct({ sequence: Schema.String, last: Schema.NullOr(Schema.Int) })),
}).annotate({ identifier: "DatabaseContents" })
export type Contents = typeof Contents.Type

/** Rows as text must not depend on who asks. */
const plainText = [
  "SET LOCAL statement_timeout = 0",
  "SET LOCAL datestyle = 'ISO, YMD'",
  "SET LOCAL intervalstyle = 'postgres'",
  "SET LOCAL timezone = 'UTC'",
  "SET LOCAL extra_float_digits = 1",
  "SET LOCAL bytea_output = 'hex'",
]

const own = `n.nspname !~ '^pg_' AND n.nspname <> 'information_schema'
  AND NOT EXISTS (SELECT FROM pg_depend d WHERE d.objid = c.oid AND d.classid = 'pg_class'::regclass AND d.deptype = 'e')`

interface Named {
  readonly schema: string
  readonly name: string
}

const relations = (sql: SqlClient, kind: "r" | "S") =>
  sql.unsafe<Named>(`SELECT n.nspname AS schema, c.relname AS name FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
    WHERE c.relkind = '${kind}' AND c.relpersistence <> 't' AND ${own} ORDER BY 1, 2`)

/** The number of tables that are nobody's but the user's: 0 of a new database. */
export const tablesOf = (sql: SqlClient) => Effect.map(relations(sql, "r"), (found) => found.length)

/** Reads all of it, in the transaction that it is called in. */
export const read = Effect.fn("PostgresContents.read")(function* (sql: SqlClient) {
  for (const setting of plainText) yield* sql.unsafe(setting)
  const tables = yield* Effect.forEach(yield* relations(sql, "r"), ({ name, schema }) =>
    Effect.gen(function* () {
      const hash = new Bun.CryptoHasher("sha256")
      let rows = 0
      const sums = sql<{ readonly sum: string }>`SELECT encode(sha256(convert_to(t::text, 'UTF8')), 'hex') AS sum
        FROM ${sql(schema)}.${sql(name)} AS t ORDER BY 1`
      yield* Stream.runForEach(sums.stream, ({ sum }) =>
        Effect.sync(() => {
          rows++
          hash.update(`${sum}\n`)
        }),
      )
      return { table: `${schema}.${name}`, rows, sha256: hash.digest("hex") as Sha256.Sha256 }
    }),
  )
  const sequences = yield* Effect.forEach(yield* relations(sql, "S"), ({ name, schema }) =>
    Effect.map(
      sql<{ readonly last: number | null }>`SELECT CASE WHEN is_called THEN last_value END AS last
        FROM ${sql(schema)}.${sql(name)}`,
      ([{ last }]) => ({ sequence: `${schema}.${name}`, last }),
    ),
  )
  return { tables, sequences }
})

/** What of the one is not as in the other, each difference named; none when they are equal. */
export const differences = (wanted: Contents, found: Contents): ReadonlyArray<string> => {
  const compare = <A extends object>(
    name: (one: A) => string,
    say: (one: A) => string,
    before: ReadonlyArray<A>,
    after: ReadonlyArray<A>,
  ) => {
    const there = new Map(after.map((one) => [name(one), one]))
    const known = new Set(before.map(name))
    return [
      ...before.flatMap((one) => {
        const other = there.get(name(one))
        if (other === undefined) return [`${name(one)} is missing`]
        return say(one) === say(other) ? [] : [`${name(one)} has ${say(other)}, not ${say(one)}`]
      }),
      ...after.filter((one) => !known.has(name(one))).map((one) => `${name(one)} was not there`),
    ]
  }
  return [
    ...compare(
      ({ table }) => table,
      ({ rows, sha256 }) => `${rows} rows with digest ${sha256.slice(0, 16)}…`,
      wanted.tables,
      found.tables,
    ),
    ...compare(
      ({ sequence }) => sequence,
      ({ last }) => `last value ${last}`,
      wanted.sequences,
      found.sequences,
    ),
  ]
}
