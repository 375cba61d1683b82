import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as Schedule from "effect/Schedule"
import type { Event } from "../domain/event.ts"
import * as RunRetention from "../domain/run-retention.ts"
import { ModelRegistry } from "../services/model-registry.ts"
import { Settings } from "../services/settings.ts"
import * as EndedRuns from "./ended-runs.ts"
import { Ledger } from "./ledger.ts"
import * as MadeReports from "./made-reports.ts"
import * as Keeps from "./purge-keeps.ts"
import * as Root from "./root.ts"
import * as RunLeftovers from "./run-leftovers.ts"
import * as StreamName from "./stream-name.ts"
import * as Testimony from "./testimony.ts"

/** By what a run goes: a rule, a person's reason, or both. */
export interface Because {
  readonly rule?: string
  readonly reason?: string
}

/** A run that is to go, and why. */
export interface Asked {
  readonly run: string
  readonly because: Because
}

/** What a purge has done. */
export interface Outcome {
  readonly purged: ReadonlyArray<{ readonly run: string; readonly bytes: number }>
  readonly left: ReadonlyArray<{ readonly run: string; readonly why: string }>
}

const read = (stream: string) =>
  Effect.flatMap(Ledger, (ledger) => ledger.read(stream)).pipe(Effect.catchTag("StreamMissing", () => Effect.undefined))

/** All that is looked at to decide about runs: the root, and what could keep them. */
const looked = Effect.fnUntraced(function* (outside: Keeps.Around) {
  const said = yield* (yield* Ledger).testimonies
  return { said, outside, known: yield* Keeps.registered }
})
type Looked = Effect.Success<ReturnType<typeof looked>>

/** Someone looks whether an ended run has an owner, or removes it too: over in a moment. */
const whileBusy = {
  while: (error: { readonly _tag: string }) => error._tag === "StreamBusy",
  schedule: Schedule.max([Schedule.spaced(20), Schedule.recurs(50)]),
}

/** Removes what there is of a run that the root says was purged; its stream last, so that what a crash left is found. */
const finish = Effect.fnUntraced(function* (run: string) {
  const ledger = yield* Ledger
  const stream = StreamName.ofRun(run)
  const chain = yield* read(stream)
  const bytes = (chain?.validBytes ?? 0) + (yield* RunLeftovers.bytesOf(run))
  yield* RunLeftovers.remove(run, chain?.entries ?? [])
  yield* Effect.retry(ledger.remove(stream), whileBusy)
  return bytes
})

/** Why a run stays; else its end as the root has it, or that it was purged and is only to be removed. */
const judge = Effect.fnUntraced(function* (run: string, { known, outside, said }: Looked) {
  const stream = StreamName.ofRun(run)
  if (said.isPurged(stream)) return "purged"
  const testimony = said.of(stream)
  const chain = yield* read(stream)
  if (chain === undefined) return { why: "the ledger has no such run" }
  const last = testimony?.closed.at(-1)
  if (last === undefined) return { why: "it has not ended" }
  const contradiction = Testimony.contradiction(chain, testimony)
  if (contradiction !== undefined) {
    return { why: `its record does not verify (${contradiction.reason}): dandori ledger verify` }
  }
  const why = yield* Keeps.find({ run, entries: chain.entries }, outside, known)
  return why === undefined ? { entries: last.entries, head: last.head } : { why }
})

/** What would become of runs that are named: why each is kept, undefined where nothing keeps it. Changes nothing. */
export const examine = Effect.fn("Purge.examine")(function* (asked: ReadonlyArray<string>) {
  const all = yield* (yield* ModelRegistry).atomically(looked(yield* Keeps.around))
  return yield* Effect.forEach(
    asked,
    Effect.fnUntraced(function* (run) {
      const verdict = yield* judge(run, all)
      const chain = yield* read(StreamName.ofRun(run))
      const bytes = (chain?.validBytes ?? 0) + (yield* RunLeftovers.bytesOf(run))
      return { run, bytes, why: verdict !== "purged" && "why" in verdict ? verdict.why : undefined }
    }),
  )
})

/**
 * Looks, in the registry's transaction, whether anything keeps some runs, and says in the root of the others that they go.
 * Answers with those that go, and why the rest stays.
 */
const begin = Effect.fnUntraced(function* (asked: ReadonlyArray<Asked>, outside: Keeps.Around) {
  const all = yield* looked(outside)
  const goes: Array<string> = []
  const left: Array<Outcome["left"][number]> = []
  const events: Array<Event> = []
  for (const { because, run } of asked) {
    const verdict = yield* judge(run, all)
    if (verdict !== "purged" && "why" in verdict) {
      left.push({ run, why: verdict.why })
      continue
    }
    goes.push(run)
    if (verdict === "purged") continue
    const data = { run, stream: StreamName.ofRun(run), ...verdict, ...because }
    events.push({ type: "dev.dandori.run.purged.v1", data })
  }
  if (events.length > 0) yield* (yield* Ledger).record(StreamName.root, events)
  return { goes, left }
})

