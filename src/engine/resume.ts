import * as Effect from "effect/Effect"
import * as HashMap from "effect/HashMap"
import * as Path from "effect/Path"
import * as Schema from "effect/Schema"
import { flushMillis } from "../domain/durability.ts"
import { type Capacity, type Event, type EventData, data as eventData } from "../domain/event.ts"
import type { Plan } from "../domain/plan.ts"
import { LedgerFailed, StreamDamaged } from "../ledger/errors.ts"
import type { Entry } from "../domain/event.ts"
import type { Sha256 } from "../domain/sha256.ts"
import { Ledger } from "../ledger/ledger.ts"
import * as Root from "../ledger/root.ts"
import * as StreamName from "../ledger/stream-name.ts"
import { Artifacts } from "../services/artifacts.ts"
import { CodeDigest } from "../services/code-digest.ts"
import { Observer } from "../services/observer.ts"
import * as ProcessRecords from "../services/process-records.ts"
import { Workspace } from "../services/workspace.ts"
import * as Books from "./books.ts"
import * as CompiledPlan from "./compiled-plan.ts"
import { evolve } from "./evolve.ts"
import * as Execution from "./execution.ts"
import * as Outputs from "./large-outputs.ts"
import * as Prepared from "./prepared.ts"
import * as Run from "./run.ts"
import * as Suspension from "./suspension.ts"
import * as Takeover from "./takeover.ts"
import * as StoredPlan from "./stored-plan.ts"
import { type RunState, initial, taskAt } from "./run-state.ts"

/** The run has ended; there is nothing to go on with. */
export class RunEnded extends Schema.TaggedError<RunEnded>()("RunEnded", {
  run: Schema.String,
  status: Schema.String,
}) {
  override get message() {
    return `Run ${this.run} has ended: ${this.status}. Start a new one`
  }
}

/** What a run was started with, read back from its first event and the artifacts that it names. */
export interface Recalled {
  readonly created: EventData<"dev.dandori.run.created.v1">
  readonly plan: Plan
  /** The resolved configuration, canonical JSON. */
  readonly config: string
  /** Who asked for the run. */
  readonly requester: string
}

const isCreated = Schema.is(eventData["dev.dandori.run.created.v1"])

/** Reads back what a run was started with. The plan's bytes must have the digest that the run names. */
export const recall = Effect.fn("Resume.recall")(function* (run: string) {
  const ledger = yield* Ledger
  const artifacts = yield* Artifacts
  const stream = StreamName.ofRun(run)
  const { entries } = yield* ledger.read(stream)
  const created = entries[0]?.data
  if (!isCreated(created)) {
    return yield* new StreamDamaged({ stream, line: 1, reason: "it does not begin with run.created" })
  }
  const plan = yield* StoredPlan.read(created.plan).pipe(
    Effect.catchTag("PlanUnreadable", ({ message }) =>
      Effect.fail(new StreamDamaged({ stream, line: 1, reason: message })),
    ),
  )
  const config = new TextDecoder().decode(yield* artifacts.get(created.config.sha256))
  return { created, plan, config, requester: entries[0]?.authid ?? "" } satisfies Recalled
})

const eventOf = (entry: Entry) =>
  ({ type: entry.type, data: entry.data, time: Date.parse(entry.time) }) as Event & { time: number }

/** An event as another process folds it: no wait is longer than it was planned, whatever the clock says. */
export const asFoundAt = (plan: Plan, event: Event & { time: number }, now: number): Event & { time: number } => {
  if (event.type === "dev.dandori.retry.scheduled.v1") {
    return { ...event, data: { ...event.data, due: Math.min(event.data.due, now + event.data.delayMillis) } }
  }
  if (event.type !== "dev.dandori.approval.requested.v1" || event.data.due === undefined) return event
  const timeout = plan.tasks.find(({ id }) => id === event.data.task)?.approval?.timeout ?? Infinity
  return { ...event, data: { ...event.data, due: Math.min(event.data.due, now + timeout) } }
}

/** An entry as the event that the core folds. */
const toEvent = (plan: Plan, entry: Entry, now: number) => asFoundAt(plan, eventOf(entry), now)

/** The state of a run as its entries tell it. */
export const fold = (prepared: Pick<Prepared.Prepared, "plan">, entries: ReadonlyArray<Entry>, now: number): RunState =>
  entries.reduce((state, entry) => evolve(state, toEvent(prepared.plan.plan, entry, now)), initial(prepared.plan))

