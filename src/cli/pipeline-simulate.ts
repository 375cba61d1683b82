import * as Effect from "effect/Effect"
import type { Capacity } from "../domain/event.ts"
import type { Plan } from "../domain/plan.ts"
import { parseSize } from "../domain/quantity.ts"
import { timeText } from "../domain/occurrence.ts"
import * as Prepared from "../engine/prepared.ts"
import * as Run from "../engine/run.ts"
import * as Occurrences from "../scheduler/occurrences.ts"
import * as TickParams from "../scheduler/tick-params.ts"
import * as SettingsFiles from "../services/settings-files.ts"
import * as Faults from "../simulation/faults.ts"
import * as Promises from "../simulation/promises.ts"
import * as Simulation from "../simulation/simulation.ts"
import * as Tally from "../simulation/tally.ts"
import type { Trace } from "../simulation/trace.ts"
import type { Violation } from "../simulation/violation.ts"
import * as TaskCatalog from "../../tasks/catalog.ts"
import { exitCodes } from "./exit-code.ts"
import * as Hint from "./hint.ts"
import { Missing } from "./missing.ts"
import * as Moment from "./moment.ts"
import * as Output from "./output.ts"
import * as Params from "./params.ts"
import { planOf } from "./pipeline-plan.ts"
import * as ProjectReaders from "./project-readers.ts"
import * as Render from "./render/simulation.ts"

/** What a person asked for. */
export interface Asked {
  readonly pipeline: string
  readonly seed: number
  readonly runs: number | undefined
  readonly from: string
  readonly days: number | undefined
  readonly fault: ReadonlyArray<string>
  readonly param: ReadonlyArray<string>
}

/** A machine that is the same everywhere, so that a trace is; what the configuration fixes counts. */
const capacityOf = ({ sections }: SettingsFiles.Configuration): Capacity => {
  const { machine, pools } = sections.resources
  const memory = machine.memory === "auto" ? undefined : parseSize(machine.memory)
  return {
    cpu: machine.cpu === "auto" ? 8 : machine.cpu,
    memory: memory ?? 32 * 2 ** 30,
    gpu: 0,
    pools,
    attempts: 64,
  }
}

/** Fails where the params of a tick do not fit: its run could not be made. */
const checkTicks = Effect.fnUntraced(function* (plan: Plan, from: number, days: number) {
  const { schedule } = plan
  if (schedule === undefined) {
    const next = "Give it one, or leave --days out to simulate one run"
    return yield* new Missing({ what: `The pipeline ${plan.id} has no schedule`, next })
  }
  const hint = yield* Hint.here
  for (const { at } of Occurrences.between(schedule, from, from + days * 86_400_000)) {
    const { faults } = TickParams.at(plan, schedule, at)
    if (faults.length === 0) continue
    const reason = `The params of the tick ${timeText(at)} do not fit: ${faults.join("; ")}. To see them: ${hint.files("schedule preview")}`
    return yield* new Output.UsageError({ reason })
  }
})

const showTrace = Effect.fnUntraced(function* (trace: Trace, json: boolean) {
  const line = json
    ? (moment: Trace["moments"][number]) => JSON.stringify(Render.momentJson(moment))
    : Render.moment(trace)
  const chunk = 1_000
  for (let at = 0; at < trace.moments.length; at += chunk) {
    yield* Output.data(
      trace.moments
        .slice(at, at + chunk)
        .map(line)
        .join("\n"),
    )
  }
})

/**
 * Simulates a pipeline and checks the promises: one seed with its trace, or many with their tally. Ends with 1 when a
 * promise is broken, and says how to see it again.
 */
export const simulatePipeline = Effect.fnUntraced(function* (asked: Asked) {
  const { env, flags, project } = yield* ProjectReaders.find
  const faults = Faults.read(asked.fault)
  if (typeof faults === "string") return yield* new Output.UsageError({ reason: faults })
  const from = yield* Moment.read(asked.from)
  const plan = yield* planOf(asked.pipeline)
  if (asked.days !== undefined) {
    if (asked.param.length > 0) {
      const reason = "--param is for one run; with --days the schedule gives each run its params"
      return yield* new Output.UsageError({ reason })
    }
    yield* checkTicks(plan, from, asked.days)
  }
  const params = asked.days === undefined ? yield* Params.resolve(plan, asked.param) : {}
  const capacity = capacityOf(yield* SettingsFiles.load(project, env))
  yield* Run.checkCapacity(plan, capacity)
  const prepared = yield* Prepared.prepare(plan).pipe(Effect.provide(TaskCatalog.layer(project)))
  const tally = Tally.empty()
  let broken: { readonly seed: number; readonly violation: Violation } | undefined
  let bad = 0
  for (let seed = asked.seed; seed < asked.seed + (asked.runs ?? 1); seed++) {
    const days = asked.days === undefined ? {} : { days: asked.days }
    const trace = Simulation.simulate({ plan, seed, faults, capacity, from, params, prepared, ...days })
    Tally.count(tally, trace)
    const [violation] = Promises.check(trace)
    if (violation !== undefined) {
      bad++
      broken ??= { seed, violation }
    }
    if (asked.runs === undefined) yield* showTrace(trace, flags.json)
    yield* Effect.yieldNow
  }
  const hint = yield* Hint.here
  const again =
    broken === undefined ? undefined : Render.command({ ...asked, seed: broken.seed, from: timeText(from) }, hint)
  if (flags.json) {
    const found = broken === undefined ? {} : { broken: bad, first: { ...broken, command: again } }
    yield* Output.json({ v: 1, kind: "simulation", pipeline: plan.id, seed: asked.seed, ...tally, ...found })
  } else {
    if (!flags.quiet) yield* Output.data(Render.summary(plan.id, asked, tally).join("\n"))
    if (broken !== undefined && again !== undefined) {
      yield* Output.data(Render.violation(broken.seed, broken.violation, bad, again).join("\n"))
    }
  }
  yield* Output.exitWith(broken === undefined ? exitCodes.ok : exitCodes.failed)
})
