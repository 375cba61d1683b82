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
 * How long things are kept, in days, months or years as each key says. Holds and write-once rules are stronger.
 *
 * - `raw_days`, `canonical_months`, `features_months`, `adopted_snapshots_months`: what lies below `raw_root` (where there is
 *   one), `canonical_root`, `features_root` and `snapshots_root`, since it was put last, a month of canonical bars at least
 *   since its end; bytes that a run which is there, a receipt or a model names stay.
 * - `models_months`, `models_min_versions`: the files of model versions; of each slot so many versions stay, however old.
 * - `signals_months`: signals of the registry that were delivered. `logs_days`: other messages that were.
 * - `reports_months`: runs that made a report go by `runs`, but not sooner than so long after their end.
 * - `audit_years`: write-once records, what testifies to them, and messages that were refused and acknowledged by nobody.
 * - `deletion_grace_days`: between being found due and being removed, of data, models and artifacts.
 * - `runs`: the records of runs.
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
