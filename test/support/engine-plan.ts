import * as Effect from "effect/Effect"
import type * as Option from "effect/Option"
import * as Schema from "effect/Schema"
import { taskType } from "../../src/authoring/task-type.ts"
import type { EffectClass } from "../../src/domain/effect-class.ts"
import type { Plan, PlanTask } from "../../src/domain/plan.ts"
import type { AnyTaskType, TaskError } from "../../src/domain/task-type.ts"
import type { TaskServices } from "../../src/engine/task-services.ts"
import type { Attempt } from "../../src/services/attempt.ts"
import type { Progress } from "../../src/services/progress.ts"

type Needs = TaskServices | Attempt | Progress

/** An input or output that may hold any JSON below `value`. */
export const AnyValue = Schema.Struct({ value: Schema.optionalKey(Schema.Unknown) })
type AnyValue = typeof AnyValue.Type

/** A task type from what it does; input and output are `AnyValue`. */
export const typeOf = (
  type: string,
  effects: EffectClass,
  run: (input: AnyValue) => Effect.Effect<AnyValue, TaskError, Needs>,
  probe?: (input: AnyValue) => Effect.Effect<Option.Option<AnyValue>, TaskError, Needs>,
): AnyTaskType =>
  taskType({
    type,
    version: 1,
    description: type,
    input: AnyValue,
    output: AnyValue,
    effects,
    ...(probe === undefined ? {} : { probe }),
    run,
  })

/** Gives back its input. */
export const echo = typeOf("echo", "pure", (input) => Effect.succeed(input))

/** Refused before anything changed, and may work later. */
export class Busy extends Schema.TaggedError<Busy>()("Busy", {}) {
  readonly transient = true
  readonly notApplied = true
  override get message() {
    return "it is busy; try again"
  }
}

/** May work later, but may also have changed something. */
export class Flaky extends Schema.TaggedError<Flaky>()("Flaky", {}) {
  readonly transient = true
  override get message() {
    return "it did not answer; try again"
  }
}

/** Does not work, now or later. */
export class Broken extends Schema.TaggedError<Broken>()("Broken", { text: Schema.String }) {
  override get message() {
    return this.text
  }
}

/** A task of a plan. */
export const task = (
  id: string,
  type: Pick<AnyTaskType, "type" | "version" | "effects">,
  settings: Partial<Omit<PlanTask, "id" | "type" | "version" | "effects">> = {},
): PlanTask => ({ id, type: type.type, version: type.version, effects: type.effects, needs: [], with: {}, ...settings })

/** A plan of tasks that stand in topological order. */
export const plan = (tasks: ReadonlyArray<PlanTask>, settings: Partial<Plan> = {}): Plan => ({
  format: 1,
  id: "test",
  params: {},
  env: [],
  audit: "required",
  tasks,
  ...settings,
})

/** Retries without jitter, a millisecond apart. */
export const quick = (attempts: number, on?: ReadonlyArray<string>): NonNullable<PlanTask["retry"]> => ({
  attempts,
  ...(on === undefined ? {} : { on }),
  backoff: { initial: 1, factor: 2, max: 10, jitter: "none" },
})
