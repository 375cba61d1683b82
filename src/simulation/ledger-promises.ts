import { promptMillis } from "../domain/durability.ts"
import * as Chain from "../ledger/chain.ts"
import * as StreamName from "../ledger/stream-name.ts"
import * as Testimony from "../ledger/testimony.ts"
import * as Chance from "./chance.ts"
import type { Moment, Trace } from "./trace.ts"
import { type Violation, findings, momentsByRun } from "./violation.ts"

/** The chain of a stream's text, read as `verify` does. */
const chainOf = (run: string, text: string) => Chain.read(StreamName.ofRun(run), new TextEncoder().encode(text))

/** 4: what was on the disk stays, byte for byte; the chain verifies; damage done to it is found and located. */
export const ledgerOnlyGrows = (trace: Trace): ReadonlyArray<Violation> => {
  const { demand, found } = findings(4)
  const moments = momentsByRun(trace)
  for (const { kept, run, text } of trace.runs) {
    if (text === undefined || kept.length === 0) continue
    const lines: Array<string> = []
    for (const moment of moments.get(run) ?? []) {
      if (moment._tag === "Appended") lines.push(moment.line ?? "")
      else if (moment._tag === "LetGo") lines.length = moment.sequence
    }
    const at = kept.at(-1)?.moment ?? 0
    demand(lines.join("") === text, () => `the ledger of ${run} is not what was written`, at)
    const chain = chainOf(run, text)
    demand(chain.fault === undefined, () => `the ledger of ${run}: ${chain.fault?.reason}`, at)
    if (chain.fault !== undefined) continue
    const { line, what } = damage(lines, Chance.make(trace.seed))
    const closed = [{ entries: chain.head.sequence, head: chain.head.hash, line: 1 }]
    const damaged = chainOf(run, lines.join(""))
    const fault = damaged.fault ?? Testimony.contradiction(damaged, { opened: undefined, closed })
    demand(fault !== undefined, () => `${what} of line ${line} in ${run} is not found`, kept[line - 1].moment)
    const near = fault !== undefined && Math.abs(fault.line - line) <= 1
    demand(
      fault === undefined || near,
      () => `${what} of line ${line} is found in ${fault?.line}`,
      kept[line - 1].moment,
    )
  }
  return found
}

/** Damages one line somewhere, as somebody would who wants to change what is said. */
const damage = (lines: Array<string>, chance: Chance.Chance): { readonly line: number; readonly what: string } => {
  const at = chance.draw(lines.length)
  const what = chance.among(["an edit", "a removal", "a truncation", "a swap"])
  if (what === "a removal") lines.splice(at, 1)
  else if (what === "a truncation") lines.length = at
  else if (what === "a swap" && at + 1 < lines.length) lines.splice(at, 2, lines[at + 1], lines[at])
  else {
    const digit = lines[at].search(/"time":"\d/) + 8
    lines[at] = `${lines[at].slice(0, digit)}9${lines[at].slice(digit + 1)}`
    return { line: at + 1, what: "an edit" }
  }
  return { line: at + 1, what }
}

/** 9: what was called durable is never lost, and nothing else that is older than the interval and the disk's own time. */
export const lossIsBounded = (trace: Trace): ReadonlyArray<Violation> => {
  const { demand, found } = findings(9)
  const prompt = new Set(trace.runs.filter(({ durability }) => durability === "fsync").map(({ run }) => run))
  for (const [run, moments] of momentsByRun(trace)) {
    const interval = prompt.has(run) ? promptMillis : trace.flushInterval
    let acknowledged = { sequence: 0, number: 0 }
    let appended: Array<Moment> = []
    let flushing: number | undefined
    let full = false
    const flushes: Array<readonly [number, number]> = []
    for (const moment of moments) {
      if (moment._tag === "Appended") appended.push(moment)
      if (moment._tag === "Acknowledged" && moment.sequence > acknowledged.sequence) acknowledged = moment
      if (moment._tag === "FlushBegun") flushing = moment.at
      if (moment._tag === "Fault" && moment.fault === "disk-full") full = true
      if (moment._tag === "Flushed") flushes.push([flushing ?? moment.at, moment.at])
      if (moment._tag !== "LetGo") continue
      if (flushing !== undefined && flushes.at(-1)?.[0] !== flushing) flushes.push([flushing, moment.at])
      const { number, sequence } = acknowledged
      const lost = () => `run ${run}: entry ${sequence} was called durable, ${moment.sequence} are left`
      demand(moment.sequence >= sequence, lost, number, moment.number)
      const oldest = appended[moment.sequence]
      if (oldest !== undefined && !full) {
        const busy = flushes.reduce((sum, [from, to]) => sum + Math.max(0, to - Math.max(from, oldest.at)), 0)
        const age = moment.at - oldest.at - busy
        const late = () => `run ${run}: entry ${moment.sequence + 1} was not written for ${age} ms and is lost`
        demand(age <= interval, late, oldest.number, moment.number)
      }
      appended = appended.slice(0, moment.sequence)
      flushing = undefined
      full = false
    }
  }
  return found
}