const intents = (entries: ReadonlyArray<Entry>): ReadonlyMap<string, Sha256> =>
  new Map(
    entries
      .filter((entry) => entry.type === "dev.dandori.attempt.started.v1")
      .map((entry) => [(entry.data as { readonly task: string }).task, entry.entryhash]),
  )

/**
 * Goes on with a run whose process died or was stopped: child processes that it left are stopped, open attempts are
 * closed by their effect class, and the run is driven on with the plan and the configuration that it started with.
 */
export const resume = Effect.fn("Resume.resume")(function* (
  run: string,
  recalled: Recalled,
  options: {
    readonly capacity: Capacity
    readonly who: string
    readonly now: number
    readonly control?: Execution.Control
    readonly wait?: boolean
  },
) {
  const ledger = yield* Ledger
  const workspace = yield* Workspace
  const path = yield* Path.Path
  const observer = yield* Observer
  const prepared = yield* Prepared.prepare(recalled.plan)
  yield* Run.primeSecrets(recalled.plan)
  const stream = StreamName.ofRun(run)
  const { entries, fault } = yield* ledger.read(stream)
  const last = entries.at(-1)
  if (fault === undefined && last?.type === "dev.dandori.run.finished.v1") {
    yield* Root.reconcile()
    return yield* new RunEnded({ run, status: (last.data as EventData<"dev.dandori.run.finished.v1">).status })
  }
  yield* Run.checkCapacity(recalled.plan, options.capacity)
  return yield* Effect.scoped(
    Effect.gen(function* () {
      const { audit } = recalled.plan
      const writing = { audit, flushMillis: flushMillis(recalled.created) }
      const { chain, writer } = yield* ledger.reopen(stream, writing)
      let state = fold(prepared, chain.entries, options.now)
      if (state.phase === "ended" && state.status !== "running" && state.status !== "cancelling") {
        yield* Books.closeIfOver(run, state, writer)
        return yield* new RunEnded({ run, status: state.status })
      }
      const left = yield* ProcessRecords.stopLeftovers(
        path.join(workspace.home, "processes"),
        (record) => (record.mark?.run ?? run) === run && ProcessRecords.isOrphaned(record),
      )
      const resumed: Event = {
        type: "dev.dandori.run.resumed.v1",
        data: {
          code: (yield* CodeDigest)(),
          capacity: options.capacity,
          stopped: left.flatMap(({ stopped }) => [...stopped]),
        },
      }
      for (const entry of chain.entries) observer.onEvent({ ...eventOf(entry), run, replayed: true })
      const appended = writer.append(resumed)
      // It begins as a run does: with a ledger that can be written.
      if (audit === "best-effort") {
        yield* writer.durable.pipe(Effect.mapError(({ message }) => new LedgerFailed({ stream, reason: message })))
      }
      state = evolve(state, { ...resumed, time: appended.time })
      observer.onEvent({ ...resumed, time: appended.time, run })
      const reason = Takeover.cutOff(chain.entries)
      if (reason !== undefined && state.cancelling === undefined) {
        const cancel: Event = { type: "dev.dandori.cancel.requested.v1", data: { reason } }
        const { time } = writer.append(cancel)
        state = evolve(state, { ...cancel, time })
        observer.onEvent({ ...cancel, time, run })
      }
      const started = intents(chain.entries)
      const orderly = Suspension.interruptedIn(chain.entries)
      const lost = [...HashMap.keys(state.running)]
        .toSorted((a, b) => a - b)
        .flatMap((index) => {
          const { id } = CompiledPlan.taskOfNode(prepared.plan, index)
          const intent = started.get(id)
          return intent === undefined
            ? []
            : [{ task: id, attempt: taskAt(state, index).attempt, intent, orderly: orderly.has(id) }]
        })
      const final = yield* Execution.execute({
        prepared,
        context: Run.contextOf(
          run,
          { ...recalled.created, time: Date.parse(chain.entries[0].time) },
          { who: options.who, requester: recalled.requester },
          Effect.void,
        ),
        writer,
        state,
        largeOutputs: yield* Outputs.loadLarge(state),
        lost,
        ...(options.control === undefined ? {} : { control: options.control }),
        ...(options.wait === undefined ? {} : { wait: options.wait }),
      })
      const incomplete = yield* Books.close(run, final, writer)
      return { run, state: final, ...(incomplete === undefined ? {} : { incomplete }) } satisfies Run.RunResult
    }),
  )
})
