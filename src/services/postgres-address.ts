import { readFileSync } from "node:fs"
import type { ConnectionOptions } from "node:tls"
import * as Effect from "effect/Effect"
import * as Redacted from "effect/Redacted"
import type { SqlError } from "effect/sql/SqlError"
import * as Errors from "./postgres-errors.ts"

/** Where a database is and who connects to it. */
export interface Address {
  /** `host:port/database`: what may be shown. */
  readonly place: string
  readonly host: string
  readonly port: number
  readonly database: string
  readonly user: string | undefined
  readonly password: string | undefined
  readonly tls: false | ConnectionOptions
  /** The same in libpq's words, for PostgreSQL's own programs. */
  readonly sslmode: string
  readonly sslrootcert: string | undefined
}

const modes = ["disable", "require", "verify-ca", "verify-full"]

/** As libpq's `sslmode`, but for `allow` and `prefer`, which anyone on the way may take away. */
const tlsOf = (mode: string, ca: string | null): false | ConnectionOptions => {
  if (mode === "disable") return false
  const root = ca === null || ca === "system" ? {} : { ca: readFileSync(ca) }
  if (mode === "require") return { ...root, rejectUnauthorized: false }
  return mode === "verify-ca"
    ? { ...root, rejectUnauthorized: true, checkServerIdentity: () => undefined }
    : { ...root, rejectUnauthorized: true }
}

/**
 * Reads `postgres://user:password@host:port/database?sslmode=…&sslrootcert=…` (libpq's words,
 * https://www.postgresql.org/docs/current/libpq-connect.html#LIBPQ-CONNSTRING). Without `sslmode` a server on this
 * machine is reached in plain, any other by `require`. Its text is in no message.
 */
export const parse = (url: Redacted.Redacted<string>): Effect.Effect<Address, SqlError> =>
  Effect.suspend(() => {
    const refused = (why: string) =>
      Effect.fail(Errors.failure("connect", "of the dsn", Object.assign(new Error(why), { code: "08001" })))
    const text = Redacted.value(url)
    if (!/^postgres(ql)?:\/\//.test(text) || !URL.canParse(text))
      return refused("the dsn is not postgres://user:password@host:5432/database")
    const { hostname, password, pathname, port, searchParams, username } = new URL(text)
    const known = new Set(["sslmode", "sslrootcert", "application_name", "connect_timeout"])
    const unknown = [...searchParams.keys()].find((name) => !known.has(name))
    if (unknown !== undefined) return refused(`the dsn has the parameter ${unknown}, which is not known; leave it out`)
    const host = decodeURIComponent(hostname).replace(/^\[(.*)\]$/, "$1") || "localhost"
    const mode = searchParams.get("sslmode") ?? (/^(localhost|127\..*|::1)$/.test(host) ? "disable" : "require")
    if (!modes.includes(mode)) return refused(`the dsn's sslmode is ${mode}; use ${modes.join(", ")}`)
    return Effect.try({
      try: () => {
        const database = decodeURIComponent(pathname.slice(1)) || decodeURIComponent(username) || "postgres"
        return {
          place: `${hostname || "localhost"}:${port || "5432"}/${database}`,
          host,
          port: Number(port || "5432"),
          database,
          user: decodeURIComponent(username) || undefined,
          password: decodeURIComponent(password) || undefined,
          tls: tlsOf(mode, searchParams.get("sslrootcert")),
          sslmode: mode,
          sslrootcert: searchParams.get("sslrootcert") ?? undefined,
        }
      },
      catch: (cause) =>
        Errors.failure(
          "connect",
          "of the dsn",
          cause instanceof URIError
            ? Object.assign(new Error("user, password or database of the dsn are not percent-encoded"), {
                code: "08001",
              })
            : cause,
        ),
    })
  })
