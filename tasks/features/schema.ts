import * as Schema from "effect/Schema"
import { Artifact } from "../../src/domain/artifact.ts"
import { Dataset } from "../../src/domain/dataset.ts"
import { Slot } from "../../src/domain/model.ts"
import { Symbol } from "../../src/domain/names.ts"
import { FeatureSpec } from "../../src/market/features.ts"

/** The pair is the universe's first whose legs the dataset has, unless both legs are given. */
export const FeaturesInput = Schema.Struct({
  dataset: Dataset.annotate({ description: "the bars" }),
  legA: Schema.optionalKey(Symbol.annotate({ description: "one leg of the pair, like EURUSD; give both or neither" })),
  legB: Schema.optionalKey(Symbol.annotate({ description: "the other leg of the pair, like GBPUSD" })),
  spec: Schema.optionalKey(FeatureSpec).annotate({
    description: "windows in bars, and clips; default: the specification's",
  }),
})
  .check(
    Schema.makeFilter(
      ({ legA, legB }) => (legA === undefined) === (legB === undefined) || "give both legA and legB, or neither",
    ),
  )
  .annotate({ identifier: "FeaturesInput" })
export type FeaturesInput = typeof FeaturesInput.Type

/** A feature table in Parquet: `timestamp` and the named columns, one row for each bar that both legs have. */
export const FeaturesOutput = Schema.Struct({
  features: Artifact,
  slot: Slot,
  names: Schema.Array(Schema.String),
  rows: Schema.Int,
  completeRows: Schema.Int.annotate({ description: "rows on which every column has a value; the others warm up" }),
  from: Schema.String,
  to: Schema.String,
  spec: FeatureSpec,
  synthetic: Schema.Boolean,
}).annotate({ identifier: "FeaturesOutput" })
export type FeaturesOutput = typeof FeaturesOutput.Type

/** The two legs have no bar in common. */
export class NoCommonBars extends Schema.TaggedError<NoCommonBars>()("NoCommonBars", {
  legA: Schema.String,
  legB: Schema.String,
}) {
  readonly settled = true
  override get message() {
    return `${this.legA} and ${this.legB} have no bar at the same time: seed the same months of both`
  }
}
