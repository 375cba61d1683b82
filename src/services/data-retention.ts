import { basename, dirname, sep } from "node:path"
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Result from "effect/Result"
import * as DataRetention from "../domain/data-retention.ts"
import * as Hold from "../domain/hold.ts"
import * as DataMarks from "./data-marks.ts"
import * as DataRemoval from "./data-removal.ts"
import * as DataRoots from "./data-roots.ts"
import * as DataUnits from "./data-units.ts"
import { Holds, type HoldsUnavailable } from "./holds.ts"
import * as ModelRetention from "./model-retention.ts"
import * as Monotonic from "./monotonic.ts"
import { NamedBytes } from "./named-bytes.ts"
import { Progress } from "./progress.ts"
import { Settings } from "./settings.ts"
import { type UnfinishedRun, UnfinishedRuns } from "./unfinished-runs.ts"
import { Workspace } from "./workspace.ts"

/** A unit that is old enough, with its bytes as they were seen and what is to become of it. */
export interface Judged {
  readonly unit: DataUnits.Unit
  readonly seen: DataUnits.Digested
  readonly verdict: DataRetention.Verdict
}

/**
 * What is to become of the data. `old`: the units that are old enough, each with its verdict; `young`: how many are not;
 * `odd`: what cannot be purged or looked at, and why; `doubt`: why nothing goes.
 */
export interface Survey {
  readonly found: DataUnits.Found
  readonly old: ReadonlyArray<Judged>
  readonly young: number
  readonly odd: ReadonlyArray<DataUnits.Odd>
  readonly doubt: string | undefined
  readonly wanted: Wanted
}

type HoldsNow = Result.Result<ReadonlyArray<Hold.Hold>, HoldsUnavailable>

const holdsNow = Effect.flatMap(Holds, ({ list }) => Effect.result(list))

const aboutOf = ({ class: kind, path }: DataUnits.Unit, holds: ReadonlyArray<Hold.Hold>) =>
  kind === "snapshots" ? holds.filter((hold) => Hold.isAbout(hold, [`snapshot/${basename(path)}`])) : []

/** Why a unit is kept by what holds say at a time; undefined where it is not. */
const heldBy = (unit: DataUnits.Unit, holds: HoldsNow, now: number): string | undefined => {
  if (Result.isFailure(holds)) return holds.failure.message
  const active = aboutOf(unit, holds.success).find((hold) => Hold.isActive(hold, now))
  return active === undefined ? undefined : `${active.subject} is held by ${active.who}: ${active.reason}`
}

/** The units that are old enough with their digests, how many are not, and those of which neither can be said. */
const aged = Effect.fnUntraced(function* (found: DataUnits.Found, now: number) {
  const { retention: rules } = (yield* Settings).sections
  const progress = yield* Progress
  const old: Array<Omit<Judged, "verdict">> = []
  const odd = [...found.odd]
  let young = 0
  for (const [index, unit] of found.units.entries()) {
    if (index % 100 === 0) yield* progress.report({ done: index, total: found.units.length, note: "looking" })
    const looked = yield* Effect.result(DataUnits.look(unit))
    if (Result.isSuccess(looked) && looked.success.time > DataRetention.oldest(unit.class, rules, now)) {
      young++
    } else if (Result.isSuccess(looked) && looked.success.odd !== undefined) {
      odd.push({ path: unit.path, why: looked.success.odd })
    } else {
      const seen = yield* Effect.result(
        Effect.flatMap(Effect.fromResult(looked), (success) => DataUnits.digest(unit, success)),
      )
      if (Result.isSuccess(seen)) old.push({ unit, seen: seen.success })
      else if (seen.failure.code !== "ENOENT") odd.push({ path: unit.path, why: seen.failure.message })
    }
  }
  return { old, odd, young }
})

/** What is known of those that could still want a unit: names, runs under way, holds. */
interface Wanted {
  readonly doubt: string | undefined
  readonly named: ReadonlySet<string>
  readonly unfinished: ReadonlyArray<UnfinishedRun>
  readonly holds: HoldsNow
  /** When it was looked up, and how long that took, by the clock that nobody sets, milliseconds. */
  readonly at: number
  readonly took: number
}

const nobody: Wanted = {
  doubt: undefined,
  named: new Set(),
  unfinished: [],
  holds: Result.succeed([]),
  at: -Infinity,
  took: 0,
}

