import type { SqlError } from "effect/sql/SqlError"
import * as Errors from "./postgres-errors.ts"

/** What a session is to be like. */
export interface Options {
  readonly applicationName: string
  /** Schemas in which names without one are looked up. */
  readonly searchPath: ReadonlyArray<string>
  readonly statementTimeoutMillis: number
}

/**
 * What a session is begun with, whatever server, database and user have by default. Of a process whose machine is gone
 * the server hears nothing: it ends its transaction, and then its session, so that its locks hold nobody up.
 */
export const settings = ({ applicationName, searchPath, statementTimeoutMillis }: Options) => ({
  application_name: applicationName,
  DateStyle: "ISO",
  TimeZone: "UTC",
  default_transaction_isolation: "read committed" as const,
  idle_in_transaction_session_timeout: statementTimeoutMillis,
  search_path: searchPath.map((name) => `"${name.replaceAll('"', '""')}"`).join(", "),
  statement_timeout: statementTimeoutMillis,
  tcp_keepalives_count: 3,
  tcp_keepalives_idle: 30,
  tcp_keepalives_interval: 10,
})

/** What a new session answers to `check`. */
type Answer = readonly [encoding: string, isOurs: boolean, commit: string]

/** Has a new session flush what it commits, where it is not to, and asks what it is like. */
export const check = (options: Options): string => `SELECT current_setting('server_encoding'),
  current_setting('statement_timeout')::interval = '${options.statementTimeoutMillis} milliseconds'::interval,
  CASE current_setting('synchronous_commit') WHEN 'off' THEN set_config('synchronous_commit', 'on', false) ELSE '' END`

/** Why a session cannot be used; undefined where it can. */
export const problem = (place: string, rows: ReadonlyArray<ReadonlyArray<unknown>>): SqlError | undefined => {
  const [encoding, isOurs] = rows[0] as unknown as Answer
  const refused = (why: string, code: string) =>
    Errors.failure("connect", place, Object.assign(new Error(why), { code }))
  if (!isOurs) return refused("a pooler on the way does not hand on what the session is begun with", Errors.pooled)
  if (encoding === "UTF8" || encoding === "SQL_ASCII") return undefined
  return refused(
    `the database's encoding is ${encoding}, which cannot hold every text; make it with ENCODING 'UTF8'`,
    "22021",
  )
}
