import * as SqlError from "effect/sql/SqlError"

/** What the driver and the server say of a failure. */
interface Said {
  readonly message: string
  /** SQLSTATE (https://www.postgresql.org/docs/current/errcodes-appendix.html), or a word of the driver or of the system. */
  readonly code: string
  readonly constraint: string
}

const said = (cause: unknown): Said => {
  const fields = (typeof cause === "object" && cause !== null ? cause : {}) as Record<string, unknown>
  const text = (name: string) => (typeof fields[name] === "string" ? (fields[name] as string) : "")
  const inner = Array.isArray(fields.errors) ? said(fields.errors[0]) : undefined
  return {
    message: text("message") || inner?.message || (cause instanceof Error ? cause.name : String(cause)),
    code: text("code") || (inner?.code ?? ""),
    constraint: text("constraint_name") || "unknown",
  }
}

const tooMany = "the server has no connection left; lower the pool's max or raise the server's max_connections"

/** The SQLSTATE of a protocol violation: what a pooler answers to what it does not know. */
export const pooled = "08P01"

/** The SQLSTATE of a server that takes no changes. */
export const readOnly = "25006"

/** What to do about it, by the beginning of its code. */
const advice: ReadonlyArray<readonly [code: string, what: string]> = [
  ["ECONNREFUSED", "start the server, or correct host and port in the dsn"],
  ["ENOENT", "no server has its socket there; start it, or correct folder and port in the dsn"],
  ["ENOTFOUND", "correct the host in the dsn"],
  ["EAI_AGAIN", "the name of the host could not be looked up; check the network, or correct the host in the dsn"],
  ["CONNECT_TIMEOUT", "the server does not answer; check that it runs and can be reached from here"],
  [
    pooled,
    "name the server itself in the dsn, or a pooler that keeps one session for each connection and hands on its settings",
  ],
  [readOnly, "the server takes no changes, as a standby; name the primary in the dsn"],
  ["28", "correct user and password in the dsn, or the server's pg_hba.conf"],
  ["3D000", "make the database, or correct its name in the dsn"],
  ["42501", "give this user the right to it"],
  ["53300", tooMany],
  ["53100", "the server's disk is full; free some space there"],
  ["57P03", "the server is starting or stopping; try again"],
]

const classes: ReadonlyArray<readonly [code: RegExp, make: (props: Props) => SqlError.SqlErrorReason]> = [
  [/^(08|25006|57P0[1-5]|53300|3D000)/, (props) => new SqlError.ConnectionError(props)],
  [/^28/, (props) => new SqlError.AuthenticationError(props)],
  [/^42501/, (props) => new SqlError.AuthorizationError(props)],
  [/^42/, (props) => new SqlError.SqlSyntaxError(props)],
  [/^23/, (props) => new SqlError.ConstraintError(props)],
  [/^40P01/, (props) => new SqlError.DeadlockError(props)],
  [/^40/, (props) => new SqlError.SerializationError(props)],
  [/^55P03/, (props) => new SqlError.LockTimeoutError(props)],
  [/^(57014|25P0[34])/, (props) => new SqlError.StatementTimeoutError(props)],
  [/^(CONN|E[A-Z_]+$|.*(TLS|SSL|CERT|SELF_SIGNED))/, (props) => new SqlError.ConnectionError(props)],
]

interface Props {
  readonly cause: unknown
  readonly message: string
  readonly operation: string
}

/**
 * A failure of PostgreSQL by its SQLSTATE, or of the connection to it. `place` names the database without its user and
 * password (`host:port/database`).
 */
export const failure = (operation: string, place: string, cause: unknown): SqlError.SqlError => {
  const { code, constraint, message } = said(cause)
  const known = advice.find(([prefix]) => code.startsWith(prefix))
  const props = {
    cause,
    operation,
    message: `${operation} at PostgreSQL ${place}: ${message}${known === undefined ? "" : `; ${known[1]}`}`,
  }
  if (code === "23505") return new SqlError.SqlError({ reason: new SqlError.UniqueViolation({ ...props, constraint }) })
  const found = classes.find(([pattern]) => pattern.test(code))
  return new SqlError.SqlError({ reason: found?.[1](props) ?? new SqlError.UnknownError(props) })
}

/** The connection to the database was lost, or cannot be trusted any more. */
export const lost = (operation: string, place: string, why: string): SqlError.SqlError =>
  failure(operation, place, Object.assign(new Error(why), { code: "CONNECTION_CLOSED" }))
