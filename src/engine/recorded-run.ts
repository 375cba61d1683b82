import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import { type Entry, type EventData, data as eventData } from "../domain/event.ts"
import { Plan } from "../domain/plan.ts"
import { type Sha256, of } from "../domain/sha256.ts"
import { runStatus } from "./run-state.ts"
import type { Fault } from "../ledger/chain.ts"
import { Ledger } from "../ledger/ledger.ts"
import * as StreamName from "../ledger/stream-name.ts"
import * as ArtifactsDirectory from "../services/artifacts-directory.ts"
import type { Waiting } from "../services/leases.ts"
import * as RunFacts from "./run-facts.ts"
import * as Standing from "./standing.ts"

/** The plan of a run cannot be read back. */
export class PlanMissing extends Schema.TaggedError<PlanMissing>()("PlanMissing", {
  run: Schema.String,
  what: Schema.String,
}) {
  /** As for other input that is not there. */
  readonly exitCode = 66
  override get message() {
    return `${this.what}. Its events are still there: dandori ledger show ${this.run}`
  }
}

/** A run as its stream tells it, without its plan. Times are milliseconds since the epoch. */
export interface RecordedRun {
  readonly id: string
  /**
   * The status that it ended with; else queued, running, waiting (nothing of it runs and all that is open waits; without
   * an owner: for people alone), cancelling, interrupted (no owner), or empty (its file holds no event: its process died
   * before the first was written).
   */
  readonly status: string
  /** What it waits for, where that is not an outcome that nobody knows. */
  readonly waits?: Standing.Waits
  /** Whether a process drives it. */
  readonly owned: boolean
  /** What its tasks wait for because other attempts hold it, by task. */
  readonly leases?: ReadonlyMap<string, Waiting>
  readonly created: number
  readonly durationMillis: number | undefined
  readonly data: EventData<"dev.dandori.run.created.v1"> | undefined
  readonly who: string
  readonly entries: ReadonlyArray<Entry>
  readonly fault: Fault | undefined
}

const isCreated = Schema.is(eventData["dev.dandori.run.created.v1"])
const isFinished = Schema.is(eventData["dev.dandori.run.finished.v1"])

const ofType = (entries: ReadonlyArray<Entry>, type: string): ReadonlyArray<Entry> =>
  entries.filter((entry) => entry.type === `dev.dandori.${type}.v1`)

/** True when people may be awaited: an outcome is unknown and not resolved, or an approval was asked for. */
const waitsForPeople = (entries: ReadonlyArray<Entry>): boolean => {
  const taskOf = (entry: Entry) => (entry.data as { readonly task: string }).task
  const resolved = new Set(ofType(entries, "task.resolved").map(taskOf))
  return (
    ofType(entries, "attempt.unknown").some((entry) => !resolved.has(taskOf(entry))) ||
    ofType(entries, "approval.requested").length > 0
  )
}

const ownedStatus = (entries: ReadonlyArray<Entry>): string =>
  ofType(entries, "cancel.requested").length > 0
    ? "cancelling"
    : ofType(entries, "run.queued").length > ofType(entries, "run.admitted").length
      ? "queued"
      : "running"

/** Where a run that a process drives stands; what others hold is asked from the state store. */
const ownedStanding = Effect.fnUntraced(function* (home: string, run: RecordedRun) {
  if (run.status !== "running") return run
  const now = yield* Clock.currentTimeMillis
  const { ofRun } = yield* Effect.promise(() => import("../services/lease-waits.ts"))
  const known = { ...run, leases: yield* ofRun(home, run.id) }
  return yield* planOf(home, run).pipe(
    Effect.map((plan): RecordedRun => ({ ...known, ...Standing.ofRun(factsOf(plan, known), now) })),
    Effect.orElseSucceed(() => known),
  )
})

/** Where a run without an owner stands: `waiting` only when it could not go on by itself either. */
const unownedStanding = Effect.fnUntraced(function* (home: string, run: RecordedRun) {
  if (!waitsForPeople(run.entries)) return { ...run, status: run.entries.length === 0 ? "empty" : "interrupted" }
  const now = yield* Clock.currentTimeMillis
  return yield* planOf(home, run).pipe(
    Effect.map((plan): RecordedRun => {
      const facts = factsOf(plan, run)
      const isWaiting = runStatus(facts.state) === "waiting"
      return isWaiting ? { ...run, ...Standing.ofRun(facts, now) } : { ...run, status: "interrupted" }
    }),
    Effect.orElseSucceed(() => ({ ...run, status: "waiting" })),
  )
})

