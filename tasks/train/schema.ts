import * as Schema from "effect/Schema"
import { Artifact } from "../../src/domain/artifact.ts"
import { CheckedDataset } from "../../src/domain/dataset.ts"
import { Model } from "../../src/domain/model.ts"
import { InputFile, Symbol } from "../../src/domain/names.ts"

/** Who fits the classifiers. Either way the calibration, the metrics and θ are computed by `train` itself. */
export const Trainer = Schema.Union([
  Schema.Struct({
    kind: Schema.Literal("builtin"),
    model: Schema.optionalKey(Schema.Literals(["logistic", "boosting"])).annotate({
      description: "one kind for both classifiers; default logistic for AI1, boosting for AI2",
    }),
  }),
  Schema.Struct({
    kind: Schema.Literal("command"),
    argv: Schema.NonEmptyArray(Schema.String).annotate({
      description: "program and arguments; the manifest's path is added. See tasks/train/README.md",
    }),
    reads: Schema.optionalKey(Schema.Array(InputFile)).annotate({
      description: "files that it reads, its own script among them: their digests are part of the cache key",
    }),
  }),
]).annotate({ identifier: "Trainer" })
export type Trainer = typeof Trainer.Type

/** What to train on. The pair is the universe's first whose legs the dataset has, unless both legs are given. */
export const TrainInput = Schema.Struct({
  dataset: CheckedDataset,
  legA: Schema.optionalKey(Symbol.annotate({ description: "one leg of the pair, like EURUSD; give both or neither" })),
  legB: Schema.optionalKey(Symbol.annotate({ description: "the other leg of the pair, like GBPUSD" })),
  trainer: Schema.optionalKey(Trainer).annotate({ description: "default: builtin" }),
  seed: Schema.optionalKey(Schema.Int).annotate({ description: "default 0" }),
})
  .check(
    Schema.makeFilter(
      ({ legA, legB }) => (legA === undefined) === (legB === undefined) || "give both legA and legB, or neither",
    ),
  )
  .annotate({ identifier: "TrainInput" })
export type TrainInput = typeof TrainInput.Type

/** One classifier on one test block. `auc` is uncalibrated; null where it is not defined. */
export const FoldSummary = Schema.Struct({
  classifier: Schema.Literals(["ai1", "ai2"]),
  split: Schema.Literals(["kFold", "walkForward"]),
  from: Schema.String,
  until: Schema.String,
  samples: Schema.Int,
  baseRate: Schema.NullOr(Schema.Finite),
  auc: Schema.NullOr(Schema.Finite),
})
export type FoldSummary = typeof FoldSummary.Type

/** A trained model. `report` is JSON: everything in the model's metrics and parameters, and every θ trial. */
export const TrainOutput = Schema.Struct({
  model: Model,
  metrics: Schema.Record(Schema.String, Schema.Finite).annotate({
    description: "as model.metrics; *_auc out of fold beside *_base_rate; oof_* of the strategy on out-of-fold signals",
  }),
  theta: Schema.Struct({ theta1: Schema.Finite, theta2: Schema.Finite }),
  folds: Schema.Array(FoldSummary),
  warnings: Schema.Array(Schema.String),
  report: Artifact,
}).annotate({ identifier: "TrainOutput" })
export type TrainOutput = typeof TrainOutput.Type
