import * as Effect from "effect/Effect"
import { taskType } from "../../src/authoring/task-type.ts"
import type * as Run from "./run.ts"
import { DqInput, DqOutput } from "./schema.ts"

type Effects = ReturnType<(typeof Run)["run"]>

/**
 * A gate. All checks run and all are reported; FAILED leaves `__quarantine.json` beside each partition at fault, and PASSED lifts its own.
 */
export default taskType<DqInput, DqOutput, Effect.Error<Effects>, Effect.Services<Effects>>({
  type: "dq",
  version: 1,
  description: "Judges a dataset against expectations; what depends on it runs only when it passes",
  input: DqInput,
  output: DqOutput,
  effects: "pure",
  config: ["dq"],
  gate: (output) => output.gate,
  run: (input) =>
    Effect.flatMap(
      Effect.promise(() => import("./run.ts")),
      ({ run }) => run(input),
    ),
})
