import * as Schema from "effect/Schema"
import { EnvironmentName } from "./names.ts"

/** The clocks of a machine, read at one moment; milliseconds, the last two since some moment. */
export interface Reading {
  /** Since the epoch, as it is set. */
  readonly wall: number
  /** Time that passed, with that in which the machine slept. */
  readonly passed: number
  /** Time that passed, without that. */
  readonly awake: number
}

/**
 * What was seen: the clock was set, by so much, at a moment when it would have shown `from` and showed `to`. Or the process
 * did not turn for `millis`, because it was stopped, starved or busy, or because the machine slept for `asleep` of them.
 */
export type Seen =
  | { readonly is: "stepped"; readonly by: number; readonly from: number; readonly to: number }
  | {
      readonly is: "paused"
      readonly millis: number
      readonly asleep: number
      readonly from: number
      readonly to: number
    }

/** What is known between two looks. */
export interface Watch {
  readonly last: Reading
  /** How far the wall clock was ahead of the time that passed, when it was last said that it was set. */
  readonly ahead: number
}

/**
 * A clock that is off by less was not set, milliseconds. NTP's daemons set a clock that is off by 128 ms (ntpd), 400 ms
 * (systemd-timesyncd) or 1 s (chrony, as it is usually configured) and slow or speed up one that is off by less, by which
 * the wall clock and the time that passes go alike. Smaller steps count when together they are as large.
 */
export const stepMillis = 100

/** A process that has not turned for so long was paused, milliseconds. */
export const pauseMillis = 5_000

/** The first look. */
export const begin = (reading: Reading): Watch => ({ last: reading, ahead: reading.wall - reading.passed })

/** What there is to see at a reading, and what is known from then on. */
export const look = (
  { ahead, last }: Watch,
  now: Reading,
): { readonly seen: ReadonlyArray<Seen>; readonly watch: Watch } => {
  const seen: Array<Seen> = []
  const millis = now.passed - last.passed
  if (millis >= pauseMillis) {
    const asleep = Math.max(0, millis - (now.awake - last.awake))
    seen.push({ is: "paused", millis, asleep, from: now.wall - millis, to: now.wall })
  }
  const by = now.wall - now.passed - ahead
  if (Math.abs(by) < stepMillis) return { seen, watch: { last: now, ahead } }
  seen.push({ is: "stepped", by, from: now.wall - by, to: now.wall })
  return { seen, watch: begin(now) }
}

const place = { env: EnvironmentName, host: Schema.String }

/** The clock of `host` was set by so many milliseconds, from one time to another (milliseconds since the epoch). */
export const ClockStepped = Schema.Struct({ ...place, by: Schema.Int, from: Schema.Int, to: Schema.Int })

/**
 * A daemon on `host` did not turn for so many milliseconds, in `asleep` of which the machine slept; from and to are what
 * its clock, as it was afterwards, showed at both ends.
 */
export const ProcessPaused = Schema.Struct({
  ...place,
  millis: Schema.Int,
  asleep: Schema.Int,
  from: Schema.Int,
  to: Schema.Int,
})

/** What was seen, as an event of the `system` stream. */
export const recordOf = (seen: Seen, where: { readonly env: EnvironmentName; readonly host: string }) => {
  const { from, to } = { from: Math.round(seen.from), to: Math.round(seen.to) }
  return seen.is === "stepped"
    ? ({ type: "dev.dandori.clock.stepped.v1", data: { ...where, by: Math.round(seen.by), from, to } } as const)
    : ({
        type: "dev.dandori.process.paused.v1",
        data: { ...where, millis: Math.round(seen.millis), asleep: Math.round(seen.asleep), from, to },
      } as const)
}
