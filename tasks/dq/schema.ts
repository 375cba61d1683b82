import * as Schema from "effect/Schema"
import { Artifact } from "../../src/domain/artifact.ts"
import { CheckedDataset, Dataset } from "../../src/domain/dataset.ts"
import { GateResult, Verdict } from "../../src/domain/gate.ts"
import { InputFile, Symbol } from "../../src/domain/names.ts"
import { barMapping } from "../../src/services/duckdb-bar-files.ts"

/** A row that fails a check. `row` counts the data rows of its file from 1; 0 where the failure is not a row's. */
export const FailingRow = Schema.Struct({
  file: Schema.String,
  row: Schema.Int,
  symbol: Schema.optionalKey(Schema.String),
  timestamp: Schema.optionalKey(Schema.String),
  detail: Schema.String,
}).annotate({ identifier: "FailingRow" })
export type FailingRow = typeof FailingRow.Type

/** What one check found: the observed value beside its threshold, how many rows fail, and a sample of them. */
export const CheckResult = Schema.Struct({
  name: Schema.String,
  severity: Schema.Literals(["error", "warn"]),
  passed: Schema.Boolean,
  observed: Schema.String,
  threshold: Schema.String,
  failing: Schema.Int,
  sample: Schema.Array(FailingRow),
}).annotate({ identifier: "CheckResult" })
export type CheckResult = typeof CheckResult.Type

/** A file's shares of missing, outlying and spiking rows, and the flags that follow, the gravest first. */
export const FileFlags = Schema.Struct({
  file: Schema.String,
  rows: Schema.Int,
  missing: Schema.Finite,
  outlier: Schema.Finite,
  spike: Schema.Finite,
  flags: Schema.Array(Schema.Literals(["quarantined", "missing", "outlier", "spike"])),
}).annotate({ identifier: "FileFlags" })
export type FileFlags = typeof FileFlags.Type

const outcome = {
  verdict: Verdict,
  checks: Schema.Array(CheckResult),
  flags: Schema.Array(FileFlags),
  report: Artifact,
  page: Artifact,
  quarantine: Schema.Array(Schema.String).annotate({ description: "where the marks of the files at fault stand" }),
  gate: GateResult,
}

const expectations = InputFile.annotate({ description: "a YAML file: what the data must be" })

const asOf = Schema.optionalKey(
  Schema.String.check(Schema.isPattern(/^\d{4}-\d{2}-\d{2}(T\d{2}:\d{2}(:\d{2}(\.\d+)?)?Z)?$/)),
).annotate({
  description: "the time that freshness is measured at, in UTC (${{ run.created }}, for one); part of the cache key",
})

/** A dataset and what it must be. */
export const DqInput = Schema.Struct({
  dataset: Dataset.annotate({ description: "the bars that are judged" }),
  expectations,
  asOf,
}).annotate({ identifier: "DqInput" })
export type DqInput = typeof DqInput.Type

/** The verdict on a dataset. */
export const DqOutput = Schema.Struct({ ...outcome, dataset: CheckedDataset }).annotate({ identifier: "DqOutput" })
export type DqOutput = typeof DqOutput.Type

/** Files of any kind and what they must be. */
export const DqFileInput = Schema.Struct({
  files: Schema.Array(InputFile)
    .check(Schema.isMinLength(1))
    .annotate({ description: "JSON, CSV or Parquet files that are judged" }),
  expectations,
  asOf,
  symbols: Schema.optionalKey(Schema.Array(Symbol)).annotate({
    description:
      "whose bars each file holds, one per file; without it a column symbol says so, or all files are one series",
  }),
  quarantine: Schema.optionalKey(Schema.Boolean).annotate({
    description: "writes <file>.__quarantine.json beside a file that fails; default true",
  }),
  ...barMapping,
})
  .check(
    Schema.makeFilter(
      ({ files, symbols }) =>
        symbols === undefined || symbols.length === files.length || "symbols must name one symbol per file",
    ),
  )
  .annotate({ identifier: "DqFileInput" })
export type DqFileInput = typeof DqFileInput.Type

/** The verdict on files. */
export const DqFileOutput = Schema.Struct(outcome).annotate({ identifier: "DqFileOutput" })
export type DqFileOutput = typeof DqFileOutput.Type
