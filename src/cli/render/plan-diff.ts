import type { PlanDiff, TaskChange } from "../../compiler/plan-diff.ts"
import type { Weakening } from "../../compiler/plan-diff-safeguards.ts"
import * as Output from "../output.ts"
import { count } from "../plain-text.ts"
import type { MovedDate } from "../schedule-dates.ts"
import { changeLine, changeText, marked } from "./field-changes.ts"
import { clean, table } from "./line.ts"

/** A part with a title, or nothing. */
export const part = (title: string, lines: ReadonlyArray<string>, on: boolean): ReadonlyArray<string> =>
  lines.length === 0 ? [] : ["", Output.bold(title, on), ...lines.map((line) => `  ${line}`)]

/** A task that came, went or is another, and how. */
const taskLines = ({ change, fields, id, type }: TaskChange, on: boolean): ReadonlyArray<string> => {
  const head = marked(change, `${id}${type === id ? "" : ` (${type})`}`, on)
  const details = change === "removed" ? [] : fields.filter(({ path }) => path !== "type" || change === "changed")
  return [head, ...details.map((field) => `    ${change === "added" ? changeText(field) : changeLine(field, on)}`)]
}

/** Tasks that are shown with all that they say; of a larger pipeline nobody reads more. */
const mostWhole = 1_000

/** The tasks of a comparison. Every one that changed is shown; of those that came, or went, the first ones. */
export const tasksLines = (tasks: ReadonlyArray<TaskChange>, on: boolean): ReadonlyArray<string> => {
  const shown = { added: 0, removed: 0, changed: 0 }
  const lines = tasks.flatMap((task) => {
    shown[task.change]++
    return task.change !== "changed" && shown[task.change] > mostWhole ? [] : taskLines(task, on)
  })
  const more = (["added", "removed"] as const).flatMap((change) => {
    const left = shown[change] - mostWhole
    return left > 0 ? [marked(change, `${count(left, "more task", "more tasks")} (--json lists them)`, on)] : []
  })
  return [...lines, ...more]
}

/** What is weaker, and why; a line each. */
export const weakerLines = (weaker: ReadonlyArray<Weakening>, on: boolean): ReadonlyArray<string> =>
  weaker.map((one) => {
    const { place, rule: _, why, ...values } = one
    const what = "old" in one || "new" in one ? changeText({ path: place, ...values }) : clean(place)
    return `${Output.red("!", on)} ${what}  ${Output.dim(`(${why})`, on)}`
  })

const dateText = ({ old, new: next }: MovedDate): string => `${old ?? "none"} → ${next ?? "none"}`

/** What is shown of a comparison besides the difference itself. */
export interface Beside {
  readonly dates: ReadonlyArray<MovedDate>
  /** Runs that have not ended and go on with another plan than the newer one. */
  readonly runs: ReadonlyArray<{ readonly run: string; readonly status: string }>
}

/** `1 added, 2 changed, 1 removed`. */
export const sum = ({ config, files, settings, tasks }: PlanDiff): string => {
  const of = (change: TaskChange["change"]) => tasks.filter((task) => task.change === change).length
  const words = [
    ...(["added", "changed", "removed"] as const).flatMap((change) =>
      of(change) === 0 ? [] : [`${count(of(change), "task", "tasks")} ${change}`],
    ),
    ...(settings.length === 0 ? [] : [count(settings.length, "setting", "settings")]),
    ...(config.length === 0 ? [] : [`${count(config.length, "value", "values")} of the configuration`]),
    ...(files.length === 0 ? [] : [`${count(files.length, "value", "values")} in files`]),
  ]
  return words.join(", ")
}

/** The lines of a comparison, without its headline. */
export const lines = (diff: PlanDiff, { dates, runs }: Beside, on: boolean): ReadonlyArray<string> => [
  ...part("Tasks", tasksLines(diff.tasks, on), on),
  ...part(
    "Pipeline",
    diff.settings.map((change) => changeLine(change, on)),
    on,
  ),
  ...part("Dates that move", dates.map(dateText), on),
  ...part(
    "Configuration",
    diff.config.map((change) => changeLine(change, on)),
    on,
  ),
  ...part(
    "Files",
    diff.files.map((change) => changeLine(change, on)),
    on,
  ),
  ...part("Caches that go stale", table(diff.stale.map(({ task, why }) => [task, why])), on),
  ...part(
    "Runs that go on with the plan that they started with",
    table(runs.map(({ run, status }) => [run, status])),
    on,
  ),
  ...part("Weaker safeguards", weakerLines(diff.weaker, on), on),
]