const nothing = { entries: [], fault: undefined }

/** Reads a run's stream and says where the run stands. */
export const read = Effect.fn("RecordedRun.read")(function* (home: string, id: string) {
  const ledger = yield* Ledger
  const stream = StreamName.ofRun(id)
  const { entries, fault } = yield* ledger
    .read(stream)
    .pipe(Effect.catchTag("StreamMissing", () => Effect.succeed<Pick<RecordedRun, "entries" | "fault">>(nothing)))
  const finished = ofType(entries, "run.finished")[0]?.data
  const first = entries[0]
  const over = isFinished(finished) ? finished : undefined
  const owned = over === undefined && (yield* ledger.owned(stream).pipe(Effect.orElseSucceed(() => false)))
  const run: RecordedRun = {
    id,
    status: over?.status ?? ownedStatus(entries),
    owned,
    created: first === undefined ? StreamName.createdAt(id) : Date.parse(first.time),
    durationMillis: over?.durationMillis,
    data: isCreated(first?.data) ? first.data : undefined,
    who: first?.authid ?? "",
    entries,
    fault,
  }
  if (over !== undefined) return run
  return yield* owned ? ownedStanding(home, run) : unownedStanding(home, run)
})

const isHeld = Schema.is(eventData["dev.dandori.run.held.v1"])

const heldTypes = ["held", "released", "resumed", "finished"].map((what) => `dev.dandori.run.${what}.v1`)

/** The cordon that keeps a run from starting more; undefined where none does, and when the run is over. */
export const heldBy = ({ entries }: RecordedRun) => {
  const last = entries.findLast(({ type }) => heldTypes.includes(type))
  return last?.type === "dev.dandori.run.held.v1" && isHeld(last.data) ? last.data : undefined
}

/** Whether what a run waited for was said since its process ended: an approval, or what became of a task. */
export const isAnswered = ({ entries, status }: RecordedRun): boolean =>
  status === "interrupted" &&
  ["approval.granted", "approval.refused", "task.resolved"].some(
    (type) => entries.at(-1)?.type === `dev.dandori.${type}.v1`,
  )

const readPlan = Schema.decodeEffect(Schema.fromJsonString(Plan))

/** The plan of a run from the artifact store, by its digest; its bytes must have that. */
export const planAt = Effect.fn("RecordedRun.planAt")(function* (home: string, id: string, digest: Sha256) {
  const gone = (what: string) => new PlanMissing({ run: id, what })
  const text = yield* ArtifactsDirectory.text(`${home}/artifacts`, digest).pipe(
    Effect.mapError(() => gone(`The plan of run ${id} is not in the artifact store`)),
  )
  if (of(text) !== digest) return yield* gone(`The plan of run ${id} in the artifact store was changed`)
  return yield* readPlan(text).pipe(
    Effect.mapError(() => gone(`The plan of run ${id} has a format of another version`)),
  )
})

/** The plan that the run was started with, from the artifact store. */
export const planOf = Effect.fn("RecordedRun.plan")(function* (home: string, { data, id }: RecordedRun) {
  if (data !== undefined) return yield* planAt(home, id, data.plan)
  return yield* new PlanMissing({ run: id, what: `The stream of run ${id} does not begin with run.created` })
})

/** An entry as the event that it holds; reading the stream has checked its data. */
export const toEvent = (entry: Entry, run: string): RunFacts.TimedEvent =>
  ({ type: entry.type, data: entry.data, time: Date.parse(entry.time), run }) as RunFacts.TimedEvent

/** The facts of a run that its entries tell. */
export const factsOf = (plan: Plan, { entries, id, leases }: RecordedRun): RunFacts.RunFacts => {
  const facts = RunFacts.make(plan)
  for (const entry of entries) RunFacts.add(facts, toEvent(entry, id))
  for (const [task, waiting] of leases ?? []) RunFacts.touch(facts, task).waiting = waiting
  return facts
}