/** Runs that are decided about at once: meanwhile nothing else changes the registry. */
const together = 50

const carryOut = Effect.fnUntraced(function* (asked: ReadonlyArray<Asked>, most: number) {
  const registry = yield* ModelRegistry
  const purged: Array<Outcome["purged"][number]> = []
  const left: Array<Outcome["left"][number]> = []
  const rest = [...new Map(asked.map((one) => [one.run, one])).values()]
  while (rest.length > 0 && purged.length < most) {
    const some = rest.splice(0, Math.min(together, most - purged.length))
    const begun = yield* registry.atomically(begin(some, yield* Keeps.around))
    left.push(...begun.left)
    const gone: Array<Outcome["purged"][number]> = []
    for (const run of begun.goes) {
      const bytes = yield* finish(run).pipe(Effect.catchTag("StreamBusy", () => Effect.undefined))
      if (bytes !== undefined) gone.push({ run, bytes })
      else left.push({ run, why: "somebody reads it now; what is left of it goes another time" })
    }
    yield* Keeps.forgetCursors(gone.map(({ run }) => run))
    purged.push(...gone)
  }
  return { purged, left } satisfies Outcome
})

/**
 * Purges runs: the root says first that they go, then what each has left is removed, its stream last. What a crash
 * interrupts is taken up by whoever purges next; a run of which the root says already that it was purged is not asked about.
 */
export const runs = Effect.fn("Purge.runs")(function* (asked: ReadonlyArray<Asked>) {
  yield* Root.reconcile()
  return yield* carryOut(asked, asked.length)
})

/** The runs of the environment that have ended, as the rules judge them, and those whose purge was interrupted. */
const judged = Effect.fnUntraced(function* (rules: RunRetention.Rules) {
  const now = yield* Clock.currentTimeMillis
  const { env } = yield* Settings
  const said = yield* (yield* Ledger).testimonies
  const isPurged = (run: string) => said.isPurged(StreamName.ofRun(run))
  const ended = (yield* EndedRuns.list(said)).filter((one) => one.env === env)
  const begun = (yield* (yield* Ledger).runs).filter(isPurged)
  // Only of a run that would go it is looked whether it made a report.
  const all = yield* Effect.forEach(
    RunRetention.judge(ended, rules, now),
    Effect.fnUntraced(function* (one) {
      const why = one.verdict.is === "due" ? RunRetention.reportKeeps(one, rules, now) : undefined
      if (why === undefined || !(yield* MadeReports.isIn(one.run))) return one
      return { ...one, verdict: { is: "kept", why } as RunRetention.Verdict }
    }),
  )
  return { begun, isPurged, all }
})

type Judged = Effect.Success<ReturnType<typeof judged>>["all"][number]

/** Decides about every run of the environment that has ended, oldest first, and changes nothing. */
export const survey = Effect.fn("Purge.survey")(function* (rules: RunRetention.Rules) {
  const { all, begun } = yield* judged(rules)
  const outside = yield* Keeps.around
  const known = yield* (yield* ModelRegistry).atomically(Keeps.registered)
  const look = Effect.fnUntraced(function* (one: Judged) {
    if (one.verdict.is === "kept") return one
    const chain = yield* read(StreamName.ofRun(one.run))
    const why = yield* Keeps.find({ run: one.run, entries: chain?.entries ?? [] }, outside, known)
    if (why !== undefined) return { ...one, verdict: { is: "kept", why } as const }
    return { ...one, bytes: one.bytes + (yield* RunLeftovers.bytesOf(one.run)) }
  })
  return { begun, all: yield* Effect.forEach(all, look) }
})

/** What the retention section says of runs, by which `applyRules` goes. */
export const rules = Effect.map(Settings, ({ sections }): RunRetention.Rules => {
  const { reports_months, runs } = sections.retention
  return { ...runs, reports_months }
})

/** Runs that one pass over the rules purges at most: once an hour, it keeps up with a run a second, in about a minute. */
const usualBatch = 5_000

/**
 * Purges what the retention section lets go, oldest first, and finishes what was interrupted; at most `most` runs, the
 * others at the next call. It may be interrupted at any moment.
 */
export const applyRules = Effect.fn("Purge.applyRules")(function* (most = usualBatch) {
  yield* Root.reconcile()
  const { all, begun, isPurged } = yield* judged(yield* rules)
  yield* RunLeftovers.removeFoldersOf(isPurged)
  const due = all.flatMap(({ run, verdict }) =>
    verdict.is === "due" ? [{ run, because: { rule: verdict.rule } }] : [],
  )
  return yield* carryOut([...begun.map((run) => ({ run, because: {} })), ...due], most)
})
