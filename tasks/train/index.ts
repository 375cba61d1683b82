import * as Effect from "effect/Effect"
import { taskType } from "../../src/authoring/task-type.ts"
import type * as Run from "./run.ts"
import { TrainInput, TrainOutput } from "./schema.ts"

type Effects = ReturnType<(typeof Run)["run"]>

/**
 * Trains the two classifiers of a pair in a child process, calibrates them, searches θ, and keeps the model's files as
 * artifacts. A degenerate result is `TrainingBlocked`, never a model.
 */
export default taskType<TrainInput, TrainOutput, Effect.Error<Effects>, Effect.Services<Effects>>({
  type: "train",
  version: 2,
  description: "Trains a pair's classifiers and θ from checked bars; a degenerate result is blocked",
  input: TrainInput,
  output: TrainOutput,
  errors: {
    ArtifactError: "an artifact could not be kept or read",
    FileFailed: "a file could not be read or written",
    PairUnknown: "the universe has no such pair",
    PartitionUnusable: "a file of the dataset is not what it says",
    PathRefused: "a path leads outside of the project",
    TrainerFailed: "the trainer failed",
    TrainerUnavailable: "the trainer could not be started or was ended from outside",
    TrainingBlocked: "the result is degenerate",
  },
  effects: "pure",
  config: ["training", "core_policy", "universe", "cost_table", "backtest_policy", "dq"],
  run: (input) =>
    Effect.flatMap(
      Effect.promise(() => import("./run.ts")),
      ({ run }) => run(input),
    ),
})
