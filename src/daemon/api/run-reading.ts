import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import { type EventData, data as eventData } from "../../domain/event.ts"
import * as RecordedRun from "../../engine/recorded-run.ts"
import * as RunFacts from "../../engine/run-facts.ts"
import { taskOf } from "../../engine/run-state.ts"
import * as Standing from "../../engine/standing.ts"
import { tasksJson } from "../../engine/tasks-json.ts"
import { Ledger } from "../../ledger/ledger.ts"
import { Workspace } from "../../services/workspace.ts"
import * as Problems from "./problems.ts"
import { type PendingApproval, type RunDetail, RunStatus, type RunSummary } from "./run-views.ts"

const isStatus = Schema.is(RunStatus)
const isRequested = Schema.is(eventData["dev.dandori.approval.requested.v1"])

const time = (millis: number): string => new Date(millis).toISOString()

/** There is no run of an id. */
export const missing = (run: string) =>
  new Problems.NotFound({ code: "RunMissing", detail: `The ledger has no run ${run}` })

/** A ledger that cannot be read now. */
export const unreadable = (error: { readonly message: string }) =>
  new Problems.Unavailable({ code: "LedgerFailed", detail: error.message })

/** A run as its stream tells it. */
export const read = Effect.fnUntraced(function* (run: string) {
  const { home } = yield* Workspace
  const found = yield* Effect.mapError(RecordedRun.read(home, run), unreadable)
  return found.entries.length === 0 && found.fault === undefined && !found.owned ? yield* missing(run) : found
})

/** A run as it stands in a list. */
export const summaryOf = (run: RecordedRun.RecordedRun): RunSummary => ({
  run: run.id,
  ...(run.data === undefined ? {} : { pipeline: run.data.pipeline, env: run.data.env }),
  status: isStatus(run.status) ? run.status : "running",
  ...(run.waits === undefined ? {} : { waiting: Standing.json(run.waits) }),
  created: time(run.created),
  ...(run.durationMillis === undefined ? {} : { durationMillis: run.durationMillis }),
  who: run.who,
  ...(run.data?.tick === undefined ? {} : { tick: run.data.tick }),
  ...(run.fault === undefined ? {} : { damaged: run.fault.reason }),
})

const approvalOf = (
  run: RecordedRun.RecordedRun,
  facts: RunFacts.RunFacts,
  asked: EventData<"dev.dandori.approval.requested.v1">,
): ReadonlyArray<PendingApproval> => {
  const { approval, status } = taskOf(facts.state, asked.task)
  if (status !== "waiting" || approval === undefined || approval.input !== asked.input) return []
  const due = approval.due ?? asked.due
  return [
    {
      run: run.id,
      pipeline: facts.plan.id,
      task: asked.task,
      input: asked.input,
      requester: run.who,
      approvers: asked.approvers,
      granted: approval.granted,
      ...(due === undefined ? {} : { due: time(due) }),
      ...(asked.shown === undefined ? {} : { shown: asked.shown }),
    },
  ]
}

/** What a run waits to be agreed to, each once. */
export const approvalsOf = (run: RecordedRun.RecordedRun, facts: RunFacts.RunFacts): ReadonlyArray<PendingApproval> => {
  if (run.durationMillis !== undefined) return []
  const asked = new Map(
    run.entries.flatMap(({ data, type }) =>
      type === "dev.dandori.approval.requested.v1" && isRequested(data) ? [[data.task, data] as const] : [],
    ),
  )
  return [...asked.values()].flatMap((one) => approvalOf(run, facts, one))
}

/** The facts of a run with its plan; none where the plan cannot be read any more. */
export const factsOf = Effect.fnUntraced(function* (run: RecordedRun.RecordedRun) {
  const { home } = yield* Workspace
  return yield* RecordedRun.planOf(home, run).pipe(
    Effect.map((plan) => RecordedRun.factsOf(plan, run)),
    Effect.option,
  )
})

/** A run with its tasks. */
export const detailOf = Effect.fnUntraced(function* (run: RecordedRun.RecordedRun) {
  const facts = yield* factsOf(run)
  const { data } = run
  const last = run.entries.at(-1)
  const now = run.owned ? yield* Clock.currentTimeMillis : Date.parse(last?.time ?? time(run.created))
  const known = facts._tag === "Some" ? facts.value : undefined
  const detail: RunDetail = {
    ...summaryOf(run),
    ...(data === undefined ? {} : { plan: data.plan, params: data.params }),
    ...(data?.from === undefined ? {} : { from: data.from }),
    ...(data?.only === undefined ? {} : { only: data.only }),
    sequence: run.entries.length,
    tasks: known === undefined ? [] : tasksJson(known, now),
    approvals: known === undefined ? [] : approvalsOf(run, known),
  }
  return detail
})

/** The newest runs, older than one of them where it is named. */
export const page = Effect.fnUntraced(function* (limit: number, before: string | undefined) {
  const { home } = yield* Workspace
  const all = yield* Effect.mapError((yield* Ledger).runs, unreadable)
  const older = before === undefined ? all : all.filter((run) => run < before)
  const ids = older.slice(-limit).toReversed()
  const runs = yield* Effect.mapError(
    Effect.forEach(ids, (run) => RecordedRun.read(home, run)),
    unreadable,
  )
  const [last] = ids.slice(-1)
  return {
    runs: runs.map(summaryOf),
    ...(older.length > ids.length && last !== undefined ? { before: last } : {}),
  }
})
