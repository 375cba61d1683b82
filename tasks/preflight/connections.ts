import * as Effect from "effect/Effect"
import * as Redacted from "effect/Redacted"
import * as Result from "effect/Result"
import { type RequiredSecret, requiredSecrets } from "../../src/domain/config/required-secrets.ts"
import { parseDuration } from "../../src/domain/quantity.ts"
import { ok } from "../../src/services/config-finding.ts"
import * as Postgres from "../../src/services/postgres.ts"
import * as RedisPing from "../../src/services/redis-ping.ts"
import { Secrets } from "../../src/services/secrets.ts"
import { Settings } from "../../src/services/settings.ts"
import type { Finding } from "./schema.ts"

/** A secret that the configuration needs, or the finding that it is missing. */
export const secretOf = ({ key, reference, section, use }: RequiredSecret) =>
  Effect.flatMap(Secrets, (secrets) => secrets.resolve(reference)).pipe(
    Effect.mapError(({ reason }): Finding => ({
      section,
      level: "missing",
      what: `${key}: ${reference} is not there: ${use}`,
      fix: reason,
    })),
  )

/** The secrets of a section that the configuration uses. */
const needed = (section: RequiredSecret["section"]) =>
  Effect.map(Settings, ({ sections }) => requiredSecrets(sections).filter((each) => each.section === section))

/** A session at the configured database, which has to take writes. */
export const database = Effect.gen(function* () {
  const section = (yield* Settings).sections.database
  const secrets = yield* Secrets
  const [dsn] = yield* needed("database")
  if (dsn === undefined) return [ok("database", "embedded: there is nothing to connect to")]
  yield* secretOf(dsn)
  const ask = Effect.gen(function* () {
    const sql = yield* Postgres.open({ ...Postgres.optionsOf(section, secrets), pool: { min: 0, max: 1 } })
    return yield* sql<{ readonly read_only: string }>`SELECT current_setting('transaction_read_only') AS read_only`
  })
  const answer = yield* Effect.result(Effect.scoped(ask))
  const wrong = (what: string, fix: string): Finding => ({ section: "database", level: "error", what, fix })
  if (Result.isFailure(answer)) {
    return [wrong(`dsn: ${answer.failure.message}`, `mend that at the server, or correct what ${dsn.reference} holds`)]
  }
  if (answer.success[0]?.read_only === "on") {
    return [
      wrong("dsn: the server takes no writes (it is a standby, or read-only)", "write the primary's address into it"),
    ]
  }
  return [ok("database", "dsn: the server answers and takes writes")]
}).pipe(Effect.catch((finding) => Effect.succeed([finding])))

/** A PING at the configured Redis. */
export const messaging = Effect.gen(function* () {
  const section = (yield* Settings).sections.messaging
  const [url] = yield* needed("messaging")
  if (url === undefined) return [ok("messaging", "embedded: there is nothing to connect to")]
  const value = yield* secretOf(url)
  const answer = yield* Effect.result(RedisPing.ping(value, parseDuration(section.subscribe_timeout) ?? 5_000))
  if (Result.isSuccess(answer)) return [ok("messaging", `url: ${answer.success} answers`)]
  const fix = `start the server, open the way to it, or correct what ${url.reference} holds`
  return [{ section: "messaging", level: "error", what: `url: ${answer.failure.message}`, fix } satisfies Finding]
}).pipe(Effect.catch((finding) => Effect.succeed([finding])))

/** That the secrets of a section are there: nothing is sent. */
export const secretsOf = (section: "notifications" | "exporters") =>
  Effect.flatMap(needed(section), (all) =>
    all.length === 0
      ? Effect.succeed([ok(section, "needs no secret")])
      : Effect.forEach(all, (each) =>
          Effect.match(secretOf(each), {
            onFailure: (finding) => finding,
            onSuccess: (): Finding => ok(section, `${each.key}: ${each.reference} is there`),
          }),
        ),
  )

/** The bucket's location, or the finding that nobody knows it. */
export const bucket = Effect.gen(function* () {
  const found = (yield* needed("storage"))[0]
  return found === undefined ? undefined : Redacted.value(yield* secretOf(found))
})
