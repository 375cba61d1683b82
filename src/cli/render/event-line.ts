import * as Output from "../output.ts"
import { count } from "../plain-text.ts"
import { clean, fit, pad } from "./line.ts"
import { duration, timeOfDay } from "./duration.ts"
import { type Waiting, waitingText } from "../../services/leases.ts"
import { type RunFacts, type TimedEvent, taskFacts } from "../../engine/run-facts.ts"

/** What an event says, and how grave it is. */
interface Said {
  readonly text: string
  readonly weight: "news" | "good" | "warning" | "bad"
}

const news = (text: string): Said => ({ text, weight: "news" })
const bad = (text: string): Said => ({ text, weight: "bad" })
const warning = (text: string): Said => ({ text, weight: "warning" })

const took = (facts: RunFacts, task: string, attempt: number): string => {
  const found = taskFacts(facts, task).attempts.findLast((one) => one.attempt === attempt)
  return found?.ended === undefined ? "" : ` in ${duration(found.ended - found.started)}`
}

/** A message of several lines as the beginning of one. */
const short = (text: string): string => fit(clean(text), 240)

const say = (facts: RunFacts, event: TimedEvent): Said | undefined => {
  switch (event.type) {
    case "dev.dandori.run.created.v1":
      return news(`run ${facts.run === undefined ? "" : `${facts.run} `}started, env ${event.data.env}`)
    case "dev.dandori.run.resumed.v1": {
      const { stopped } = event.data
      const left = stopped.length === 0 ? "" : `; ${stopped.length} child processes that it left were stopped`
      return news(`run ${facts.run === undefined ? "" : `${facts.run} `}goes on${left}`)
    }
    case "dev.dandori.run.suspended.v1":
      return warning("its process let go of the run, which is left to be resumed")
    case "dev.dandori.attempt.started.v1":
      return news(event.data.attempt === 1 ? "started" : `started, attempt ${event.data.attempt}`)
    case "dev.dandori.attempt.succeeded.v1": {
      const { cached, probed, task, attempt } = event.data
      if (cached !== undefined) return { text: `cached: from run ${cached.run}`, weight: "good" }
      const how = probed === true ? " (its probe says that it was done)" : ""
      return { text: `succeeded${took(facts, task, attempt)}${how}`, weight: "good" }
    }
    case "dev.dandori.attempt.failed.v1": {
      const { attempt, error, task } = event.data
      const why = taskFacts(facts, task).gate?.verdict === "FAILED" ? "" : `: ${short(error.message)}`
      return bad(`failed${took(facts, task, attempt)}${why}`)
    }
    case "dev.dandori.attempt.timed_out.v1":
      return bad(`timed out after ${duration(event.data.timeoutMillis)}`)
    case "dev.dandori.pipeline.timed_out.v1":
      return bad(`timed out after ${duration(event.data.timeoutMillis)}`)
    case "dev.dandori.attempt.cancelled.v1":
      return warning("cancelled")
    case "dev.dandori.attempt.lost.v1":
      return warning(`lost: ${short(event.data.reason)}`)
    case "dev.dandori.attempt.unknown.v1":
      return bad(`unknown whether it happened: ${short(event.data.reason)}`)
    case "dev.dandori.task.skipped.v1":
      return news(`skipped: ${clean(event.data.reason)}`)
    case "dev.dandori.task.adopted.v1":
      return { text: `taken over from run ${event.data.run}`, weight: "good" }
    case "dev.dandori.matrix.expanded.v1":
      return news(count(event.data.count, "instance", "instances"))
    case "dev.dandori.run.queued.v1": {
      const { behind, group } = event.data
      return news(`queued in the group ${group} behind ${behind.slice(0, 3).join(", ")}`)
    }
    case "dev.dandori.run.admitted.v1":
      return news("its turn has come")
    case "dev.dandori.run.held.v1":
      return warning(`held by cordon ${clean(event.data.cordon)}: ${clean(event.data.reason)}`)
    case "dev.dandori.run.released.v1":
      return news(`cordon ${clean(event.data.cordon)} is gone`)
    case "dev.dandori.task.paused.v1":
      return news(`paused until ${new Date(event.data.until).toISOString()}: ${clean(event.data.reason)}`)
    case "dev.dandori.approval.requested.v1":
      return warning(`waits for approval by ${event.data.approvers}`)
    case "dev.dandori.approval.granted.v1":
      return { text: `approved by ${clean(event.data.by)}`, weight: "good" }
    case "dev.dandori.approval.refused.v1":
      return bad(`refused by ${clean(event.data.by)}: ${clean(event.data.reason)}`)
    case "dev.dandori.approval.expired.v1":
      return bad("nobody agreed in time")
    case "dev.dandori.task.resolved.v1":
      return news(`resolved as ${event.data.as}: ${clean(event.data.reason)}`)
    case "dev.dandori.retry.scheduled.v1":
      return warning(`will be tried again in ${duration(event.data.delayMillis)}`)
    case "dev.dandori.gate.passed.v1":
    case "dev.dandori.gate.failed.v1": {
      const { verdict, reasons } = event.data.gate
      const why = reasons.length === 0 ? "" : `: ${clean(reasons.join("; "))}`
      const weight = verdict === "PASSED" ? "good" : verdict === "WARNED" ? "warning" : "bad"
      return { text: `gate ${verdict}${why}`, weight }
    }
    case "dev.dandori.ledger.stalled.v1":
      return bad(`the ledger cannot be written, and the run goes on without it: ${short(event.data.reason)}`)
    case "dev.dandori.ledger.recovered.v1": {
      const late = count(event.data.events, "event that was late is", "events that were late are")
      return { text: `the ledger can be written again: ${late} in it`, weight: "good" }
    }
    case "dev.dandori.cancel.requested.v1":
      return warning(`cancel: ${clean(event.data.reason)}`)
    default:
      return undefined
  }
}

const paints = { news: (text: string) => text, good: Output.green, warning: Output.yellow, bad: Output.red }

/** A line for an event that is worth reading, `12:00:01 train  started`; with `gravely`, only for what went wrong. */
export const eventLine = (
  facts: RunFacts,
  event: TimedEvent,
  options: { readonly width: number; readonly colours: boolean; readonly gravely: boolean },
): string | undefined => {
  const said = say(facts, event)
  if (said === undefined || (options.gravely && said.weight !== "bad")) return undefined
  const who = "task" in event.data ? event.data.task : facts.plan.id
  return `${timeOfDay(event.time)} ${pad(who, options.width)}  ${paints[said.weight](said.text, options.colours)}`
}

/** A line for a task that waits for what others hold, `12:00:01 train  waits for lock a, held by run …, pid …`. */
export const waitingLine = (task: string, waiting: Waiting, time: number, width: number): string =>
  `${timeOfDay(time)} ${pad(task, width)}  waits for ${clean(waitingText(waiting))}`
