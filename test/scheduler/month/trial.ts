import * as Effect from "effect/Effect"
import * as Chain from "../../../src/ledger/chain.ts"
import * as StreamName from "../../../src/ledger/stream-name.ts"
import * as Explain from "../../../src/scheduler/explain.ts"
import * as ScheduleFold from "../../../src/scheduler/schedule-fold.ts"
import * as Chance from "../../../src/simulation/chance.ts"
import * as Month from "./month.ts"
import * as Reckoning from "./reckoning.ts"
import * as World from "./world.ts"

/** What a seed came to. */
export interface Trial {
  readonly seed: number
  readonly ticks: number
  readonly runs: number
  readonly explained: number
  readonly outcomes: Readonly<Record<string, number>>
  readonly disturbances: Readonly<Record<string, number>>
  /** What must not be, and was. */
  readonly violations: ReadonlyArray<string>
}

const second = 1_000

/** What is to be explained of a tick, by the reckoning. */
const verdictOf = ({ fates, open }: Reckoning.Reckoning, { outcome }: Reckoning.Closed): Explain.Verdict => {
  if (outcome.is !== "ran") return outcome
  const { run } = outcome
  const fate = fates.get(run)
  if (fate === undefined) {
    return { is: "ran", run, fate: open.some((own) => own.run === run && own.queued) ? "waits" : "goes on" }
  }
  if (fate.is === "coalesced") return { is: "coalesced", reason: fate.reason ?? "" }
  return {
    is: "ran",
    run,
    fate: fate.is,
    ...(fate.reason === undefined ? {} : { reason: fate.reason }),
  } as Explain.Verdict
}

/** Has some ticks of a schedule explained, and times that are none; gives how many, and what was explained otherwise. */
const explain = (
  events: ReadonlyArray<ScheduleFold.Written>,
  reckoning: Reckoning.Reckoning,
  chance: Chance.Chance,
  end: number,
) => {
  const wrong: Array<string> = []
  const ticks = new Set(reckoning.closed.map(({ tick }) => tick))
  const some = reckoning.closed.length === 0 ? [] : Array.from({ length: 25 }, () => chance.among(reckoning.closed))
  for (const one of some) {
    const { decided, verdict } = Explain.of(events, one.tick, end)
    const expected = verdictOf(reckoning, one)
    const text = JSON.stringify([expected, one.time])
    // Key by key: the order of keys says nothing.
    const isSame = Object.entries(expected).every(([key, value]) => verdict[key as keyof Explain.Verdict] === value)
    if (!isSame || decided !== one.time) wrong.push(`explained ${JSON.stringify([verdict, decided])}, recorded ${text}`)
    // A minute's own second is a tick of none of these schedules.
    const beside = one.tick + second
    if (!ticks.has(beside) && Explain.of(events, beside, end).verdict.is !== "no tick")
      wrong.push(`${beside} is explained as a tick`)
  }
  return { explained: some.length * 2, wrong }
}

/** Lives through what a seed stands for, and reckons up what was recorded. */
export const tried = (options: Month.Options) =>
  Effect.gen(function* () {
    const lived = yield* Month.live(options)
    const bytes = yield* (yield* options.ledger).bytes(StreamName.ofSchedules(World.env))
    const chain = Chain.read(StreamName.ofSchedules(World.env), bytes)
    const violations = [...lived.violations, ...(chain.fault === undefined ? [] : [chain.fault.reason])]
    const events = chain.entries.flatMap((entry) => ScheduleFold.written(entry) ?? [])
    const chance = Chance.make(options.seed)
    const outcomes: Record<string, number> = {}
    let ticks = 0
    let explained = 0
    for (const [pipeline, own] of Map.groupBy(events, ({ data }) => data.pipeline)) {
      const reckoning = Reckoning.reckon(pipeline, own, lived)
      const told = explain(own, reckoning, chance, lived.end)
      ticks += reckoning.closed.length
      explained += told.explained
      for (const { outcome } of reckoning.closed) outcomes[outcome.is] = (outcomes[outcome.is] ?? 0) + 1
      violations.push(...reckoning.violations, ...told.wrong.map((text) => `${pipeline}: ${text}`))
      const open = lived.book.state(pipeline).runs.map(({ queued, run }) => `${run} ${queued}`)
      const expected = reckoning.open.map(({ queued, run }) => `${run} ${queued}`)
      if (open.join() !== expected.join())
        violations.push(`${pipeline}: open are ${open.join()}, by the stream ${expected.join()}`)
    }
    const { seed } = options
    const runs = lived.world.begun.size
    return { seed, ticks, runs, explained, outcomes, disturbances: lived.disturbances, violations } satisfies Trial
  }).pipe(Effect.scoped)
