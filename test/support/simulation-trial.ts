import * as FastCheck from "fast-check"
import type { Plan } from "../../src/domain/plan.ts"
import type { Schedule } from "../../src/domain/schedule.ts"
import * as Chance from "../../src/simulation/chance.ts"
import * as Faults from "../../src/simulation/faults.ts"
import * as Promises from "../../src/simulation/promises.ts"
import type { Rules } from "../../src/simulation/rules.ts"
import * as Simulation from "../../src/simulation/simulation.ts"
import * as Tally from "../../src/simulation/tally.ts"
import type { RunTrace, Trace } from "../../src/simulation/trace.ts"
import type { Violation } from "../../src/simulation/violation.ts"
import { Model } from "./engine-model.ts"
import { plan, task } from "./engine-plan.ts"
import { capacity, randomPlan } from "./engine-random-plan.ts"

/** Faults from a seed: each of them not at all, as often as in the mix, or ten times as often. */
const faultsOf = (chance: Chance.Chance): Faults.Faults =>
  Object.fromEntries(
    Faults.names.map((name) => [name, Math.min(0.5, Faults.mix[name] * chance.among([0, 1, 1, 10]))]),
  ) as Record<Faults.Fault, number>

/** A schedule over a jump of New York's clocks, on 2025-03-09. */
const scheduleOf = (chance: Chance.Chance): Schedule => ({
  cron: chance.among(["30 2 * * *", "*/20 * * * *", "0 */6 * * *"]),
  timezone: "America/New_York",
  params: {},
  ...(chance.hits(0.5) ? { jitter: 30_000 } : {}),
  overlap: chance.among(["skip", "queue-one", "queue-all", "cancel-running", "allow"] as const),
  catchup: {
    policy: chance.among(["none", "last", "all"] as const),
    ...(chance.hits(0.5) ? { window: 7_200_000 } : {}),
  },
  dst: { gap: chance.among(["skip", "shift"] as const), overlap: "both" },
})

/** The plan, under every other seed with heartbeats for some tasks, by a chance of their own. */
const withHeartbeats = (seed: number, drawn: Plan): Plan => {
  if (seed % 2 === 1) return drawn
  const chance = Chance.make(seed ^ 0x5f3759df)
  const tasks = drawn.tasks.map((task) =>
    task.pipeline === undefined && chance.hits(0.3) ? { ...task, heartbeat: chance.among([20, 2_000, 60_000]) } : task,
  )
  return { ...drawn, tasks }
}

/** What a seed stands for: a random plan, now and then with a timeout or a schedule, and random faults. */
export const optionsOf = (seed: number): Simulation.Options => {
  const chance = Chance.make(seed)
  const plans = randomPlan(40, chance.among([0, 5, 10, 30]))
  const [without] = FastCheck.sample(plans, { numRuns: 1, seed, unbiased: true })
  const drawn = withHeartbeats(seed, without)
  const timeout = chance.hits(0.2) ? { timeout: chance.millis(100, 3_600_000) } : {}
  const faults = faultsOf(chance)
  const from = Date.parse("2025-03-08T12:00:00Z")
  const common = { seed, faults, capacity, from }
  if (!chance.hits(0.1)) return { ...common, plan: { ...drawn, ...timeout } }
  return { ...common, plan: { ...drawn, ...timeout, schedule: scheduleOf(chance) }, days: 2 }
}

/** The same with `audit: best-effort`: all tasks may be done again, and the disk is full often. */
export const bestEffortOf = (seed: number): Simulation.Options => {
  const options = optionsOf(seed)
  const tasks = options.plan.tasks.map((task) =>
    task.effects === "pure" ? task : { ...task, effects: "idempotent" as const },
  )
  const faults = { ...options.faults, "disk-full": 0.1 }
  return { ...options, faults, plan: { ...options.plan, audit: "best-effort", tasks } }
}

/** What the naive reading of the rules says of a run whose clocks were left alone; undefined where it agrees. */
const byTheModel = (run: RunTrace): string | undefined => {
  const model = new Model(run.plan)
  try {
    for (const { event } of run.kept) {
      if (event.type.includes(".gate.") || event.type.includes(".ledger.")) continue
      model.apply(event)
    }
    return undefined
  } catch (error) {
    return (error as Error).message
  }
}

/** What a seed comes to. */
export interface Tried {
  readonly trace: Trace
  readonly violations: ReadonlyArray<Violation>
}

/** Simulates what a seed stands for and checks it, by the promises and, where no clock was set, by the naive reading. */
export const tried = (seed: number, rules?: Rules, options = optionsOf(seed)): Tried => {
  const trace = Simulation.simulate(rules === undefined ? options : { ...options, rules })
  const stepped = trace.moments.some((moment) => moment._tag === "Fault" && moment.fault === "clock-steps")
  const naive = stepped ? [] : trace.runs.flatMap((run) => byTheModel(run) ?? [])
  return {
    trace,
    violations: [...Promises.check(trace), ...naive.map((text) => ({ promise: 0, text, moments: [] }))],
  }
}

/** Events of the core in simulations without faults, of forty tasks each, not sealed, until there are so many. */
export const volume = (events: number): number => {
  const tasks = Array.from({ length: 40 }, (_, i) =>
    task(
      `t${i}`,
      { type: "any", version: 1, effects: i % 4 === 0 ? "idempotent" : "pure" },
      { needs: i % 10 === 0 ? [] : [`t${i - 1}`] },
    ),
  )
  const whole = plan(tasks)
  let made = 0
  for (let seed = 0; made < events; seed++) {
    const options = { plan: whole, seed, faults: Faults.none, capacity, from: 0, sealed: false }
    for (const { kept } of Simulation.simulate(options).runs) made += kept.length
  }
  return made
}

/** What many seeds came to: what was seen, and the first violation of each seed that broke something. */
export interface Campaign {
  readonly tally: Tally.Tally
  readonly broken: Array<{ readonly seed: number } & Violation>
}

/** Tries so many seeds from `first` on. */
export const campaign = (
  first: number,
  many: number,
  onSeed: (done: number) => void = () => undefined,
  options = optionsOf,
): Campaign => {
  const tally = Tally.empty()
  const broken: Campaign["broken"] = []
  for (let seed = first; seed < first + many; seed++) {
    const { trace, violations } = tried(seed, undefined, options(seed))
    Tally.count(tally, trace)
    broken.push(...violations.slice(0, 1).map((violation) => ({ seed, ...violation })))
    onSeed(tally.simulations)
  }
  return { tally, broken }
}
