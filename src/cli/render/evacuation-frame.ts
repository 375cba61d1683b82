import { formatSize } from "../../domain/quantity.ts"
import type { ProgressReport } from "../../services/progress.ts"
import * as Output from "../output.ts"
import { duration, timeOfDay } from "./duration.ts"
import * as EvacuationFacts from "./evacuation-facts.ts"
import { clean, fit } from "./line.ts"
import { type Terminal, frame as runFrame } from "./live-frame.ts"

const number = (value: number) => value.toLocaleString("en-US")

/** How long it may take from now. */
export const deadlineText = (deadline: number, now: number): string =>
  deadline <= now
    ? `the deadline ${timeOfDay(deadline)} is over`
    : `deadline ${timeOfDay(deadline)}, in ${duration(deadline - now)}`

/** How much is done and left, how fast, and for how long. */
export const amounts = (facts: EvacuationFacts.EvacuationFacts): string | undefined => {
  const { progress } = facts.seen
  if (progress === undefined) return undefined
  const { bytes, notTaken, objects } = progress
  const left = Math.max(0, bytes.total - bytes.done)
  const rest = Math.max(0, objects.total - objects.done - notTaken)
  const speed = EvacuationFacts.rate(facts)
  const parts = [
    `${number(objects.done)} of ${number(objects.total)} objects, ${formatSize(bytes.done)} of ${formatSize(bytes.total)}`,
    rest === 0 ? "nothing left" : `left ${number(rest)}, ${formatSize(left)}`,
    ...(speed === undefined || rest === 0 ? [] : [`${formatSize(Math.round(speed))}/s`]),
    ...(speed === undefined || speed < 1 || rest === 0 ? [] : [`about ${duration((left / speed) * 1_000)} more`]),
  ]
  return parts.join(", ")
}

/** What failed so far beside the tasks themselves, a line each. */
export const troubles = ({ seen }: EvacuationFacts.EvacuationFacts): ReadonlyArray<string> => [
  ...seen.collected
    .filter(({ outcome }) => outcome === "failed")
    .map(({ collector, reason = "it is not said why" }) => `collector ${collector} failed: ${clean(reason)}`),
  ...(seen.progress === undefined || seen.progress.notTaken === 0
    ? []
    : [`${number(seen.progress.notTaken)} not taken; why is in not-taken.ndjson`]),
]

/** Bytes of progress in a unit that can be read. */
export const readable = (progress: ProgressReport): ProgressReport => {
  if (progress.unit !== "B") return progress
  const most = Math.max(progress.done, progress.total ?? 0)
  const [unit, size] =
    most >= 2 ** 30
      ? (["GiB", 2 ** 30] as const)
      : most >= 2 ** 20
        ? (["MiB", 2 ** 20] as const)
        : (["KiB", 2 ** 10] as const)
  const { done, total } = progress
  return { ...progress, done: done / size, ...(total === undefined ? {} : { total: total / size }), unit }
}

const under = (facts: EvacuationFacts.EvacuationFacts, now: number, { colours, rows }: Terminal) => {
  const { deadline, seen } = facts
  const place = EvacuationFacts.opened(facts)
  const much = amounts(facts)
  const bad = troubles(facts)
  const room = Math.max(1, Math.min(5, rows - 18))
  const first = bad.slice(0, room - 1)
  const shown =
    bad.length <= room
      ? bad
      : [...first, `${first.length > 0 ? "and " : ""}${bad.length - first.length} things went wrong`]
  const taking = seen.progress?.now ?? []
  return [
    ...(deadline === undefined
      ? []
      : [deadline - now < 30_000 ? Output.red(deadlineText(deadline, now), colours) : deadlineText(deadline, now)]),
    ...(much === undefined ? [] : [much]),
    ...(taking.length === 0 ? [] : [Output.dim(`now ${taking.slice(0, 2).map(clean).join(", ")}`, colours)]),
    ...shown.map((line) => Output.red(line, colours)),
    ...(place === undefined ? [] : [Output.dim(`incident ${place.incident}  ${place.folder}`, colours)]),
  ]
}

/**
 * The picture of an evacuation at a time, at most as high and as wide as the terminal: its tasks, how much is done and
 * left until when, what failed so far, and where its incident's folder is.
 */
export const frame = (facts: EvacuationFacts.EvacuationFacts, now: number, terminal: Terminal): string => {
  const below = under(facts, now, terminal).slice(-Math.max(1, terminal.rows - 5))
  const above = runFrame(facts.run, now, { ...terminal, rows: Math.max(4, terminal.rows - below.length) })
  return [above, ...below.map((line) => fit(line, terminal.columns))].join("\n")
}
