import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import * as CanonicalJson from "../domain/canonical-json.ts"
import { data as eventData, type Entry, type Event } from "../domain/event.ts"
import { didYouMean } from "../domain/suggest.ts"
import type { Plan, PlanTask } from "../domain/plan.ts"
import { Ledger } from "../ledger/ledger.ts"
import * as StreamName from "../ledger/stream-name.ts"
import type { Recalled } from "./resume.ts"

/** A new run cannot take over what was asked of it. */
export class TakeoverRefused extends Schema.TaggedError<TakeoverRefused>()("TakeoverRefused", {
  reason: Schema.String,
}) {
  override get message() {
    return this.reason
  }
}

/** What a new run takes over from an old one: the events that say so, in their order, and which tasks it leaves alone. */
export interface Takeover {
  readonly from: string
  readonly events: ReadonlyArray<Event>
  /** With `--only`: the task, or the instance, that is run. */
  readonly only?: string
}

/** What a person asks to be run again: from a task or an instance on, or one alone; else all that did not succeed. */
export interface Again {
  readonly from?: string | undefined
  readonly only?: string | undefined
}

const isSucceeded = Schema.is(eventData["dev.dandori.attempt.succeeded.v1"])
const isResolved = Schema.is(eventData["dev.dandori.task.resolved.v1"])
const isAdopted = Schema.is(eventData["dev.dandori.task.adopted.v1"])
const isExpanded = Schema.is(eventData["dev.dandori.matrix.expanded.v1"])
const isEntered = Schema.is(eventData["dev.dandori.pipeline.entered.v1"])

/** The task of the plan that an id belongs to: `train` of `train[3]`. */
const templateId = (id: string): string => id.replace(/\[\d+\]$/, "")

/** Whether a task belongs to the one that is run alone: it is the same, an instance or a part of it. */
export const within = (only: string, id: string): boolean =>
  id === only || templateId(id) === only || id.startsWith(`${only}/`)

const parentsOf = (id: string): ReadonlyArray<string> => {
  const parts = id.split("/")
  return parts.slice(1).map((_, i) => parts.slice(0, i + 1).join("/"))
}

/** What the old run has of a task. */
interface Had {
  /** It is the same in both plans. */
  readonly same: boolean
  /** It succeeded; of a group: it was opened. */
  readonly ended: boolean
  /** Of a matrix: instances that did not succeed. */
  readonly left: number
}

/**
 * `again`: tasks of which nothing is taken over, since they did not succeed, changed, were named, or stand behind one
 * that runs again. `incomplete`: those and the groups in which something runs again. Handlers of a sub-pipeline run
 * again with any of its tasks, and make nothing else run again. Tasks stand in topological order, handlers last.
 */
const split = (plan: Plan, named: ReadonlySet<string>, had: (task: PlanTask) => Had) => {
  const again = new Set<string>()
  const incomplete = new Set<string>()
  const handlers = new Set<string>()
  for (const task of plan.tasks) {
    const { ended, left, same } = had(task)
    const parents = parentsOf(task.id)
    const isHandler = task.block !== undefined || parents.some((parent) => handlers.has(parent))
    if (isHandler) handlers.add(task.id)
    const within = parents.some((parent) => again.has(parent) || (isHandler && incomplete.has(parent)))
    const behind = within || task.needs.some((need) => incomplete.has(need))
    if (named.has(task.id) || !same || !ended || behind) again.add(task.id)
    if (!again.has(task.id) && left === 0) continue
    for (const id of [task.id, ...parents]) if (!isHandler || handlers.has(id)) incomplete.add(id)
  }
  return { again, incomplete }
}

/** What an entry says of the end of a task, as the new run says it. */
const adopted = (run: string, entry: Entry): Event | undefined => {
  const { data, type } = entry
  const say = (given: {
    readonly task: string
    readonly output?: unknown
    readonly outputArtifact?: unknown
    readonly receipts?: unknown
  }) => {
    const { output, outputArtifact, receipts, task } = given
    return {
      type: "dev.dandori.task.adopted.v1",
      data: {
        task,
        run,
        entry: entry.entryhash,
        ...(output === undefined ? {} : { output }),
        ...(outputArtifact === undefined ? {} : { outputArtifact }),
        ...(receipts === undefined ? {} : { receipts }),
      },
    } as Event
  }
  if (type === "dev.dandori.attempt.succeeded.v1" && isSucceeded(data)) return say(data)
  if (type === "dev.dandori.task.resolved.v1" && isResolved(data) && data.as === "succeeded") return say(data)
  if (type === "dev.dandori.task.adopted.v1" && isAdopted(data)) return { type, data }
  if (type === "dev.dandori.matrix.expanded.v1" && isExpanded(data)) return { type, data }
  if (type === "dev.dandori.pipeline.entered.v1" && isEntered(data)) {
    return { type, data: { task: data.task, params: data.params } }
  }
  return undefined
}

