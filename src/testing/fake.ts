import type * as Effect from "effect/Effect"
import type { AnyTaskType, TaskError, TaskType } from "../domain/task-type.ts"

/** A task type that only pretends: time goes on while it waits. */
export interface Fake<I, O, E extends TaskError, R> extends TaskType<I, O, E, R> {
  readonly fake: true
}

/**
 * A stand-in for a task type in a test, with the same schemas, effect class and gate: what it gives is checked as the
 * real one's output would be. It may wait (`Effect.sleep`) or hang (`Effect.never`), which costs no real time. It has no
 * probe and no dry run.
 */
export const fake = <I, O, E extends TaskError, R, E2 extends TaskError = never, R2 = never>(
  type: TaskType<I, O, E, R>,
  run: (input: I) => Effect.Effect<NoInfer<O>, E2, R2>,
): Fake<I, O, E2, R2> => ({
  type: type.type,
  version: type.version,
  description: type.description,
  input: type.input,
  output: type.output,
  effects: type.effects,
  ...(type.config === undefined ? {} : { config: type.config }),
  ...(type.gate === undefined ? {} : { gate: type.gate }),
  ...(type.approval === undefined ? {} : { approval: type.approval }),
  run,
  fake: true,
})

/** True for what `fake()` gives. */
export const isFake = (type: AnyTaskType): boolean => "fake" in type && type.fake === true
