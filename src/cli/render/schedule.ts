import { formatDuration } from "../../domain/quantity.ts"
import type { Schedule } from "../../domain/schedule.ts"
import { timeText } from "../../domain/occurrence.ts"
import type { DstDate, Tick } from "../../scheduler/occurrences.ts"
import { clean } from "./line.ts"

const weekdays = ["Sunday", "Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday"]

/** The day of the week of a local time. */
export const weekday = (local: number): string => weekdays[new Date(local).getUTCDay()]

/** `2026-03-08T03:00:00`, the local time without its zone. */
export const localText = (local: number): string => new Date(local).toISOString().slice(0, 19)

/** `-04:00`. */
export const offsetText = ({ at, local }: Tick): string => {
  const minutes = Math.round((local - at) / 60_000)
  const size = new Date(Math.abs(minutes) * 60_000).toISOString().slice(11, 16)
  return `${minutes < 0 ? "-" : "+"}${size}`
}

const day = (local: number): string => `${weekday(local).slice(0, 3)} ${localText(local).slice(0, 10)}`
const clock = (local: number): string => localText(local).slice(11).replace(/:00$/, "")

/** `Sun 2026-03-08 03:00 -04:00`. */
export const tickTime = (tick: Tick): string => `${day(tick.local)} ${clock(tick.local)} ${offsetText(tick)}`

const shown = 4

const clocks = (locals: ReadonlyArray<number>): string => {
  const first = locals.slice(0, shown).map(clock).join(", ")
  return locals.length > shown ? `${first}, … (${locals.length} times)` : first
}

/** What the clocks' jump did to a tick; empty for most. */
export const tickMark = ({ repeat, shiftedFrom }: Tick): string => {
  if (shiftedFrom !== undefined) return `shifted: ${clocks(shiftedFrom)} does not exist`
  return repeat === undefined ? "" : `the ${repeat} of two`
}

const verdict = ({ dst }: Schedule, { kind, matches, ticks }: DstDate): string => {
  const [times, is] = [clocks(matches), matches.length === 1 ? "is" : "are"]
  if (kind === "gap") {
    if (dst === undefined) return "no tick is lost, as no time passes"
    return dst.gap === "skip"
      ? `${times} ${is} skipped`
      : `${times} ${is} shifted to ${clocks(ticks.map((t) => t.local))}`
  }
  const tick = matches.length === 1 ? "ticks" : "tick"
  if (dst === undefined) return `${times} ${tick} both times, as time passes`
  return dst.overlap === "both" ? `${times} ${tick} both times` : `${times} ${tick} at the ${dst.overlap} of two`
}

/** `Sun 2026-03-08  02:00 to 03:00 does not exist: 02:30 is shifted to 03:00`. */
export const dstLine = (schedule: Schedule, date: DstDate): string => {
  const whole = date.end - date.start >= 86_400_000
  const range = whole ? "the whole day" : `${clock(date.start)} to ${clock(date.end)}`
  const event = date.kind === "gap" ? "does not exist" : "comes twice"
  return `${day(date.start)}  ${range} ${event}: ${verdict(schedule, date)}`
}

/** `month=2026-03 loud=true`, for one line. */
export const paramsText = (values: Readonly<Record<string, unknown>>): string =>
  clean(
    Object.entries(values)
      .map(([name, value]) => `${name}=${typeof value === "string" ? value : JSON.stringify(value)}`)
      .join(" "),
  )

/** What a schedule says, on one line. */
export const scheduleLine = ({ catchup, cron, dst, jitter, overlap, pauseAfter, timezone }: Schedule): string =>
  [
    cron,
    timezone,
    `overlap ${overlap}`,
    `catchup ${catchup.policy}${catchup.window === undefined ? "" : ` within ${formatDuration(catchup.window)}`}`,
    ...(jitter === undefined ? [] : [`jitter ${formatDuration(jitter)}`]),
    ...(dst === undefined ? [] : [`dst gap ${dst.gap}, overlap ${dst.overlap}`]),
    ...(pauseAfter === undefined
      ? []
      : [`pauses after ${pauseAfter} ${pauseAfter === 1 ? "failure" : "failures in a row"}`]),
  ].join("  ")

/** A tick as JSON. */
export const tickJson = (tick: Tick) => ({
  time: timeText(tick.at),
  local: `${localText(tick.local)}${offsetText(tick)}`,
  weekday: weekday(tick.local),
  ...(tick.shiftedFrom === undefined ? {} : { shiftedFrom: tick.shiftedFrom.map(localText) }),
  ...(tick.repeat === undefined ? {} : { repeat: tick.repeat }),
})
