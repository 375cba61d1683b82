import type { Incomplete } from "../../engine/books.ts"
import { runStatus, taskOf } from "../../engine/run-state.ts"
import * as Instances from "./instances.ts"
import { type RunFacts, type TimedEvent, taskFacts, taskMillis } from "./run-facts.ts"
import type { Waiting } from "../../services/leases.ts"
import * as Standing from "./standing.ts"
import type { TaskResult } from "./run-results.ts"

/** Version of the lines that programs read. */
export const version = 1

/** An event as a line for programs. */
export const eventJson = (event: TimedEvent) => ({
  v: version,
  kind: "event",
  ...(event.run === undefined ? {} : { run: event.run }),
  time: new Date(event.time).toISOString(),
  type: event.type,
  data: event.data,
})

/** What a task waits for before it may start, as a line for programs. */
export const waitingJson = (facts: RunFacts, task: string, { earlier, holders, name }: Waiting, now: number) => ({
  v: version,
  kind: "waiting",
  ...(facts.run === undefined ? {} : { run: facts.run }),
  time: new Date(now).toISOString(),
  task,
  for: name,
  holders,
  earlier,
})

const nodeJson = (facts: RunFacts, id: string, now: number) => {
  const { error, receipts } = taskOf(facts.state, id)
  const { status, waits } = Standing.ofTask(facts, id, now)
  const seen = taskFacts(facts, id)
  return {
    status,
    ...(waits === undefined ? {} : { waiting: Standing.json(waits) }),
    millis: taskMillis(seen, now),
    attempts: seen.attempts.map(({ ended, started, ...attempt }) => ({
      ...attempt,
      started: new Date(started).toISOString(),
      ...(ended === undefined ? {} : { ended: new Date(ended).toISOString() }),
    })),
    ...(error === undefined ? {} : { error }),
    ...(seen.reason === undefined ? {} : { reason: seen.reason }),
    ...(seen.cached === undefined ? {} : { cached: seen.cached }),
    ...(seen.gate === undefined ? {} : { verdict: seen.gate.verdict }),
    ...(receipts === undefined ? {} : { receipts: receipts.map(({ sha256 }) => sha256) }),
  }
}

/** The tasks of a run as programs read them; a matrix with its instances. */
export const tasksJson = (facts: RunFacts, now: number) =>
  facts.plan.tasks.map(({ id, labels, matrix, type }) => {
    const own = { id, type, ...(labels === undefined ? {} : { labels }), ...nodeJson(facts, id, now) }
    if (matrix === undefined) return own
    const combinations = Instances.combinationsOf(facts, id)
    const instances = Instances.idsOf(facts, id).map((instance, n) => ({
      id: instance,
      ...(combinations[n] === undefined ? {} : { matrix: combinations[n] }),
      ...nodeJson(facts, instance, now),
    }))
    return { ...own, instances }
  })

const incompleteJson = ({ events, reason, since }: Incomplete) => ({
  events,
  ...(since === undefined ? {} : { since: new Date(since).toISOString() }),
  reason,
})

/** The end of a run as a line for programs. */
export const resultJson = (
  facts: RunFacts,
  run: string,
  results: ReadonlyArray<TaskResult>,
  now: number,
  incomplete?: Incomplete,
) => ({
  v: version,
  kind: "result",
  run,
  pipeline: facts.plan.id,
  ...(facts.env === undefined ? {} : { env: facts.env }),
  status: runStatus(facts.state),
  durationMillis: facts.durationMillis ?? now - (facts.created ?? now),
  ...(incomplete === undefined ? {} : { incomplete: incompleteJson(incomplete) }),
  tasks: tasksJson(facts, now),
  results,
})
