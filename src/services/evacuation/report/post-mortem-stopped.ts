import type { Remaining } from "../../../domain/stopped.ts"
import type { IncidentRecord, StoppedFacts } from "./incident-record.ts"
import { utcTime } from "./post-mortem-words.ts"
import { type Block, type Cell, type Section, atMost, text } from "./record-document.ts"

/** Most rows that are shown. */
const most = 100

type Stop = StoppedFacts["stops"][number]
type Row = ReadonlyArray<Cell>

/** What became of a process or a container: its state, and what shows it. */
const proof = (key: number | string, { ended, remaining }: Stop, isDrill: boolean): Row => {
  if (isDrill) return [{ badge: "left alone", tone: "plain" }, "a drill stops nothing"]
  const still = remaining.find(({ container, pid }) => pid === key || container === key)
  if (still !== undefined) return [{ badge: "remains", tone: "bad" }, still.reason]
  return ended === undefined
    ? [{ badge: "unknown", tone: "warn" }, "the stop was cut off before its end was written"]
    : [{ badge: "gone", tone: "good" }, `seen to be gone by ${utcTime(ended)}`]
}

const rowsOf = (stop: Stop, isDrill: boolean): ReadonlyArray<Row> => {
  const { containers, processes, signals, target } = stop
  const sent = (pid: number) =>
    signals
      .filter(({ pids }) => pids.includes(pid))
      .map(({ at, signal }) => `${signal} ${utcTime(at).slice(11)}`)
      .join(", ")
  return [
    ...processes.map(({ pid, program, why }): Row => [
      target,
      `pid ${pid}`,
      [{ code: program }, ` ${why}`],
      sent(pid) || "none",
      ...proof(pid, stop, isDrill),
    ]),
    ...containers.map(({ id, name }): Row => [
      target,
      `container ${name}`,
      { code: id.slice(0, 12) },
      isDrill ? "none" : "by its engine",
      ...proof(id, stop, isDrill),
    ]),
  ]
}

/** What has a target's words and was left alone, and why. */
const alone = ({ near }: StoppedFacts): ReadonlyArray<Block> => {
  if (near.length === 0) return []
  const { more, shown } = atMost(near, most, "stopped.json")
  const heads = ["Target", "Left alone", "Why it is another"]
  return [{ kind: "table", heads, rows: shown.map(({ pid, reason, target }) => [target, `pid ${pid}`, reason]), more }]
}

/** What was stopped, each with the signals that it got and the proof that it is gone; what was left alone, and why. */
export const stopped = (
  { folder, stopped: facts }: IncidentRecord,
  startedAgain: ReadonlyArray<Remaining> = [],
): Section => {
  const { drill } = folder.incident
  const title = drill ? "What would have been stopped" : "Stopped, with proof"
  if (facts === undefined) return { title, blocks: [text("No list of what was stopped can be read.")] }
  const { more, shown } = atMost(
    facts.stops.flatMap((stop) => rowsOf(stop, drill)),
    most,
    "stopped.json",
  )
  const unlisted = facts.remaining.filter(({ container, pid }) => pid === undefined && container === undefined)
  return {
    title,
    blocks: [
      shown.length === 0
        ? text("Nothing that was to be stopped ran.")
        : { kind: "table", heads: ["Target", "What", "Found by", "Signals", "State", "Proof"], rows: shown, more },
      ...unlisted.map(({ reason, target }) => text(`${target}: ${reason}`)),
      ...startedAgain.map(({ container, pid, reason, target }) =>
        text(`${target} runs again: ${container === undefined ? `pid ${pid}` : `container ${container}`}, ${reason}`),
      ),
      ...alone(facts),
      ...(facts.done || drill ? [] : [text("The stop did not come to its end.")]),
    ],
  }
}