/** Looks up who wants what has these digests. */
const wanted = Effect.fnUntraced(function* (digests: ReadonlySet<string>) {
  const at = yield* Monotonic.millis
  const holds = yield* holdsNow
  const answer = yield* (yield* NamedBytes).find(digests)
  const unfinished = yield* (yield* UnfinishedRuns).list(ModelRetention.ownTypes)
  return {
    doubt: Result.isFailure(holds) ? holds.failure.message : answer.known ? undefined : answer.doubt,
    named: answer.known ? answer.named : digests,
    unfinished,
    holds,
    at,
    took: (yield* Monotonic.millis) - at,
  } satisfies Wanted
})

/**
 * The names by which a run may mean a unit: its path, the name of a snapshot, and of raw files and features the folders that
 * they lie in, so that a run which names one of them, by a pattern or a folder too, keeps all that are there.
 */
const namesOf = Effect.fnUntraced(function* ({ class: kind, path, root }: DataUnits.Unit) {
  const { display } = yield* Workspace
  const paths = [path]
  if (kind === "raw" || kind === "features") {
    for (let at = dirname(path); at === root || at.startsWith(`${root}${sep}`); at = dirname(at)) paths.push(at)
  }
  const names = paths.flatMap((one) => [one, display(one)])
  return new Set(kind === "snapshots" ? [...names, basename(path)] : names)
})

/** Why a unit is kept, whatever its age; undefined where nothing keeps it. */
const keptBy = Effect.fnUntraced(function* (
  { seen, unit }: Omit<Judged, "verdict">,
  { doubt, holds, named, unfinished }: Wanted,
  now: number,
) {
  if (doubt !== undefined) return doubt
  if (seen.digests.some((digest) => named.has(digest))) return "its bytes are named"
  const names = [...(yield* namesOf(unit))]
  const open = unfinished.find((one) => names.some((name) => one.names(name)))
  if (open !== undefined) return `run ${open.run} of ${open.pipeline} names it and has not ended`
  return heldBy(unit, holds, now)
})

const digestsOf = (all: ReadonlyArray<Pick<Judged, "seen">>) => new Set(all.flatMap(({ seen }) => seen.digests))

/** Decides about all data that lies below the roots. Changes nothing. */
export const survey = Effect.fn("DataRetention.survey")(function* () {
  const { home } = yield* Workspace
  const { retention: rules } = (yield* Settings).sections
  const now = yield* Clock.currentTimeMillis
  const found = yield* DataUnits.find(yield* DataRoots.list)
  const { odd, old, young } = yield* aged(found, now)
  if (old.length === 0) return { found, old: [], young, odd, doubt: undefined, wanted: nobody } satisfies Survey
  const all = yield* wanted(digestsOf(old))
  const { doubt, holds } = all
  const marks = yield* DataMarks.read(home)
  const judged: Array<Judged> = []
  for (const [index, one] of old.entries()) {
    // Of many units this takes a while, and others want their turn.
    if (index % 100 === 0) yield* Effect.yieldNow
    const about = Result.isFailure(holds) ? [] : aboutOf(one.unit, holds.success)
    const ends = about.flatMap((hold) => Hold.endOf(hold) ?? [])
    const facts: DataRetention.Facts = {
      class: one.unit.class,
      time: one.seen.time,
      digest: one.seen.digest,
      mark: marks.get(one.unit.path),
      why: yield* keptBy(one, all, now),
      ended: ends.length === 0 ? undefined : Math.max(...ends),
    }
    judged.push({ ...one, verdict: DataRetention.judge(facts, rules, now) })
  }
  return { found, old: judged, young, odd, doubt, wanted: all } satisfies Survey
})

/**
 * Writes the marks of what is due or ready, and is not `gone`; whoever is kept has none. Where there is doubt they stay as
 * they are.
 */
const mark = Effect.fnUntraced(function* ({ doubt, old }: Survey, gone: ReadonlySet<string> = new Set()) {
  if (doubt !== undefined) return
  const { home } = yield* Workspace
  const marks = new Map(
    old.flatMap(({ seen: { digest }, unit: { path }, verdict }) =>
      verdict.is === "kept" || gone.has(path) ? [] : [[path, { digest, since: verdict.since }] as const],
    ),
  )
  if (marks.size > 0 || (yield* DataMarks.read(home)).size > 0) yield* DataMarks.write(home, marks)
})

/** How long what is known of those that want data is good for, milliseconds. */
const lookAgainMillis = 10_000

const going = ({ seen, unit }: Judged): DataRemoval.Going => ({
  class: unit.class,
  path: unit.path,
  bytes: seen.bytes,
})

/** What a survey comes to where all that is ready goes. */
export const planOf = ({ odd, old, young }: Survey, purge: boolean): DataRemoval.Plan => ({
  going: old.flatMap((one) => (one.verdict.is === "ready" && purge ? [going(one)] : [])),
  due: old.flatMap((one) => {
    const { verdict } = one
    const isDue = verdict.is === "due" || (verdict.is === "ready" && !purge)
    return isDue ? [{ ...going(one), from: verdict.from }] : []
  }),
  left: [],
  kept: young + odd.length + old.filter(({ verdict }) => verdict.is === "kept").length,
})

