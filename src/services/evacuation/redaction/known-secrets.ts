import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Redacted from "effect/Redacted"
import * as SecretReference from "../../../domain/config/secret-reference.ts"
import { Secrets } from "../../secrets.ts"
import { Settings } from "../../settings.ts"

const referencesIn = (value: unknown): ReadonlyArray<string> => {
  if (typeof value === "string") return SecretReference.parse(value) === undefined ? [] : [value]
  return typeof value === "object" && value !== null ? Object.values(value).flatMap(referencesIn) : []
}

/**
 * The secrets that the configuration refers to, as they are now, for a Redactor; addresses of buckets are none. Those that
 * are not there are left out.
 */
export const read: Effect.Effect<ReadonlyArray<string>, never, Secrets | Settings> = Effect.gen(function* () {
  const secrets = yield* Secrets
  const { sections } = yield* Settings
  const found = yield* Effect.forEach(new Set(referencesIn(sections)), (reference) =>
    Effect.option(secrets.resolve(reference)),
  )
  const values = found.flatMap(Option.toArray).map(Redacted.value)
  return [...new Set(values)].filter((value) => secrets.redact(value) !== value)
})
