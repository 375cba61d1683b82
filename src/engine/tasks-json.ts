import * as Instances from "./instances.ts"
import { type RunFacts, taskFacts, taskMillis } from "./run-facts.ts"
import { taskOf } from "./run-state.ts"
import * as Standing from "./standing.ts"

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
