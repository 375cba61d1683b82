import type { FieldChange } from "../../compiler/value-diff.ts"
import type { OutcomePair, RunDiff, TaskOutcome } from "../run-diff.ts"
import * as Output from "../output.ts"
import { duration } from "./duration.ts"
import { changeLine } from "./field-changes.ts"
import { clean, table } from "./line.ts"
import { part, tasksLines } from "./plan-diff.ts"
import { number } from "./run-results.ts"

const mostChanges = 20

const isNumeric = (change: FieldChange): change is FieldChange & { readonly old: number; readonly new: number } =>
  typeof change.old === "number" && typeof change.new === "number"

/** A change of an output; of numbers also by how much. */
const outputLine = (change: FieldChange, on: boolean): string => {
  const line = changeLine(change, on)
  if (!isNumeric(change)) return line
  const by = change.new - change.old
  return `${line}  ${Output.dim(`(${by > 0 ? "+" : ""}${number(by)})`, on)}`
}

/** Metrics and other numbers first, as they are what runs are compared for; of each the ones that lie least deep. */
const rank = (change: FieldChange): number =>
  (/(^|\.)metrics\./.test(change.path) ? 0 : isNumeric(change) ? 100 : 200) + change.path.split(/[.[]/).length

const outputLines = ({ output, task }: OutcomePair, on: boolean): ReadonlyArray<string> => {
  if (output.length === 0) return []
  const sorted = output.toSorted((a, b) => rank(a) - rank(b))
  const [only] = sorted
  if (only?.path === "" && !("old" in only && "new" in only)) {
    return [task, `  only the ${"old" in only ? "older" : "newer"} run has its output`]
  }
  const left = sorted.length - mostChanges
  return [
    task,
    ...sorted.slice(0, mostChanges).map((change) => `  ${outputLine(change, on)}`),
    ...(left > 0 ? [`  … and ${left} more; --json has all of them`] : []),
  ]
}

const said = (outcome: TaskOutcome | undefined): readonly [string, string] => {
  if (outcome === undefined) return ["not there", ""]
  const word = outcome.status.replace("_", " ")
  const verdict = outcome.verdict === undefined ? "" : ` ${outcome.verdict}`
  return [`${word}${verdict}`, outcome.cached ? "cached" : outcome.millis === 0 ? "" : duration(outcome.millis)]
}

const outcomeRow = ({ new: next, old, task }: OutcomePair): ReadonlyArray<string> => {
  const [was, is] = [said(old), said(next)]
  const turned = was[0] === is[0] ? is[0] : `${was[0]} → ${is[0]}`
  return [task, turned, was[1] === is[1] ? is[1] : `${was[1] || "none"} → ${is[1] || "none"}`]
}

const runLine = (change: FieldChange, on: boolean): string => {
  if (change.path !== "durationMillis" || !isNumeric(change)) return changeLine(change, on)
  return `${Output.yellow("~", on)} took: ${duration(change.old)} → ${duration(change.new)}`
}

/** What differs between two runs, as lines. */
export const lines = (diff: RunDiff, on: boolean): ReadonlyArray<string> => {
  const changes = (found: ReadonlyArray<FieldChange>) => found.map((change) => changeLine(change, on))
  const [old, next] = diff.runs
  return [
    `${Output.bold(clean(old), on)} → ${Output.bold(clean(next), on)}`,
    ...part(
      "Run",
      diff.run.map((change) => runLine(change, on)),
      on,
    ),
    ...part("Params", changes(diff.params), on),
    ...part("Environment", changes(diff.environment), on),
    ...part("Configuration", changes(diff.config), on),
    ...part("Pipeline", changes(diff.settings), on),
    ...part("Tasks of the plan", tasksLines(diff.tasks, on), on),
    ...part("How the tasks went", table(diff.outcomes.map(outcomeRow)), on),
    ...part(
      "Outputs",
      diff.outcomes.flatMap((pair) => outputLines(pair, on)),
      on,
    ),
  ]
}
