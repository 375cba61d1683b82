import * as Schema from "effect/Schema"
import { Count, Natural } from "./measure.ts"

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
})
export type RetentionSection = typeof RetentionSection.Type
