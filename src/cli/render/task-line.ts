import type { PlanTask } from "../../domain/plan.ts"
import { type TaskStatus, isTerminal, matrixAt, taskOf } from "../../engine/run-state.ts"
import type { ProgressReport } from "../../services/progress.ts"
import * as Output from "../output.ts"
import { duration } from "./duration.ts"
import { clean } from "./line.ts"
import { type RunFacts, taskFacts, taskMillis } from "../../engine/run-facts.ts"
import * as Standing from "../../engine/standing.ts"
import * as Waits from "./waits.ts"

const spinner = ["⠋", "⠙", "⠹", "⠸", "⠼", "⠴", "⠦", "⠧", "⠇", "⠏"]

const icons: Readonly<Record<TaskStatus, string>> = {
  pending: "·",
  ready: "·",
  retrying: "↻",
  waiting: "⏸",
  running: "▸",
  succeeded: "✓",
  warned: "!",
  failed: "✗",
  skipped: "–",
  cancelled: "■",
  timed_out: "✗",
  lost: "✗",
  unknown: "?",
}

/** Colours a text as befits a task's status. */
export const paint = (status: TaskStatus, text: string, on: boolean): string => {
  if (status === "succeeded") return Output.green(text, on)
  if (status === "failed" || status === "timed_out" || status === "lost") return Output.red(text, on)
  if (["warned", "retrying", "waiting", "unknown"].includes(status)) return Output.yellow(text, on)
  if (status === "running") return Output.cyan(text, on)
  return Output.dim(text, on)
}

/** A status in one column; a running task's turns. */
export const icon = (status: TaskStatus, now: number, on: boolean): string =>
  paint(status, status === "running" ? spinner[Math.floor(now / 100) % spinner.length] : icons[status], on)

const amount = (value: number): string =>
  value >= 10_000 ? Math.round(value).toLocaleString("en-US") : String(Math.round(value * 100) / 100)

/** How far a task is: a bar where the total is known, numbers, unit, note. */
export const bar = ({ done, note, total, unit }: ProgressReport, columns: number): string => {
  const of = unit === undefined ? "" : ` ${clean(unit)}`
  const said = note === undefined ? "" : `  ${clean(note)}`
  if (total === undefined || !(total > 0)) return `${amount(done)}${of}${said}`
  const filled = Math.round(Math.min(1, Math.max(0, done / total)) * columns)
  return `${"█".repeat(filled)}${"░".repeat(columns - filled)} ${amount(done)}/${amount(total)}${of}${said}`
}

/** The status whose icon a task has: one that is to be tried again is told from one that waits for others. */
export const iconStatus = ({ status, waits }: Standing.Standing<Standing.ShownStatus>): TaskStatus =>
  waits?.for === "retry" ? "retrying" : status

/** What a task waits for before it is ready. */
const needsOf = (facts: RunFacts, task: PlanTask): string => {
  const open = task.needs.filter((need) => !isTerminal(taskOf(facts.state, need).status))
  if (open.length === 0) return ""
  const more = open.length > 3 ? ` and ${open.length - 3} more` : ""
  return `waits for ${open.slice(0, 3).join(", ")}${more}`
}

/** How far a matrix is. */
const endedOf = ({ state }: RunFacts, id: string): string | undefined => {
  const open = matrixAt(state, state.plan.indexOf.get(id) ?? -1)
  if (open === undefined) return undefined
  const bad = open.ended.failed || open.ended.timed_out || open.ended.lost
  return `${open.count - open.open} of ${open.count} instances have ended${bad ? ", some failed" : ""}`
}

/** What is said of a task beside its name, now. */
export const detail = (facts: RunFacts, task: PlanTask, now: number, on: boolean): string => {
  const state = taskOf(facts.state, task.id)
  const seen = taskFacts(facts, task.id)
  const took = duration(taskMillis(seen, now))
  const again = state.attempt > 1 ? [`attempt ${state.attempt}`] : []
  const { status, waits } = Standing.ofTask(facts, task.id, now)
  const ended = endedOf(facts, task.id)
  if (ended !== undefined && state.status !== "waiting") {
    return waits === undefined
      ? Output.dim(ended, on)
      : Output.yellow(`${ended}, waits for ${Waits.text(waits, now)}`, on)
  }
  const join = (...parts: ReadonlyArray<string>) => parts.filter((part) => part !== "").join("  ")
  switch (status) {
    case "pending":
    case "ready": {
      const needs = status === "pending" ? needsOf(facts, task) : ""
      return needs === "" ? "" : Output.dim(needs, on)
    }
    case "running": {
      const current = seen.attempts.at(-1)
      const elapsed = duration(now - (current?.started ?? now))
      return join(elapsed, ...again, seen.progress === undefined ? "" : bar(seen.progress, 20))
    }
    case "waiting": {
      if (waits === undefined) return ""
      const told = Waits.text(waits, now)
      if (waits.for === "retry") return Output.yellow(join(told, seen.attempts.at(-1)?.error?.tag ?? ""), on)
      return Output.yellow(waits.for === "pause" ? `paused until ${told}` : `waits for ${told}`, on)
    }
    case "succeeded": {
      if (seen.adopted !== undefined) return Output.dim(`taken over from run ${seen.adopted}`, on)
      if (seen.cached !== undefined) return Output.dim(`cached: from run ${seen.cached.run}`, on)
      const verdict = seen.gate === undefined ? "" : `gate ${seen.gate.verdict}`
      return join(took, ...again, verdict === "gate WARNED" ? Output.yellow(verdict, on) : verdict)
    }
    case "warned":
    case "failed":
      return join(took, ...again, seen.gate === undefined ? "" : `gate ${seen.gate.verdict}`)
    case "skipped":
      return Output.dim(`skipped: ${clean(seen.reason ?? "its sub-pipeline did not start")}`, on)
    case "timed_out":
      return join(took, ...again, "timed out")
    case "unknown":
      return Output.yellow("unknown whether it happened; people have to say", on)
    case "cancelled":
    case "lost":
      return join(seen.attempts.length === 0 ? "" : took, state.status)
  }
}
