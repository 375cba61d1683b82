import type { Plan, PlanTask } from "../domain/plan.ts"
import * as Decide from "../engine/decide.ts"
import * as Evolve from "../engine/evolve.ts"

/** What is known of an effect whose process died: the probe's answer, or that there is none. */
export type Probed = "happened" | "nothing happened" | "nobody knows"

/**
 * The rules that a simulated process goes by: the real core, and the shell's own as the design has them. A trial of the
 * checks breaks one of them.
 */
export interface Rules {
  readonly decide: typeof Decide.decide
  readonly evolve: typeof Evolve.evolve
  /** Whether an attempt's intent is flushed before its work begins. */
  readonly waitsForIntent: (task: PlanTask) => boolean
  /** How an attempt is closed whose process died before its result. */
  readonly afterCrash: (task: PlanTask, probed: Probed) => "lost" | "unknown" | "succeeded"
  /** The plan that a resumed run goes on with: the one that it recorded, or what the pipeline is by now. */
  readonly planOf: (recorded: Plan, current: Plan) => Plan
  /** Whether a gate's output carries its claim on the bytes. */
  readonly claims: (verdict: "PASSED" | "FAILED") => boolean
  /** Whether a tick that has come is closed at all. */
  readonly closesTick: (tick: number) => boolean
  /** Whether an open run is told that it is durable only after a flush. */
  readonly acknowledgesAfterFlush: boolean
}

const repeatable = ({ effects }: PlanTask) => effects === "pure" || effects === "idempotent"

/** The rules as they are. */
export const real: Rules = {
  decide: Decide.decide,
  evolve: Evolve.evolve,
  waitsForIntent: ({ effects }) => effects !== "pure",
  afterCrash: (task, probed) => {
    if (repeatable(task) || probed === "nothing happened") return "lost"
    return probed === "happened" ? "succeeded" : "unknown"
  },
  planOf: (recorded) => recorded,
  claims: (verdict) => verdict === "PASSED",
  closesTick: () => true,
  acknowledgesAfterFlush: true,
}

/** Whether a task's effect may be made again without asking. */
export const isRepeatable = repeatable
