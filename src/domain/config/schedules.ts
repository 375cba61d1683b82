import * as Schema from "effect/Schema"
import { databaseBackup } from "../configured-schedules.ts"
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
 * When things run, for pipelines whose `schedule` names it by `configured`. A named schedule: `cron` (OCPS 1.4) in
 * `timezone`, `retries` of a task after a failure, `retry_delay` apart, paused after `stop_after_failures` runs in a row
 * that failed. `database_backup_window` is the schedule `database-backup`: every day at `from`, and where the pipeline does
 * not say how long a missed tick may be made up for, until `to`.
 */
export const SchedulesSection = Schema.Struct({
  schedules: Schema.Record(
    Name,
    Schema.Struct({
      cron: CronPattern,
      timezone: TimeZone,
      retries: Natural.check(Schema.isLessThanOrEqualTo(99)),
      retry_delay: Duration,
      stop_after_failures: Count.check(Schema.isLessThanOrEqualTo(1_000)),
    }),
  ).check(
    Schema.makeFilter(
      (all) => !Object.hasOwn(all, databaseBackup) || `must not have ${databaseBackup}: that is database_backup_window`,
    ),
  ),
  database_backup_window: Schema.Struct({ from: ClockTime, to: ClockTime, timezone: TimeZone }),
})
export type SchedulesSection = typeof SchedulesSection.Type
