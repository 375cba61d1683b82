import * as Effect from "effect/Effect"
import { taskType } from "../../src/authoring/task-type.ts"
import type * as Run from "../dq/run.ts"
import { DqFileInput, DqFileOutput } from "../dq/schema.ts"

type Effects = ReturnType<(typeof Run)["runFiles"]>

/**
 * A gate on files of any kind: `dq` without a dataset. Its verdict, too, depends on nothing but its input.
 */
export default taskType<DqFileInput, DqFileOutput, Effect.Error<Effects>, Effect.Services<Effects>>({
  type: "dq-file",
  version: 2,
  description: "Judges JSON, CSV or Parquet files against expectations",
  input: DqFileInput,
  output: DqFileOutput,
  errors: {
    ArtifactError: "an artifact could not be kept or read",
    BarFileInvalid: "a file holds no bars that can be read",
    ChartFailed: "a chart could not be drawn",
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
      Effect.promise(() => import("../dq/run.ts")),
      ({ runFiles }) => runFiles(input),
    ),
})