/** The event as the new run has it: a sub-pipeline has all of its time again. */
export const begunAt = (event: Event, plan: Plan, now: number): Event => {
  if (event.type !== "dev.dandori.pipeline.entered.v1") return event
  const timeout = plan.tasks.find(({ id }) => id === event.data.task)?.pipeline?.timeout
  return timeout === undefined ? event : { ...event, data: { ...event.data, due: now + timeout } }
}

const taskOf = (event: Event): string => ("task" in event.data ? event.data.task : "")

const named = (plan: Plan, id: string | undefined) => {
  if (id === undefined || plan.tasks.some((task) => task.id === id)) return Effect.void
  if (plan.tasks.some((task) => task.matrix !== undefined && id !== task.id && templateId(id) === task.id)) {
    return Effect.void
  }
  const ids = plan.tasks.map((task) => task.id)
  const reason = `The plan has no task "${id}".${didYouMean(id, ids)} It has ${ids.slice(0, 12).join(", ")}`
  return Effect.fail(new TakeoverRefused({ reason }))
}

const same = (a: PlanTask | undefined, b: PlanTask): boolean =>
  a !== undefined && CanonicalJson.digest(a) === CanonicalJson.digest(b)

/** Why a run must not go on: its process died before the run had taken over what it names. Undefined where it may. */
export const cutOff = (entries: ReadonlyArray<Entry>): string | undefined => {
  const [first, ...rest] = entries
  const { from = "", taken = 0 } = (first?.data ?? {}) as { readonly from?: string; readonly taken?: number }
  const wanted = rest.slice(0, taken)
  if (wanted.length === taken && wanted.every((entry) => adopted("", entry) !== undefined)) return undefined
  return `its process died before it had taken over what run ${from} has; do it again: dandori runs retry ${from}`
}

const finished = "dev.dandori.run.finished.v1"

/**
 * Works out what a new run of a plan takes over from a run that has ended: the tasks that succeeded there, are the same
 * in both plans, and are not behind one that runs again. With `only`, nothing else is run, so what that task needs must
 * be there.
 */
export const plan = Effect.fn("Takeover.plan")(function* (run: string, old: Recalled, next: Plan, asked: Again) {
  yield* named(next, asked.from)
  yield* named(next, asked.only)
  const { entries, fault } = yield* (yield* Ledger).read(StreamName.ofRun(run))
  if (fault !== undefined) {
    return yield* new TakeoverRefused({ reason: `The ledger of run ${run} is damaged: ${fault.reason}` })
  }
  if (entries.at(-1)?.type !== finished) {
    return yield* new TakeoverRefused({
      reason: `Run ${run} has not ended; go on with it: dandori runs resume ${run}`,
    })
  }
  const before = new Map(old.plan.tasks.map((task) => [task.id, task]))
  const taken = entries.flatMap((entry) => adopted(run, entry) ?? [])
  const ended = new Set(taken.map(taskOf))
  const counts = new Map(
    taken.flatMap(({ data, type }) =>
      type === "dev.dandori.matrix.expanded.v1" ? [[data.task, data.count] as const] : [],
    ),
  )
  const wanted = [asked.from, asked.only].flatMap((id) => id ?? [])
  const instances = wanted.filter((id) => !next.tasks.some((task) => task.id === id))
  for (const id of instances) {
    const count = counts.get(templateId(id)) ?? 0
    if (count > 0 && Number(id.slice(templateId(id).length + 1, -1)) < count) {
      ended.delete(id)
      continue
    }
    const had = count === 0 ? "no instances" : `${count} instances, the last is ${templateId(id)}[${count - 1}]`
    const reason = `There is no ${id} in run ${run}: its ${templateId(id)} had ${had}`
    return yield* new TakeoverRefused({ reason })
  }
  const { again, incomplete } = split(next, new Set(wanted), (task) => ({
    same: same(before.get(task.id), task),
    ended: ended.has(task.id),
    left: Array.from({ length: counts.get(task.id) ?? 0 }).filter((_, n) => !ended.has(`${task.id}[${n}]`)).length,
  }))
  const handlers = new Set(next.tasks.filter(({ block }) => block !== undefined).map(({ id }) => id))
  const isOwnHandler = (task: string) => handlers.has(task.split("/")[0])
  const events = taken.filter((event) => {
    const task = templateId(taskOf(event))
    return !again.has(task) && !isOwnHandler(task) && !instances.includes(taskOf(event))
  })
  const { only } = asked
  if (only === undefined) return { from: run, events } satisfies Takeover
  const { id, needs = [] } = next.tasks.find((task) => task.id === only || task.id === templateId(only)) ?? { id: only }
  const parents = id === only ? parentsOf(only) : [...parentsOf(only), id]
  const lacking = needs.find((need) => incomplete.has(need)) ?? parents.find((parent) => again.has(parent))
  if (lacking !== undefined) {
    const reason = `${only} needs ${lacking}, of which run ${run} has no result to take over. Run it too: --from ${lacking}`
    return yield* new TakeoverRefused({ reason })
  }
  return { from: run, events, only } satisfies Takeover
})
