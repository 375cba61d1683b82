import * as Effect from "effect/Effect"
import { parseSize } from "../../src/domain/quantity.ts"
import { Attempt } from "../../src/services/attempt.ts"
import { Secrets } from "../../src/services/secrets.ts"
import { Settings } from "../../src/services/settings.ts"
import * as Connections from "./connections.ts"
import { type Connection, type Finding, PreflightFailed, type PreflightInput, type PreflightOutput } from "./schema.ts"
import * as Storage from "./storage.ts"
import { version } from "./version.ts"

const look = (connection: Connection) => {
  switch (connection) {
    case "database":
      return Connections.database
    case "messaging":
      return Connections.messaging
    case "storage":
      return Storage.storage
    default:
      return Connections.secretsOf(connection)
  }
}

/** What the configuration may use, in the order in which it is reported. */
export const connectionsOf = ({ connections }: PreflightInput): ReadonlyArray<Connection> => [
  ...new Set(connections ?? (["storage", "database", "messaging", "notifications", "exporters"] as const)),
]

/** Looks at everything, whatever is wrong with the rest, and fails with all that is missing or wrong. */
export const run = Effect.fn("preflight")(function* (input: PreflightInput) {
  const attempt = yield* Attempt
  const secrets = yield* Secrets
  const { env } = yield* Settings
  const bytes = input.freeBytes === undefined ? undefined : parseSize(input.freeBytes)
  const [connected, versions, space] = yield* Effect.all(
    [
      Effect.forEach(connectionsOf(input), look, { concurrency: "unbounded" }),
      input.version === undefined ? Effect.succeed([]) : version(input.version, input.digest),
      bytes === undefined ? Effect.succeed([]) : Storage.space(bytes),
    ],
    { concurrency: "unbounded" },
  )
  const findings = [...connected.flat(), ...versions, ...space].map((finding): Finding => ({
    ...finding,
    what: secrets.redact(finding.what),
    fix: secrets.redact(finding.fix),
  }))
  for (const { fix, level, section, what } of findings) {
    yield* attempt.log(
      `${level === "ok" ? "ok" : level.toUpperCase()} ${section}: ${what}${fix === "" ? "" : `; ${fix}`}`,
    )
  }
  const bad = findings.filter(({ level }) => level !== "ok" && level !== "warning")
  if (bad.length > 0) return yield* new PreflightFailed({ env, findings: bad })
  const output: PreflightOutput = { env, findings }
  return output
})
