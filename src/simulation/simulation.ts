import type { Capacity } from "../domain/event.ts"
import { type Plan, digest } from "../domain/plan.ts"
import type { Sha256 } from "../domain/sha256.ts"
import { type CompiledPlan, compilePlan } from "../engine/compiled-plan.ts"
import type { Prepared } from "../engine/prepared.ts"
import * as Chance from "./chance.ts"
import type { Faults } from "./faults.ts"
import type { Setting } from "./place.ts"
import { type Rules, real } from "./rules.ts"
import * as Timeline from "./timeline.ts"
import type { Moment, Trace } from "./trace.ts"
import * as VirtualRun from "./virtual-run.ts"
import * as VirtualScheduler from "./virtual-scheduler.ts"

/** What is simulated. Without `days` it is one run; with them, the ticks of so many days of the plan's schedule. */
export interface Options {
  readonly plan: Plan
  readonly seed: number
  readonly faults: Faults
  readonly capacity: Capacity
  readonly params?: Readonly<Record<string, unknown>>
  /** The wall clock's first moment, milliseconds since the epoch. */
  readonly from: number
  readonly days?: number
  /**
   * The plan with its task types, which say what has a probe and what is a gate; with it each `if` is evaluated that
   * rests on params and statuses alone. Without it chance decides.
   */
  readonly prepared?: Prepared
  /** Whether entries are sealed with their hashes; the checks of the chain want it. */
  readonly sealed?: boolean
  /** The rules to go by, where a trial breaks one. */
  readonly rules?: Rules
}

/** `ledger.flushInterval` as the command line has it. */
const flushInterval = 1_000

const day = 86_400_000

/** Most steps of one run: far more than any run that ends needs. */
const mostSteps = (plan: Plan) => 100_000 + 200 * plan.tasks.length

const memo = <A extends object, B>(make: (key: A) => B): ((key: A) => B) => {
  const known = new WeakMap<A, B>()
  return (key) => {
    const found = known.get(key)
    if (found !== undefined) return found
    const made = make(key)
    known.set(key, made)
    return made
  }
}

const compiled = memo<Plan, CompiledPlan>(compilePlan)
const digestOf = memo<Plan, Sha256>(digest)

/**
 * Drives the real core on virtual time: tasks, disk, clocks, processes and people are drawn from the seed, faults among
 * them. The same options give the same trace, byte for byte.
 */
export const simulate = (options: Options): Trace => {
  const { faults, from, plan, seed } = options
  const timeline = Timeline.make(from)
  const moments: Array<Moment> = []
  const setting: Setting = {
    timeline,
    chance: Chance.make(seed),
    faults,
    notes: {
      note: (happening) => {
        const moment: Moment = Object.assign(happening, { number: moments.length + 1, at: timeline.now() })
        moments.push(moment)
        return moment
      },
    },
    rules: options.rules ?? real,
    sealed: options.sealed !== false,
    capacity: options.capacity,
    flushInterval,
    compiled,
    digestOf,
  }
  const runs: Array<VirtualRun.VirtualRun> = []
  const run = (params: Readonly<Record<string, unknown>>, tick?: string, onEnd: () => void = () => undefined) => {
    const prepared = options.prepared === undefined ? {} : { prepared: options.prepared }
    const at = tick === undefined ? {} : { tick }
    const made = VirtualRun.start(setting, { plan, params, count: runs.length + 1, onEnd, ...at, ...prepared })
    runs.push(made)
    return made
  }
  const { schedule } = plan
  const window =
    options.days === undefined || schedule === undefined ? undefined : { from, to: from + options.days * day }
  let done: () => boolean
  if (window !== undefined && schedule !== undefined) {
    done = VirtualScheduler.start(setting, { plan, schedule, ...window, run }).done
  } else {
    const only = run(options.params ?? {})
    done = only.ended
  }
  const most = mostSteps(plan)
  for (let steps = 0; steps < most * Math.max(1, runs.length) && !done(); steps++) if (!timeline.next()) break
  return {
    seed,
    moments,
    runs: runs.map((one) => one.trace()),
    window,
    plan,
    flushInterval,
    millis: timeline.now(),
  }
}
