import * as Effect from "effect/Effect"
import { taskType } from "../../src/authoring/task-type.ts"
import type * as Run from "./run.ts"
import { DqInput, DqOutput } from "./schema.ts"

type Effects = ReturnType<(typeof Run)["run"]>

/**
 * A gate. All checks run and all are reported; FAILED leaves `__quarantine.json` beside each partition at fault, and PASSED
 * lifts those of the same policy (expectations and `dq` section).
 *
 * The verdict depends on the bytes, the expectations and `asOf` only, all of them in the cache key: no clock, and no mark
 * of somebody else, which may come and go while the bytes stay. What is in quarantine is stopped by `backtest`, which looks
 * each time because it is never answered from the cache.
 */
export default taskType<DqInput, DqOutput, Effect.Error<Effects>, Effect.Services<Effects>>({
  type: "dq",
  version: 2,
  description: "Judges a dataset against expectations; what depends on it runs only when it passes",
  input: DqInput,
  output: DqOutput,
  errors: {
    ArtifactError: "an artifact could not be kept or read",
    BarFileInvalid: "a file holds no bars that can be read",
    ChartFailed: "a chart could not be drawn",
    DataChanged: "the data is no longer what the dataset says",
    DuckDbError: "the data engine failed",
    ExpectationsInvalid: "the expectations cannot be read",
    FileFailed: "a file could not be read or written",
    PathRefused: "a path leads outside of the project",
  },
  effects: "pure",
  config: ["dq"],
  gate: (output) => output.gate,
  run: (input) =>
    Effect.flatMap(
      Effect.promise(() => import("./run.ts")),
      ({ run }) => run(input),
    ),
})
