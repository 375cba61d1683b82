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
import { type AskedRun, Host, type HostUnready } from "../host.ts"
import * as Problems from "./problems.ts"
import { type PendingApproval, type RunDetail, RunStatus, type RunSummary } from "./run-views.ts"

const isStatus = Schema.is(RunStatus)
const isRequested = Schema.is(eventData["dev.dandori.approval.requested.v1"])

const time = (millis: number): string => new Date(millis).toISOString()

/** There is no run of an id. */
const missing = (run: string) => new Problems.NotFound({ code: "RunMissing", detail: `The ledger has no run ${run}` })

/** A ledger that cannot be read now. */
export const unreadable = (error: { readonly message: string }) =>
  new Problems.Unavailable({ code: "LedgerFailed", detail: error.message })

const recorded = Effect.fnUntraced(function* (run: string) {
  const { home } = yield* Workspace
  return yield* Effect.mapError(RecordedRun.read(home, run), unreadable)
})

const isMissing = ({ entries, fault, owned }: RecordedRun.RecordedRun): boolean =>
  entries.length === 0 && fault === undefined && !owned

/** Whether the daemon is the one that has to drive a run, and does not yet. */
const isUndriven = ({ status }: RecordedRun.RecordedRun): boolean => status === "interrupted" || status === "empty"

/** A run as it stands in a list; `asked` is what the daemon knows of it, where it is asked for. */
export const summaryOf = (run: RecordedRun.RecordedRun, asked: AskedRun | undefined): RunSummary => {
  const { created, data, durationMillis, fault, id, status, waits } = run
  const known = data ?? asked
  return {
    run: id,
    ...(known === undefined ? {} : { pipeline: known.pipeline, env: known.env }),
    status: asked !== undefined && isUndriven(run) ? "queued" : isStatus(status) ? status : "running",
    ...(waits === undefined ? {} : { waiting: Standing.json(waits) }),
    created: time(created),
    ...(durationMillis === undefined ? {} : { durationMillis }),
    who: run.entries.length === 0 && asked !== undefined ? asked.who : run.who,
    ...(known?.tick === undefined ? {} : { tick: known.tick }),
    ...(fault === undefined ? {} : { damaged: fault.reason }),
  }
}

/** A host that cannot tell now. */
export const unready = ({ _tag, message }: HostUnready) => new Problems.Unavailable({ code: _tag, detail: message })

/** What is known of a run that no daemon drives yet. */
const askedOf = Effect.fnUntraced(function* (run: RecordedRun.RecordedRun) {
  if (!isUndriven(run)) return undefined
  return yield* Effect.mapError((yield* Host).askedFor(run.id), unready)
})

/** There is no run of an id, or it was asked for and not created. */
export const neverThere = Effect.fnUntraced(function* (run: string) {
  const why = yield* Effect.mapError((yield* Host).notCreated(run), unready)
  return yield* why === undefined ? missing(run) : Problems.notCreated(run, why)
})

/** There is no run of an id yet, or there never will be. */
export const absent = Effect.fnUntraced(function* (run: string) {
  const asked = yield* Effect.mapError((yield* Host).askedFor(run), unready)
  if (asked === undefined) return yield* neverThere(run)
  const detail = `Run ${run} waits to begin, and begins by itself when it is its turn`
  return yield* new Problems.Conflict({ code: "RunNotBegun", detail })
})

/** A run as its stream tells it. */
export const read = Effect.fnUntraced(function* (run: string) {
  const found = yield* recorded(run)
  return isMissing(found) ? yield* absent(run) : found
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

/** The plan of a run, also of one that waits to be created. */
export const plan = Effect.fnUntraced(function* (id: string) {
  const { home } = yield* Workspace
  const run = yield* recorded(id)
  const asked = run.entries.length === 0 ? yield* askedOf(run) : undefined
  if (asked === undefined && isMissing(run)) return yield* neverThere(id)
  const found = asked === undefined ? RecordedRun.planOf(home, run) : RecordedRun.planAt(home, id, asked.plan)
  return yield* Effect.mapError(found, ({ what }) => new Problems.NotFound({ code: "PlanMissing", detail: what }))
})

/** A run with its tasks, also one that waits to be created: that has none yet. */
export const detail = Effect.fnUntraced(function* (id: string) {
  const run = yield* recorded(id)
  const asked = yield* askedOf(run)
  if (asked === undefined && isMissing(run)) return yield* neverThere(id)
  const facts = yield* factsOf(run)
  const { data } = run
  const told = data ?? asked
  const last = run.entries.at(-1)
  const now = run.owned ? yield* Clock.currentTimeMillis : Date.parse(last?.time ?? time(run.created))
  const known = facts._tag === "Some" ? facts.value : undefined
  return {
    ...summaryOf(run, asked),
    ...(told === undefined ? {} : { plan: told.plan }),
    ...(data === undefined ? {} : { params: data.params }),
    ...(data?.from === undefined ? {} : { from: data.from }),
    ...(data?.only === undefined ? {} : { only: data.only }),
    sequence: run.entries.length,
    tasks: known === undefined ? [] : tasksJson(known, now),
    approvals: known === undefined ? [] : approvalsOf(run, known),
  } satisfies RunDetail
})

/**
 * The newest runs, older than one of them where it is named, also those that wait to be created; of a backfill only what is
 * next.
 */
export const page = Effect.fnUntraced(function* (limit: number, before: string | undefined) {
  const { home } = yield* Workspace
  const created = yield* Effect.mapError((yield* Ledger).runs, unreadable)
  // Runs that are there are listed also while a daemon that starts cannot tell what waits.
  const all = yield* Effect.orElseSucceed((yield* Host).asked, (): ReadonlyArray<AskedRun> => [])
  const asked = new Map(all.map((one) => [one.run, one]))
  const next = [...asked.values()].flatMap(({ isLater, run }) => (isLater ? [] : [run]))
  const runIds = next.length === 0 ? created : [...new Set([...created, ...next])].toSorted()
  const older = before === undefined ? runIds : runIds.filter((run) => run < before)
  const ids = older.slice(-limit).toReversed()
  const runs = yield* Effect.mapError(
    Effect.forEach(ids, (run) => RecordedRun.read(home, run)),
    unreadable,
  )
  const [last] = ids.slice(-1)
  return {
    runs: runs.map((run) => summaryOf(run, asked.get(run.id))),
    ...(older.length > ids.length && last !== undefined ? { before: last } : {}),
  }
})