/**
 * Finishes what a removal that was interrupted has begun, and removes folders of old partitions that hold nothing. Answers
 * with what cannot be finished, and why.
 */
const tidy = Effect.fnUntraced(function* () {
  const { retention: rules } = (yield* Settings).sections
  const { hollow, remnants } = yield* DataUnits.find(yield* DataRoots.list)
  const oldest = DataRetention.oldest("canonical", rules, yield* Clock.currentTimeMillis)
  const stuck: Array<DataUnits.Odd> = []
  for (const { path, root } of remnants) {
    const removed = yield* Effect.result(DataRemoval.removeAside(path))
    if (Result.isFailure(removed)) stuck.push({ path, why: removed.failure.message })
    yield* DataRemoval.removeEmptyAbove(path, root)
  }
  for (const unit of hollow) {
    if (DataUnits.monthEnd(unit) <= oldest) yield* DataRemoval.removeHollow(unit)
  }
  return stuck
})

/** What of a plan that an earlier attempt has written is gone by now, each with its root; of a root that is away nobody can tell. */
const goneOf = Effect.fnUntraced(function* (plan: Option.Option<DataRemoval.Plan>) {
  const roots = yield* DataRoots.list
  const planned = (Option.isSome(plan) ? plan.value.going : []).flatMap((one) => {
    const root = roots.find(({ path }) => one.path.startsWith(`${path}${sep}`))
    return root === undefined ? [] : [{ one, root: root.path }]
  })
  return yield* Effect.filter(planned, ({ one }) => DataRemoval.isGone(one))
})

/**
 * What an earlier attempt of this task of this run has come to, where all that it was about to remove is gone; None where
 * there was none, or something is there still.
 */
export const doneBy = Effect.fn("DataRetention.doneBy")(function* (key: string) {
  const { home } = yield* Workspace
  const plan = yield* DataRemoval.readPlan(home, key)
  const gone = yield* goneOf(plan)
  return Option.filter(plan, ({ going }) => gone.length === going.length)
})

/**
 * Marks what is due, takes the marks from what is kept after all, and removes what is ready, each after another look; what an
 * earlier attempt of this task of this run has removed is in the answer too. Nothing goes while there is doubt.
 */
export const apply = Effect.fn("DataRetention.apply")(function* (key: string, purge: boolean) {
  const { home } = yield* Workspace
  const progress = yield* Progress
  const stuck = purge ? yield* tidy() : []
  yield* DataRemoval.forgetPlans(home)
  const before = yield* goneOf(yield* DataRemoval.readPlan(home, key))
  const gone = before.map(({ one }) => one)
  // An attempt that was killed may have left folders empty.
  for (const { one, root } of before) yield* DataRemoval.removeEmptyAbove(one.path, root)
  const surveyed = yield* survey()
  const odd = [...stuck, ...surveyed.odd]
  yield* mark(surveyed)
  const plan = planOf(surveyed, purge)
  if (gone.length + plan.going.length === 0) return { ...plan, doubt: surveyed.doubt, odd }
  yield* DataRemoval.writePlan(home, key, { ...plan, going: [...gone, ...plan.going] })
  const purged = [...gone]
  const left: Array<DataRemoval.Left> = []
  const ready = surveyed.old.filter(({ verdict }) => verdict.is === "ready" && purge)
  let known = surveyed.wanted
  for (const [index, one] of ready.entries()) {
    if (index % 10 === 0) yield* progress.report({ done: index, total: ready.length, note: "removing" })
    const check = Effect.gen(function* () {
      // What began since the last look may name it. A look reads all runs that are there.
      const age = (yield* Monotonic.millis) - known.at
      if (age > Math.max(lookAgainMillis, 5 * known.took)) known = yield* wanted(digestsOf(ready.slice(index)))
      const holds = one.unit.class === "snapshots" ? yield* holdsNow : known.holds
      return yield* keptBy(one, { ...known, holds }, yield* Clock.currentTimeMillis)
    })
    const why = yield* DataRemoval.removeOne(one.unit, one.seen, check)
    if (why === undefined) purged.push(going(one))
    else left.push({ class: one.unit.class, path: one.unit.path, why })
  }
  // What is put back later begins its grace anew.
  yield* mark(surveyed, new Set(purged.map(({ path }) => path)))
  return { ...plan, going: purged, left, doubt: surveyed.doubt, odd }
})
