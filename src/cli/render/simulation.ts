import * as Promises from "../../simulation/promises.ts"
import type { Tally } from "../../simulation/tally.ts"
import type { Moment, Trace } from "../../simulation/trace.ts"
import type { Violation } from "../../simulation/violation.ts"
import { detail, shortType } from "../event-line.ts"
import type { Hint } from "../hint.ts"
import { count, plain } from "../plain-text.ts"
import { duration } from "./duration.ts"
import { table } from "./line.ts"

const digits = (value: number, length: number) => String(value).padStart(length, "0")

/** Virtual time since the beginning, `2d 03:04:05.678`; days only where there are some. */
const clock = (millis: number): string => {
  const days = Math.floor(millis / 86_400_000)
  const seconds = Math.floor(millis / 1_000)
  const time = [Math.floor(seconds / 3_600) % 24, Math.floor(seconds / 60) % 60, seconds % 60]
  return `${days === 0 ? "" : `${days}d `}${time.map((part) => digits(part, 2)).join(":")}.${digits(millis % 1_000, 3)}`
}

const said = (moment: Moment): string => {
  switch (moment._tag) {
    case "TakenUp":
      return `process ${moment.life} takes the run up with plan ${moment.plan.slice(0, 12)}, ${moment.sequence} entries are there`
    case "Appended":
      return `${digits(moment.sequence, 3)} ${shortType(moment.event.type).padEnd(18)}  ${detail(moment.event.data)}`.trimEnd()
    case "FlushBegun":
      return `flush of ${count(moment.sequence, "entry", "entries")} begins`
    case "Flushed":
      return `${count(moment.sequence, "entry is", "entries are")} on the disk`
    case "Acknowledged":
      return `told that ${count(moment.sequence, "entry is", "entries are")} durable`
    case "WorkBegun":
      return `work of ${moment.task} begins, attempt ${moment.attempt}`
    case "Effect":
      return `effect of ${moment.task} happens, attempt ${moment.attempt}`
    case "LetGo": {
      const torn = moment.torn === 0 ? "" : ` and ${moment.torn} bytes of a torn line`
      return `process ${moment.life} lets go (${moment.how}), ${count(moment.sequence, "entry", "entries")}${torn} stay`
    }
    case "Fault":
      return `FAULT ${moment.fault}: ${moment.text}`
    case "TickClosed": {
      const why = moment.reason === "" ? "" : `: ${moment.reason}`
      return `tick ${new Date(moment.tick).toISOString().replace(".000Z", "Z")} ${moment.outcome}${why}`
    }
  }
}

/** Moments as lines for people: number, virtual time, which run where there are several, what happened. */
export const moment = (trace: Trace): ((moment: Moment) => string) => {
  const numbers = new Map(trace.runs.map(({ run }, index) => [run, `run ${index + 1}`]))
  const width = trace.runs.length > 1 ? `run ${trace.runs.length}`.length + 2 : 0
  return (one) => {
    const run = width === 0 || !("run" in one) ? "" : (numbers.get(one.run ?? "") ?? "")
    return plain(`${digits(one.number, 5)}  ${clock(one.at)}  ${run.padEnd(width)}${said(one)}`)
  }
}

/** A moment for machines; an event as the entry that it is in the ledger. */
export const momentJson = (one: Moment): object => {
  const { _tag, at, number, ...rest } = one
  const head = { v: 1, kind: _tag.replace(/(?<!^)[A-Z]/g, "-$&").toLowerCase(), number, at }
  if (one._tag !== "Appended") return { ...head, ...rest }
  return { ...head, run: one.run, entry: one.line === undefined ? one.event : JSON.parse(one.line) }
}

const counts = (of: Readonly<Record<string, number>>): string =>
  Object.entries(of)
    .toSorted(([a], [b]) => (a < b ? -1 : 1))
    .map(([name, number]) => `${name} ${number}`)
    .join(", ")

/** What one or many simulations came to. */
export const summary = (
  pipeline: string,
  asked: { readonly seed: number; readonly runs: number | undefined; readonly days: number | undefined },
  tally: Tally,
): ReadonlyArray<string> => {
  const seeds =
    asked.runs === undefined ? `seed ${asked.seed}` : `seeds ${asked.seed} to ${asked.seed + asked.runs - 1}`
  const checked = Promises.all.filter(({ number }) => number !== 1 || asked.days !== undefined)
  const first = asked.days === undefined ? "1 is of schedules (--days), " : ""
  const rows = [
    ["virtual time", duration(tally.virtualMillis)],
    ["events", `${tally.events}, by ${count(tally.lives, "process", "processes")}`],
    ["runs", counts(tally.statuses)],
    ["ticks", counts(tally.outcomes)],
    ["faults", counts(tally.faults)],
    ["promises", `${checked.map(({ number }) => number).join(", ")} checked; ${first}7 is of evacuate: not simulated`],
  ]
  return [
    `${pipeline}, ${seeds}`,
    ...table(
      rows.filter(([, text]) => text !== ""),
      "  ",
    ),
  ]
}

/** Which promise is broken, and how to see it again. */
export const violation = (seed: number, one: Violation, bad: number, again: string): ReadonlyArray<string> => {
  const at = one.moments.length === 0 ? "" : ` (moments ${one.moments.join(", ")})`
  const more = bad > 1 ? [`  ${bad} simulations broke a promise; this is the first`] : []
  return [`promise ${one.promise} is broken under seed ${seed}: ${plain(one.text)}${at}`, ...more, `  ${again}`]
}

const quoted = (word: string) => (/^[\w@%+=:,./-]+$/.test(word) ? word : `'${word.replaceAll("'", `'\\''`)}'`)

/** The command that simulates one seed again, for a POSIX shell. */
export const command = (
  asked: {
    readonly pipeline: string
    readonly seed: number
    readonly from: string
    readonly days: number | undefined
    readonly fault: ReadonlyArray<string>
    readonly param: ReadonlyArray<string>
  },
  hint: Hint,
): string => {
  const days = asked.days === undefined ? [] : ["--days", String(asked.days)]
  const faults = asked.fault.flatMap((fault) => ["--fault", fault])
  const params = asked.param.flatMap((param) => ["--param", param])
  const words = [asked.pipeline, "--seed", String(asked.seed), "--from", asked.from, ...days, ...faults, ...params]
  return hint.files(["simulate", ...words.map(quoted)].join(" "))
}
