import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import { Duration } from "../quantity.ts"
import { Count, Natural } from "./measure.ts"

/**
 * How long the records of runs that have ended are kept: `succeeded` ones, and all `others`. The newest `at_least` of each
 * pipeline stay, however old.
 */
export const RunRetention = Schema.Struct({ succeeded: Duration, others: Duration, at_least: Natural })
export type RunRetention = typeof RunRetention.Type

/** What a configuration without it says. */
export const usualRuns: RunRetention = { succeeded: "730d", others: "1095d", at_least: 100 }

/**
 * How long things are kept, in days, months or years as each key says. Of models at least `models_min_versions` stay,
 * however old. What is due is deleted `deletion_grace_days` later. Holds and write-once rules are stronger.
 */
export const RetentionSection = Schema.Struct({
  raw_days: Count,
  canonical_months: Count,
  features_months: Count,
  adopted_snapshots_months: Count,
  models_months: Count,
  models_min_versions: Natural,
  signals_months: Count,
  reports_months: Count,
  logs_days: Count,
  audit_years: Count,
  deletion_grace_days: Natural,
  runs: RunRetention.pipe(Schema.withDecodingDefaultKey(Effect.succeed(usualRuns))),
})
export type RetentionSection = typeof RetentionSection.Type
