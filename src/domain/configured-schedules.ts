import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import * as Struct from "effect/Struct"
import type { SchedulesSection } from "./config/schedules.ts"

/** What the configuration says of a schedule that pipelines name. Durations carry units. */
export interface ConfiguredSchedule {
  readonly cron: string
  readonly timezone: string
  /** Failures in a row after which it pauses. */
  readonly pauseAfter?: number
  /** What the tasks do after a failure, where the pipeline does not say it itself. */
  readonly retry?: { readonly attempts: number; readonly delay: string }
  /** How old a tick may be that was missed and is caught up, where the pipeline does not say it itself. */
  readonly window?: string
}

/** The schedule whose times are those of `database_backup_window`. */
export const databaseBackup = "database-backup"

/** The schedules of the configuration cannot be told. */
export class SchedulesUnknown extends Schema.TaggedError<SchedulesUnknown>()("SchedulesUnknown", {
  reason: Schema.String,
}) {
  override get message() {
    return `The schedules of the configuration cannot be told: ${this.reason}`
  }
}

/** The schedules that a pipeline may name by `configured`: those of the environment that it is compiled for. */
export const ConfiguredSchedules = Context.Reference<
  Effect.Effect<ReadonlyMap<string, ConfiguredSchedule>, SchedulesUnknown>
>("dandori/domain/ConfiguredSchedules", {
  defaultValue: () => Effect.fail(new SchedulesUnknown({ reason: "there is no configuration here" })),
})

/** For what is compiled and not started by its schedule: what the schedules say of retries is left out. */
export const withoutRetries = Effect.map(
  (all: ReadonlyMap<string, ConfiguredSchedule>) =>
    new Map([...all].map(([name, one]): [string, ConfiguredSchedule] => [name, Struct.omit(one, ["retry"])])),
)

const dayMinutes = 1_440

const minutesOf = (clock: string): number => {
  const [hours, minutes] = clock.split(":").map(Number)
  return hours * 60 + minutes
}

/** Every day at the start of the window, and as late as its end. One that ends before it starts goes over midnight. */
const backup = ({ from, timezone, to }: SchedulesSection["database_backup_window"]): ConfiguredSchedule => {
  const start = minutesOf(from)
  const length = (minutesOf(to) - start + dayMinutes) % dayMinutes
  return {
    cron: `${start % 60} ${Math.floor(start / 60)} * * *`,
    timezone,
    window: `${length === 0 ? dayMinutes : length}m`,
  }
}

/** The schedules of a section, by name. */
export const ofSection = (section: SchedulesSection): ReadonlyMap<string, ConfiguredSchedule> =>
  new Map([
    ...Object.entries(section.schedules).map(([name, one]): [string, ConfiguredSchedule] => [
      name,
      {
        cron: one.cron,
        timezone: one.timezone,
        pauseAfter: one.stop_after_failures,
        retry: { attempts: one.retries + 1, delay: one.retry_delay },
      },
    ]),
    [databaseBackup, backup(section.database_backup_window)],
  ])
