import type { Block, PlanTask } from "../../domain/plan.ts"
import { type TaskStatus, taskAt } from "../../engine/run-state.ts"
import * as CompiledPlan from "../../engine/compiled-plan.ts"
import * as Output from "../output.ts"
import { duration } from "./duration.ts"
import { clean, fit, pad } from "./line.ts"
import { type RunFacts, statusAt, taskFacts } from "../../engine/run-facts.ts"
import * as Standing from "../../engine/standing.ts"
import { detail, icon, iconStatus } from "./task-line.ts"
import * as Waits from "./waits.ts"

/** The terminal that a frame is for. */
export interface Terminal {
  readonly columns: number
  readonly rows: number
  readonly colours: boolean
}

const blocks: ReadonlyArray<readonly [Block, string]> = [
  ["tasks", ""],
  ["onFailure", "after a failure"],
  ["onCancel", "after a cancel"],
  ["finally", "finally"],
]

/** In this order the tasks of a large plan are shown, as many as fit. */
const urgent: ReadonlyArray<TaskStatus> = ["running", "unknown", "failed", "timed_out", "lost", "retrying", "warned"]

const header = (facts: RunFacts, now: number, on: boolean): string => {
  const { created, durationMillis, env, plan, run } = facts
  const { status, waits } = Standing.ofRun(facts, now)
  const elapsed = created === undefined ? "" : duration(durationMillis ?? now - created)
  const known = [run === undefined ? "" : `run ${run}`, env === undefined ? "" : `env ${env}`, elapsed]
  const plain = status === "created" || status === "running" ? "" : status
  const said = waits === undefined ? plain : `waits for ${Waits.text(waits, now)}`
  return [Output.bold(plan.id, on), ...known, said].filter((part) => part !== "").join("  ")
}

const taskLines = (facts: RunFacts, index: number, width: number, now: number, on: boolean): ReadonlyArray<string> => {
  const task: PlanTask = facts.plan.tasks[index]
  const standing = Standing.at(facts, index, now)
  const { status } = standing
  const isRetry = standing.waits?.for === "retry"
  const seen = taskFacts(facts, task.id)
  const name = pad(fit(task.id, width), width)
  const shown = status === "pending" || status === "ready" || status === "skipped" ? Output.dim(name, on) : name
  const line = `${icon(iconStatus(standing), now, on)} ${shown}  ${detail(facts, task, now, on)}`.trimEnd()
  const beneath = (text: string) => `    ${text}`
  if (status === "running" && seen.log !== undefined) return [line, beneath(Output.dim(clean(seen.log), on))]
  const error = taskAt(facts.state, index).error
  const bad = status === "failed" || isRetry || status === "warned"
  if (bad && error !== undefined) {
    const text = clean(error.message)
    return [line, beneath(status === "failed" ? Output.red(text, on) : Output.yellow(text, on))]
  }
  return [line]
}

const counted: ReadonlyArray<readonly [string, ReadonlyArray<TaskStatus>]> = [
  ["running", ["running"]],
  ["succeeded", ["succeeded"]],
  ["warned", ["warned"]],
  ["failed", ["failed", "timed_out", "lost"]],
  ["unknown", ["unknown"]],
  ["to be tried again", ["retrying"]],
  ["skipped", ["skipped"]],
  ["cancelled", ["cancelled"]],
  ["waiting", ["pending", "ready", "waiting"]],
]

/** How many tasks stand where: `3 running, 4,120 succeeded, 877 waiting`. */
export const counts = (facts: RunFacts): string => {
  const found = new Map<TaskStatus, number>()
  facts.plan.tasks.forEach((_, index) => {
    const status = statusAt(facts, index)
    if (status === "pending" && CompiledPlan.isInHandler(facts.state.plan, index)) return
    found.set(status, (found.get(status) ?? 0) + 1)
  })
  return counted
    .map(([word, statuses]) => [word, statuses.reduce((sum, status) => sum + (found.get(status) ?? 0), 0)] as const)
    .filter(([, count]) => count > 0)
    .map(([word, count]) => `${count.toLocaleString("en-US")} ${word}`)
    .join(", ")
}

const nameWidth = (facts: RunFacts, indexes: ReadonlyArray<number>, columns: number): number =>
  Math.min(
    Math.max(12, Math.floor(columns / 3)),
    indexes.reduce((most, index) => Math.max(most, facts.plan.tasks[index].id.length), 0),
  )

const whole = (facts: RunFacts, now: number, terminal: Terminal): ReadonlyArray<string> => {
  const all = facts.plan.tasks.map((_, index) => index)
  const width = nameWidth(facts, all, terminal.columns)
  return blocks.flatMap(([block, title]) => {
    const { plan } = facts.state
    const begun = (index: number) => statusAt(facts, index) !== "pending"
    const members = all.filter((index) => CompiledPlan.outerBlockOf(plan, index) === block)
    if (block !== "tasks" && !members.some(begun)) return []
    const shown = members.filter((index) => block !== "tasks" || begun(index) || !CompiledPlan.isInHandler(plan, index))
    const lines = shown.flatMap((index) => taskLines(facts, index, width, now, terminal.colours))
    return title === "" ? lines : [Output.dim(title, terminal.colours), ...lines]
  })
}

const urgentOnly = (facts: RunFacts, now: number, terminal: Terminal, room: number): ReadonlyArray<string> => {
  const byStatus = new Map<TaskStatus, Array<number>>(urgent.map((status) => [status, []]))
  facts.plan.tasks.forEach((_, index) => byStatus.get(statusAt(facts, index))?.push(index))
  const shown = urgent.flatMap((status) => byStatus.get(status) ?? []).slice(0, room)
  const width = nameWidth(facts, shown, terminal.columns)
  const lines: Array<string> = []
  for (const index of shown) {
    const more = taskLines(facts, index, width, now, terminal.colours)
    if (lines.length + more.length > room) break
    lines.push(...more)
  }
  return lines
}

/**
 * The picture of a run at a time, at most as high and as wide as the terminal: every task where they fit, else those
 * that run or went wrong, and how many stand where.
 */
export const frame = (facts: RunFacts, now: number, terminal: Terminal): string => {
  const room = Math.max(1, terminal.rows - 3)
  const small = facts.plan.tasks.length <= room
  const all = small ? whole(facts, now, terminal) : []
  const fits = small && all.length <= room
  const body = fits ? all : urgentOnly(facts, now, terminal, room)
  const foot = fits && facts.plan.tasks.length < 8 ? [] : [Output.dim(counts(facts), terminal.colours)]
  return [header(facts, now, terminal.colours), ...body, ...foot].map((line) => fit(line, terminal.columns)).join("\n")
}
