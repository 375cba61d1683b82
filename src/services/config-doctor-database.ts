/** What a PostgreSQL is, what this user may do there, and whether Dandori's tables are there. Changes nothing. */
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as Result from "effect/Result"
import type { SqlClient } from "effect/sql/SqlClient"
import type { SqlError } from "effect/sql/SqlError"
import type { DatabaseSection } from "../domain/config/database.ts"
import { bad, type Finding, ok } from "./config-finding.ts"
import * as Postgres from "./postgres.ts"
import { Secrets } from "./secrets.ts"

/** Tables that a program keeps in the database: `schemas` hold them, `version` is how many migrations it knows. */
export interface Component {
  readonly component: string
  readonly schemas: ReadonlyArray<string>
  readonly version: number
}

/** The oldest server whose functions are used (`pg_current_snapshot`). */
const oldest = 13
/** Milliseconds that this machine's clock may differ from the database's. */
const tolerance = 2_000

interface Server {
  readonly version: number
  readonly shown: string
  readonly read_only: string
  readonly millis: number
  readonly who: string
  readonly name: string
  readonly may_create: boolean
}

const serverOf = (sql: SqlClient) => sql<Server>`
  SELECT current_setting('server_version_num')::int AS version, current_setting('server_version') AS shown,
    current_setting('transaction_read_only') AS read_only,
    (extract(epoch FROM clock_timestamp()) * 1000)::float8 AS millis,
    current_user::text AS who, current_database()::text AS name,
    has_database_privilege(current_database(), 'CREATE') AS may_create`

/** Of these schemas those that are there, and whether this user may look into them and make tables there. */
const schemasOf = (sql: SqlClient, names: ReadonlyArray<string>) => sql<{
  readonly name: string
  readonly may_use: boolean
  readonly may_create: boolean
}>`
  SELECT nspname::text AS name, has_schema_privilege(oid, 'USAGE') AS may_use,
    has_schema_privilege(oid, 'CREATE') AS may_create
  FROM pg_namespace WHERE ${sql.in("nspname", names)}`

/** Tables of these schemas that this user may not read or may not add rows to. */
const closedOf = (sql: SqlClient, names: ReadonlyArray<string>) => sql<{ readonly name: string }>`
  SELECT nspname || '.' || relname AS name
  FROM pg_class JOIN pg_namespace ON pg_namespace.oid = relnamespace
  WHERE relkind IN ('r', 'p') AND ${sql.in("nspname", names)}
    AND NOT (has_table_privilege(pg_class.oid, 'SELECT') AND has_table_privilege(pg_class.oid, 'INSERT'))
  ORDER BY 1`

/** The versions of the components that are there; undefined where this user may not read them. */
const versionsOf = Effect.fnUntraced(function* (sql: SqlClient) {
  const [table] = yield* sql<{ readonly readable: boolean }>`
    SELECT has_schema_privilege(pg_namespace.oid, 'USAGE') AND has_table_privilege(pg_class.oid, 'SELECT') AS readable
    FROM pg_class JOIN pg_namespace ON pg_namespace.oid = relnamespace
    WHERE nspname = 'core' AND relname = 'schema_version'`
  if (table === undefined) return new Map<string, number>()
  if (!table.readable) return undefined
  const rows = yield* sql<{ readonly component: string; readonly version: number }>`
    SELECT component, max(version) AS version FROM core.schema_version GROUP BY component`
  return new Map(rows.map(({ component, version }) => [component, version]))
})

const wrong = (level: "missing" | "error", what: string, fix: string) => bad("database", level, `dsn: ${what}`, fix)

/** Whether the tables of a component are there, or can be made by whoever uses them first. */
const tablesOf = (
  { component, schemas, version }: Component,
  { may_create, name, who }: Server,
  there: Effect.Success<ReturnType<typeof schemasOf>>,
  versions: ReadonlyMap<string, number>,
): Finding => {
  const found = versions.get(component) ?? 0
  const tables = `the tables of ${component}`
  if (found > version) {
    return wrong("error", `${tables} have version ${found}, this program knows ${version}`, "use a newer dandori")
  }
  if (found === version) return ok("database", `dsn: ${tables} are up to date (version ${version})`)
  const state = found === 0 ? `${tables} are not there` : `${tables} have version ${found} of ${version}`
  const closed = there.find((schema) => schemas.includes(schema.name) && !schema.may_create)
  if (!may_create || closed !== undefined) {
    const where = may_create ? `SCHEMA "${closed?.name}"` : `DATABASE "${name}"`
    const what = `${state}, and ${who} may not make ${may_create ? `tables in ${closed?.name}` : `schemas in ${name}`}`
    return wrong("error", what, `have its owner say: GRANT CREATE ON ${where} TO "${who}"`)
  }
  return ok("database", `dsn: ${state}; they are made when they are first used`)
}

