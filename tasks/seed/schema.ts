import * as Schema from "effect/Schema"
import { Dataset } from "../../src/domain/dataset.ts"
import { InputFile, Month, Symbol, Timeframe } from "../../src/domain/names.ts"
import { barMapping } from "../../src/services/duckdb-bar-files.ts"

/** Where bars come from: the shipped sample, files, or the generator of `src/market/synthetic.ts`. */
export const Source = Schema.Union([
  Schema.Struct({ kind: Schema.Literal("sample") }),
  Schema.Struct({
    kind: Schema.Literal("file"),
    path: Schema.String.check(Schema.isMinLength(1)).annotate({
      description: "a file or a pattern (*, ?, **); {symbol} stands for the symbol",
    }),
    synthetic: Schema.optionalKey(Schema.Boolean).annotate({ description: "true when the bars in it were generated" }),
    ...barMapping,
  }),
  Schema.Struct({
    kind: Schema.Literal("synthetic"),
    seed: Schema.Int,
    regime: Schema.optionalKey(Schema.Literals(["calm", "drift", "breakdown", "burst"])),
  }),
]).annotate({ identifier: "BarSource" })
export type Source = typeof Source.Type

/** From one month to another, both included. */
export const MonthRange = Schema.Struct({ from: Month, to: Month }).check(
  Schema.makeFilter(({ from, to }) => from <= to || "from must not be after to"),
)

/** What to seed. Either `month` or `months`: a list, or a range. */
export const SeedInput = Schema.Struct({
  symbols: Schema.Array(Symbol)
    .check(Schema.isMinLength(1), Schema.isUnique())
    .annotate({ description: "whose bars, like [EURUSD, GBPUSD]" }),
  timeframe: Timeframe.annotate({ description: "of a bar" }),
  month: Schema.optionalKey(Month.annotate({ description: "one month, like 2025-01" })),
  months: Schema.optionalKey(
    Schema.Union([Schema.Array(Month).check(Schema.isMinLength(1), Schema.isUnique()), MonthRange]).annotate({
      description: "several: a list, or { from, to }, both included",
    }),
  ),
  source: Schema.optionalKey(Source).annotate({ description: "default: the shipped sample" }),
  expectations: Schema.optionalKey(InputFile).annotate({
    description: "copied beside the data; a plain one without it",
  }),
  outputRoot: Schema.optionalKey(Schema.String.check(Schema.isMinLength(1))).annotate({
    description: "default: canonical_root of the storage section",
  }),
  force: Schema.optionalKey(Schema.Boolean).annotate({ description: "replaces data that is there; default false" }),
  format: Schema.optionalKey(Schema.Literals(["parquet", "json"])).annotate({ description: "default parquet" }),
})
  .check(
    Schema.makeFilter(
      ({ month, months }) =>
        (month === undefined) !== (months === undefined) || "give either month or months, and not both",
    ),
  )
  .annotate({ identifier: "SeedInput" })
export type SeedInput = typeof SeedInput.Type

/** The canonical bars that are there now. */
export const Seeded = Schema.Struct({ dataset: Dataset }).annotate({ identifier: "Seeded" })
export type Seeded = typeof Seeded.Type
