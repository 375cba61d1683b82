import * as Effect from "effect/Effect"
import { taskType } from "../../src/authoring/task-type.ts"
import type * as Run from "./run.ts"
import { FeaturesInput, FeaturesOutput } from "./schema.ts"

type Effects = ReturnType<(typeof Run)["run"]>

/** Computes the features of a pair, the table that `train` computes for itself, and keeps it as a Parquet artifact. */
export default taskType<FeaturesInput, FeaturesOutput, Effect.Error<Effects>, Effect.Services<Effects>>({
  type: "features",
  version: 1,
  description: "Computes a pair's features from its bars and keeps them as Parquet",
  input: FeaturesInput,
  output: FeaturesOutput,
  errors: {
    ArtifactError: "an artifact could not be kept or read",
    DuckDbError: "the data engine failed",
    FileFailed: "a file could not be read or written",
    NoCommonBars: "the two legs have no bar in common",
    PairUnknown: "the universe has no such pair",
    PartitionUnusable: "a file of the dataset is not what it says",
    PathRefused: "a path leads outside of the project",
  },
  effects: "pure",
  config: ["universe"],
  run: (input) =>
    Effect.flatMap(
      Effect.promise(() => import("./run.ts")),
      ({ run }) => run(input),
    ),
})
