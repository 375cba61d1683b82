import type { TickFacts } from "../domain/tick.ts"
import { type Accepts, type Ref, ref } from "./reference.ts"

/** What a schedule says beside its pattern. Durations carry units: `30s`, `2 days`. */
export interface ScheduleOptions<P> {
  /** An IANA time zone: the clocks that the pattern goes by. */
  readonly timezone: string
  /** Values of the pipeline's params; expressions may name `tick` only. */
  readonly params?: P
  /** The most that a start is put off. */
  readonly jitter?: string
  /** When an earlier run of the schedule still goes on; `skip` if nothing is said. */
  readonly overlap?: "skip" | "queue-one" | "queue-all" | "cancel-running" | "allow"
  /** Ticks that passed while nobody watched; none of them if nothing is said. */
  readonly catchup?: { readonly policy: "none" | "last" | "all"; readonly window?: string }
  /** Where the clocks jump. Required where the zone has such jumps and the pattern names hours. */
  readonly dst?: { readonly gap?: "skip" | "shift"; readonly overlap?: "first" | "second" | "both" }
  /** How many runs in a row may fail before the schedule pauses by itself; it never does if nothing is said. */
  readonly pauseAfter?: number
}

/** What a schedule that the configuration names says beside that: its times, its pause and its retries are there. */
export type ConfiguredOptions<P> = Omit<ScheduleOptions<P>, "timezone" | "pauseAfter">

/** When a pipeline runs by itself; made by `cron()` or `configured()`. */
export type Schedule<P> =
  | (ScheduleOptions<P> & { readonly cron: string })
  | (ConfiguredOptions<P> & { readonly configured: string })

/** What a trigger may give to params of these types. */
export type TriggerParams<Values> = { readonly [K in keyof Values]?: Accepts<Values[K]> }

/** The tick that a scheduled run is for: its nominal time in UTC, its date and its month in the schedule's zone. */
export const tick: Ref<TickFacts> = ref("run.tick")

/**
 * A schedule by a cron pattern (OCPS 1.4): minute, hour, day of month, month and day of week, or `@daily` and its like. A
 * second may stand before them, and after that a year from 1970 to 2199.
 */
export const cron = <const P = Readonly<Record<never, never>>>(
  pattern: string,
  options: ScheduleOptions<P>,
): Schedule<P> => ({ cron: pattern, ...options })

/**
 * A schedule by its name in the configuration of the environment (`configs/`, section `schedules`), which says its pattern,
 * its zone and after how many failures in a row it pauses; also what tasks do after a failure, where the pipeline's
 * `defaults` have no `retry`. `database-backup` ticks at the start of `database_backup_window`.
 */
export const configured = <const P = Readonly<Record<never, never>>>(
  name: string,
  options: ConfiguredOptions<P> = {},
): Schedule<P> => ({ configured: name, ...options })