const clockOf = ({ millis }: Server, before: number, after: number): Finding => {
  const off = Math.max(before - millis, millis - after)
  if (off <= tolerance) return ok("database", "dsn: its clock and this machine's agree")
  const side = millis > after ? "behind" : "ahead of"
  const what = `the clock of this machine is ${(off / 1000).toFixed(1)} s ${side} the database's`
  return wrong("error", what, "set the clock; switch time synchronisation on (timedatectl set-ntp true)")
}

const ask = Effect.fnUntraced(function* (sql: SqlClient, components: ReadonlyArray<Component>) {
  const before = yield* Clock.currentTimeMillis
  const [server] = yield* serverOf(sql)
  const after = yield* Clock.currentTimeMillis
  const major = Math.floor(server.version / 10_000)
  const findings: Array<Finding> = [clockOf(server, before, after)]
  if (major < oldest) {
    const fix = `use PostgreSQL ${oldest} or newer`
    return { major, findings: [wrong("error", `the server is PostgreSQL ${server.shown}`, fix), ...findings] }
  }
  const takes = server.read_only === "off"
  findings.unshift(
    takes
      ? ok("database", `dsn: PostgreSQL ${server.shown} answers and takes writes`)
      : wrong(
          "error",
          "the server takes no writes (it is a standby, or read-only)",
          "write the primary's address into it",
        ),
  )
  const names = [...new Set(components.flatMap(({ schemas }) => schemas))]
  const there = yield* schemasOf(sql, names)
  const shut = there.filter(({ may_use }) => !may_use).map(({ name }) => `"${name}"`)
  const versions = yield* versionsOf(sql)
  if (shut.length > 0 || versions === undefined) {
    const what = `${server.who} may not use ${shut.length > 0 ? `the schemas ${shut.join(", ")}` : "core.schema_version"}`
    const schemas = shut.length > 0 ? shut.join(", ") : '"core"'
    const fix = `have their owner say: GRANT USAGE ON SCHEMA ${schemas} TO "${server.who}", and SELECT, INSERT, UPDATE on their tables`
    return { major, findings: [...findings, wrong("error", what, fix)] }
  }
  findings.push(...components.map((each) => tablesOf(each, server, there, versions)))
  const closed = (yield* closedOf(sql, names)).map(({ name }) => name)
  if (closed.length > 0) {
    const fix = `have their owner say: GRANT SELECT, INSERT, UPDATE ON ${closed.join(", ")} TO "${server.who}"`
    findings.push(wrong("error", `${server.who} may not read or add to ${closed.join(", ")}`, fix))
  }
  return { major, findings }
})

/** Whether the server may be there later: what is wrong is neither its address, nor who asks, nor how it is asked. */
const isAway = ({ reason }: SqlError): boolean => {
  const { code } = (reason.cause ?? {}) as { readonly code?: unknown }
  if (typeof code === "string" && /^(3D|08001)|TLS|SSL|CERT|SELF_SIGNED/.test(code)) return false
  return reason._tag === "ConnectionError" || reason._tag === "StatementTimeoutError"
}

/** Connects once, with one connection, and asks. `major` is the server's version, where it could be asked. */
export const look = Effect.fn("ConfigDoctor.database")(function* (
  section: DatabaseSection,
  components: ReadonlyArray<Component>,
) {
  const options = Postgres.optionsOf(section, yield* Secrets)
  const answer = yield* Postgres.open({ ...options, pool: { min: 0, max: 1 } }).pipe(
    Effect.flatMap((sql) => ask(sql, components)),
    Effect.scoped,
    Effect.result,
  )
  if (Result.isSuccess(answer)) return answer.success
  const fix = `mend that at the server, or correct what ${section.dsn} holds`
  const level = isAway(answer.failure) ? "unavailable" : "error"
  return { major: undefined, findings: [bad("database", level, `dsn: ${answer.failure.message}`, fix)] }
})
