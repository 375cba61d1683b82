import * as Effect from "effect/Effect"
import { taskType } from "../../src/authoring/task-type.ts"
import { backtestSections } from "../../src/domain/gate-policy.ts"
import { slotText } from "../../src/domain/model.ts"
import type * as Run from "./run.ts"
import { BacktestInput, BacktestOutput } from "./schema.ts"

type Effects = ReturnType<(typeof Run)["run"]>

/**
 * A gate. The model's walk-forward signals are traded over the bars that they were made for, because the final model has
 * seen them all; what the policy demands and the data does not give is missing, and fails.
 */
export default taskType<BacktestInput, BacktestOutput, Effect.Error<Effects>, Effect.Services<Effects>>({
  type: "backtest",
  version: 2,
  description: "Judges a model by trading its out-of-sample signals; it may be published only when it passes",
  input: BacktestInput,
  output: BacktestOutput,
  errors: {
    ArtifactError: "an artifact could not be kept or read",
    BacktestRefused: "the model or its data cannot be tried",
    BundleInvalid: "the model's files do not fit each other",
    ChartFailed: "a chart could not be drawn",
    DuckDbError: "the data engine failed",
    FileFailed: "a file could not be read or written",
    PartitionUnusable: "a file of the dataset is not what it says",
    PathRefused: "a path leads outside of the project",
    RegistryUnavailable: "the registry cannot be reached",
  },
  effects: "idempotent",
  config: [...backtestSections],
  gate: (output) => output.gate,
  dryRun: ({ model }) => Effect.succeed(`would backtest ${model.version} (${slotText(model.slot)}) and judge it`),
  run: (input) =>
    Effect.flatMap(
      Effect.promise(() => import("./run.ts")),
      ({ run }) => run(input),
    ),
})
