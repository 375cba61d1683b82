import * as Schema from "effect/Schema"
import * as CronSyntax from "../cron-syntax.ts"
import { Duration } from "../quantity.ts"
import { ClockTime, Count, Name, Natural, TimeZone } from "./measure.ts"

/** A pattern of times, as the Open Cron Pattern Specification 1.4 has it and a pipeline's schedule takes it. */
const CronPattern = Schema.String.check(
  Schema.makeFilter((pattern) => {
    if (CronSyntax.isEvent(pattern)) return "must be a cron pattern of times, like '@daily'"
    const problem = CronSyntax.problem(pattern)
    return problem === undefined || `must be a cron pattern: ${problem}`
  }),
)

/**
 * When things run. A named schedule: `cron` (OCPS 1.4) in `timezone`, `retries` after a failure, `retry_delay` apart,
 * paused after `stop_after_failures` failures in a row. `database_backup_window` is when backups may start.
 */
export const SchedulesSection = Schema.Struct({
  schedules: Schema.Record(
    Name,
    Schema.Struct({
      cron: CronPattern,
      timezone: TimeZone,
      retries: Natural,
      retry_delay: Duration,
      stop_after_failures: Count,
    }),
  ),
  database_backup_window: Schema.Struct({ from: ClockTime, to: ClockTime, timezone: TimeZone }),
})
export type SchedulesSection = typeof SchedulesSection.Type
