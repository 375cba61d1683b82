/** What `train` and a trainer say to each other: files of JSON, and lines of progress. README.md describes it. */
import * as Schema from "effect/Schema"
import { BacktestPolicySection } from "../../src/domain/config/backtest-policy.ts"
import { CorePolicySection } from "../../src/domain/config/core-policy.ts"
import { CostTableSection } from "../../src/domain/config/cost-table.ts"
import { DqSection } from "../../src/domain/config/dq.ts"
import { TrainingSection } from "../../src/domain/config/training.ts"
import { UniversePair } from "../../src/domain/config/universe.ts"
import { Slot } from "../../src/domain/model.ts"
import { Month, Symbol } from "../../src/domain/names.ts"
import { Sha256 } from "../../src/domain/sha256.ts"
import { FoldSummary, Trainer } from "./schema.ts"

/** Names of the files in a trainer's output folder. */
export const files = {
  samples: "samples.json",
  fitted: "fitted.json",
  result: "result.json",
  report: "report.json",
} as const

/**
 * What a trainer gets. Paths are absolute. `step`: `train` is the whole of it; for a program of the user's the built-in
 * trainer does `samples`, the program `fit`, and the built-in trainer `finish`.
 */
export const Manifest = Schema.Struct({
  contract: Schema.Literal(1),
  step: Schema.Literals(["train", "samples", "fit", "finish"]),
  slot: Slot,
  instruments: UniversePair,
  dataset: Schema.Struct({
    timeframe: Slot.fields.timeframe,
    format: Schema.Literals(["parquet", "json", "csv"]),
    partitions: Schema.Array(Schema.Struct({ symbol: Symbol, month: Month, sha256: Sha256, path: Schema.String })),
  }),
  config: Schema.Struct({
    training: TrainingSection,
    dq: DqSection,
    core_policy: CorePolicySection,
    backtest_policy: BacktestPolicySection,
    cost_table: CostTableSection,
  }),
  trainer: Trainer,
  seed: Schema.Int,
  threads: Schema.Int,
  output: Schema.String,
  samples: Schema.String,
  fitted: Schema.String,
})
export type Manifest = typeof Manifest.Type

const Fold = Schema.Struct({ train: Schema.Array(Schema.Int), test: Schema.Array(Schema.Int) })

/** `samples.json`: columns of one length, and folds as indices into them. A label is 0, 1 or null (no sample of it). */
export const SamplesFile = Schema.Struct({
  timestamp: Schema.Array(Schema.String),
  names: Schema.Array(Schema.String),
  features: Schema.Record(Schema.String, Schema.Array(Schema.Finite)),
  labels: Schema.Record(Schema.String, Schema.Array(Schema.NullOr(Schema.Int))),
  kFold: Schema.Array(Fold),
  walkForward: Schema.Array(Fold),
})
export type SamplesFile = typeof SamplesFile.Type

/** Names and versions of what a trainer ran on. */
export const Environment = Schema.Record(Schema.String, Schema.String)

const FittedClassifier = Schema.Struct({
  model: Schema.Unknown,
  kFold: Schema.Array(Schema.NullOr(Schema.Finite)),
  walkForward: Schema.Array(Schema.NullOr(Schema.Finite)),
})

/** `fitted.json`, by a program: per classifier a model in the format of `src/market/classifier.ts`, and scores per sample. */
export const FittedFile = Schema.Struct({
  ai1: FittedClassifier,
  ai2: FittedClassifier,
  environment: Environment,
})
export type FittedFile = typeof FittedFile.Type

const Reason = Schema.Struct({ code: Schema.String, message: Schema.String })

/** `result.json`: a model, or why there is none. */
export const ResultFile = Schema.Union([
  Schema.Struct({
    status: Schema.Literal("trained"),
    files: Schema.Array(Schema.Struct({ name: Schema.String, sha256: Sha256 })),
    metrics: Schema.Record(Schema.String, Schema.Finite),
    theta: Schema.Struct({ theta1: Schema.Finite, theta2: Schema.Finite }),
    folds: Schema.Array(FoldSummary),
    warnings: Schema.Array(Schema.String),
    environment: Environment,
  }),
  Schema.Struct({ status: Schema.Literal("blocked"), reasons: Schema.Array(Reason) }),
])
export type ResultFile = typeof ResultFile.Type

/** A line of progress on a trainer's standard output. */
export const ProgressLine = Schema.Struct({
  progress: Schema.Struct({
    done: Schema.Finite,
    total: Schema.optionalKey(Schema.Finite),
    unit: Schema.optionalKey(Schema.String),
    note: Schema.optionalKey(Schema.String),
  }),
})
export type ProgressLine = typeof ProgressLine.Type
