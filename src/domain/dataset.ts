import * as Schema from "effect/Schema"
import { Month, Symbol, Timeframe } from "./names.ts"
import { Sha256 } from "./sha256.ts"

/** One month of one symbol's canonical bars, in a file. */
export const Partition = Schema.Struct({
  symbol: Symbol,
  month: Month,
  path: Schema.String.annotate({ description: "relative to the project, or absolute under a configured root" }),
  sha256: Sha256,
  bytes: Schema.Int,
  rows: Schema.Int,
  firstTimestamp: Schema.String,
  lastTimestamp: Schema.String,
}).annotate({ identifier: "Partition" })
export type Partition = typeof Partition.Type

const fields = {
  timeframe: Timeframe,
  symbols: Schema.Array(Symbol),
  format: Schema.Literals(["parquet", "json", "csv"]),
  partitions: Schema.Array(Partition),
  rows: Schema.Int,
  synthetic: Schema.Boolean.annotate({ description: "true when the bars were generated; shown wherever the data is" }),
  source: Schema.String,
  digest: Sha256.annotate({ description: "SHA-256 over the sorted partition digests, one per line" }),
}

/** Canonical bars: partitions with digests, in ascending (symbol, month). */
export const Dataset = Schema.Struct(fields).annotate({ identifier: "Dataset" })
export type Dataset = typeof Dataset.Type

/** A dataset that a data-quality gate has let through. Only a gate's output has this type. */
export const CheckedDataset = Schema.Struct(fields)
  .pipe(Schema.brand("Checked"))
  .annotate({ identifier: "Checked<Dataset>" })
export type CheckedDataset = typeof CheckedDataset.Type
