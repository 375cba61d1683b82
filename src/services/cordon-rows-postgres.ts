import * as Effect from "effect/Effect"
import type { SqlClient } from "effect/sql/SqlClient"
import type { SqlError } from "effect/sql/SqlError"
import { type Cordon, fromText } from "../domain/cordon.ts"
import { migrate, type Migration, type SchemaTooNew } from "./sql-migrations.ts"

/** The table of cordons. A row stays when its cordon is lifted: so do those know who have that cordon as a file. */
export const migrations: ReadonlyArray<Migration> = [
  {
    name: "cordons",
    statements: [
      `CREATE TABLE core.cordons (
        epoch bigint PRIMARY KEY,
        id text NOT NULL,
        owner text NOT NULL,
        reason text NOT NULL,
        raised timestamptz(3) NOT NULL,
        scope jsonb,
        expires timestamptz(3),
        lifted timestamptz(3)
      )`,
      "CREATE UNIQUE INDEX cordons_standing ON core.cordons (id) WHERE lifted IS NULL",
      "CREATE INDEX cordons_id ON core.cordons (id)",
    ],
  },
]

/** What a look finds: cordons that stand, oldest first, and of some that were asked for, those that were lifted. */
export interface Look {
  readonly standing: ReadonlyArray<Cordon>
  readonly lifted: ReadonlyArray<Cordon>
}

/** A table without rows. */
export const none: Look = { standing: [], lifted: [] }

interface Row {
  readonly id: string
  readonly lifted: boolean
  readonly cordon: string
}

const millis = (column: string) => `round(extract(epoch FROM ${column}) * 1000)::float8`

/** Of each row the text that its file would have, so that it is read with the same care. */
const rowsOf = `SELECT id, lifted IS NOT NULL AS lifted, jsonb_strip_nulls(jsonb_build_object('id', id, 'epoch', epoch,
    'owner', owner, 'reason', reason, 'raised', ${millis("raised")}, 'scope', scope,
    'expires', ${millis("expires")}))::text AS cordon
  FROM core.cordons`

const lookOf = (rows: ReadonlyArray<Row>): Look => {
  const of = (wanted: boolean) =>
    rows.filter(({ lifted }) => lifted === wanted).map(({ cordon, id }) => fromText(id, cordon))
  return { standing: of(false), lifted: of(true) }
}

const time = (at: number | undefined) => (at === undefined ? null : new Date(at).toISOString())

/** The statements on the table of cordons, which is made when the first one is raised. */
export const make = (sql: SqlClient) => {
  let isThere = false
  const there = Effect.suspend(() =>
    isThere
      ? Effect.succeed(true)
      : Effect.map(
          sql<{ readonly found: boolean }>`SELECT to_regclass('core.cordons') IS NOT NULL AS found`,
          ([{ found }]) => (isThere = found),
        ),
  )
  const ofId = (id: string) => Effect.map(sql<Row>`${sql.literal(rowsOf)} WHERE id = ${id} ORDER BY epoch`, lookOf)

  return {
    /** Those that stand, and those of these ids that were lifted. Needs no right but to read. */
    look: Effect.fnUntraced(function* (ids: ReadonlyArray<string>) {
      if (!(yield* there)) return none
      const rows = yield* sql<Row>`${sql.literal(rowsOf)} WHERE lifted IS NULL
        OR id IN (SELECT jsonb_array_elements_text(${JSON.stringify(ids)}::jsonb)) ORDER BY epoch`
      return lookOf(rows)
    }),
    /** Adds the one that `choose` makes of what is there of this id; its epoch is at least its own, and the newest. */
    raise: <E>(
      id: string,
      choose: (found: Look) => Effect.Effect<Cordon, E>,
    ): Effect.Effect<Cordon, E | SqlError | SchemaTooNew> =>
      Effect.andThen(
        migrate(sql, "cordons", migrations),
        sql.withTransaction(
          Effect.gen(function* () {
            yield* sql`SELECT pg_advisory_xact_lock(hashtextextended('dandori cordons', 0))`
            const cordon = yield* choose(yield* ofId(id))
            const scope = cordon.scope === undefined ? null : JSON.stringify(cordon.scope)
            const [{ epoch }] = yield* sql<{ readonly epoch: number }>`
              INSERT INTO core.cordons (epoch, id, owner, reason, raised, scope, expires)
              SELECT greatest(${cordon.epoch}::bigint, coalesce(max(epoch), 0) + 1), ${id}::text, ${cordon.owner}::text,
                ${cordon.reason}::text, ${time(cordon.raised)}::timestamptz, ${scope}::jsonb,
                ${time(cordon.expires)}::timestamptz
              FROM core.cordons RETURNING epoch`
            return { ...cordon, epoch }
          }),
        ),
      ),
    /** Lifts the one of this id; undefined where none stands. */
    lift: Effect.fnUntraced(function* (id: string) {
      if (!(yield* there)) return undefined
      const { standing } = yield* ofId(id)
      const rows = yield* sql`UPDATE core.cordons SET lifted = clock_timestamp() WHERE id = ${id} AND lifted IS NULL
        RETURNING id`
      return rows.length === 0 ? undefined : standing[0]
    }),
  }
}

/** Cordons in a table of a database. */
export type CordonRows = ReturnType<typeof make>
