import type { Incomplete } from "../../engine/books.ts"
import { runStatus } from "../../engine/run-state.ts"
import type { RunFacts, TimedEvent } from "../../engine/run-facts.ts"
import type { Waiting } from "../../services/leases.ts"
import { tasksJson } from "../../engine/tasks-json.ts"
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
