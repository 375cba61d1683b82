import * as Effect from "effect/Effect"
import { taskType } from "../../src/authoring/task-type.ts"
import type * as Run from "./run.ts"
import { ReleaseGateInput, ReleaseGateOutput } from "./schema.ts"

type Effects = ReturnType<(typeof Run)["run"]>

/**
 * A gate on the project's code. Every check is a program of its own, whose output goes to the attempt's log; all of them
 * run, and FAILED names those that failed. The receipt's subject is the digest of the code, its policy that of the checks.
 */
export default taskType<ReleaseGateInput, ReleaseGateOutput, Effect.Error<Effects>, Effect.Services<Effects>>({
  type: "release-gate",
  version: 1,
  description: "Runs the checks of the project: lint, types, tests; what depends on it runs only when they pass",
  input: ReleaseGateInput,
  output: ReleaseGateOutput,
  errors: {
    ArtifactError: "the report could not be stored",
    CodeChanged: "the project's code changed while it was checked",
    FileFailed: "a file of the project could not be read",
    MemoryExceeded: "git took more memory than it may",
  },
  effects: "idempotent",
  gate: ({ gate }) => gate,
  dryRun: ({ checks }) =>
    Effect.succeed(`would run ${checks.map(({ argv, name }) => `${name} ${JSON.stringify(argv)}`).join(", ")}`),
  run: (input) =>
    Effect.flatMap(
      Effect.promise(() => import("./run.ts")),
      (module) => module.run(input),
    ),
})
