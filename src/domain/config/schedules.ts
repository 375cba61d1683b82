import * as Schema from "effect/Schema"
import { Duration } from "../quantity.ts"
import { ClockTime, Count, Name, Natural, TimeZone } from "./measure.ts"

/**
 * When things run. A named schedule: `cron` (OCPS 1.4) in `timezone`, `retries` after a failure, `retry_delay` apart,
 * paused after `stop_after_failures` failures in a row. `database_backup_window` is when backups may start.
 */
export const SchedulesSection = Schema.Struct({
  schedules: Schema.Record(
    Name,
    Schema.Struct({
      cron: Schema.String.check(Schema.isMinLength(1)),
      timezone: TimeZone,
      retries: Natural,
      retry_delay: Duration,
      stop_after_failures: Count,
    }),
  ),
  database_backup_window: Schema.Struct({ from: ClockTime, to: ClockTime, timezone: TimeZone }),
})
export type SchedulesSection = typeof SchedulesSection.Type
