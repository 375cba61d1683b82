import type { TaskError, TaskType } from "../domain/task-type.ts"

export type { TaskError, TaskErrorTraits, TaskType } from "../domain/task-type.ts"

/** Defines a task type. The types of input, output, errors and requirements follow from the value. */
export const taskType = <I, O, E extends TaskError, R>(definition: TaskType<I, O, E, R>): TaskType<I, O, E, R> =>
  definition
