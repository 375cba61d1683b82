import type { PlanSide } from "../../src/compiler/plan-side.ts"
import type { Plan, PlanTask } from "../../src/domain/plan.ts"

/** A task of a plan; pure, without input. */
export const task = (id: string, more: Partial<PlanTask> & Readonly<Record<string, unknown>> = {}): PlanTask => ({
  id,
  type: id,
  version: 1,
  effects: "pure",
  needs: [],
  with: {},
  ...more,
})

/** A plan of these tasks. */
export const plan = (tasks: ReadonlyArray<PlanTask>, more: Readonly<Record<string, unknown>> = {}): Plan => ({
  format: 1,
  id: "p",
  params: {},
  env: [],
  audit: "required",
  tasks,
  ...more,
})

/** What a side says beside its tasks. */
export interface Beside {
  readonly plan?: Readonly<Record<string, unknown>>
  readonly config?: PlanSide["config"]
  readonly files?: Readonly<Record<string, unknown>>
}

const gateTypes = ["dq", "backtest", "release-gate"]

/** A side of tasks: `dq`, `backtest` and `release-gate` are gates; each file is named by the tasks whose `with.expectations` it is. */
export const side = (
  tasks: ReadonlyArray<PlanTask>,
  { config = {}, files = {}, plan: more = {} }: Beside = {},
): PlanSide => ({
  plan: plan(tasks, more),
  gates: new Set(tasks.filter(({ type }) => gateTypes.includes(type)).map(({ id }) => id)),
  reads: new Map([
    ["dq", ["dq"]],
    ["backtest", ["backtest_policy"]],
    ["train", ["training"]],
  ]),
  names: new Map(
    tasks.map(({ id, with: input }) => [id, typeof input.expectations === "string" ? [input.expectations] : []]),
  ),
  config,
  files: new Map(Object.entries(files)),
})

/** seed → dq → train → backtest → publish. */
export const released = {
  seed: task("seed", { effects: "idempotent" }),
  dq: task("dq", { needs: ["seed"], with: { dataset: "${{ tasks.seed.dataset }}", expectations: "e.yaml" } }),
  train: task("train", { needs: ["dq"], with: { dataset: "${{ tasks.dq.dataset }}" } }),
  backtest: task("backtest", { needs: ["train"], with: { model: "${{ tasks.train.model }}" } }),
  publish: task("publish", {
    needs: ["backtest"],
    effects: "once",
    with: { model: "${{ tasks.backtest.model }}", strict: true },
  }),
}
