import * as Schema from "effect/Schema"
import { Dataset } from "../domain/dataset.ts"
import type { EndedAttempt } from "./happening.ts"
import { type Facet, facet } from "./lineage-facet.ts"

/** An input or output dataset of an OpenLineage run event. */
export interface LineageDataset {
  readonly namespace: string
  readonly name: string
  readonly inputFacets?: Readonly<Record<string, Facet>>
  readonly outputFacets?: Readonly<Record<string, Facet>>
}

const isDataset = Schema.is(Dataset)

/** The datasets among the fields of an input or output. */
export const datasetsIn = (value: unknown): ReadonlyArray<Dataset> =>
  typeof value === "object" && value !== null ? Object.values(value).flat().filter(isDataset) : []

/** The datasets of an output that were not its input: what the attempt made. */
export const madeBy = ({ input, output }: EndedAttempt): ReadonlyArray<Dataset> => {
  const given = new Set(datasetsIn(input).map(({ digest }) => digest))
  return datasetsIn(output).filter(({ digest }) => !given.has(digest))
}

/** `bars/<timeframe>/<symbol>`: bars of one symbol are one dataset, whichever months of it a run touches. */
const named = (namespace: string, { timeframe }: Dataset, symbol: string) => ({
  namespace,
  name: `bars/${timeframe}/${symbol}`,
})

/** As inputs, one for each symbol, with `facets` of the whole dataset. */
export const inputs = (
  namespace: string,
  datasets: ReadonlyArray<Dataset>,
  facets: (dataset: Dataset) => Readonly<Record<string, Facet>> = () => ({}),
): ReadonlyArray<LineageDataset> =>
  datasets.flatMap((dataset) =>
    dataset.symbols.map((symbol) => ({ ...named(namespace, dataset, symbol), inputFacets: facets(dataset) })),
  )

/** As outputs, one for each symbol, with the rows, bytes and files of its partitions. */
export const outputs = (namespace: string, datasets: ReadonlyArray<Dataset>): ReadonlyArray<LineageDataset> =>
  datasets.flatMap((dataset) =>
    dataset.symbols.map((symbol) => {
      const partitions = dataset.partitions.filter((partition) => partition.symbol === symbol)
      const outputStatistics = facet("OutputStatisticsOutputDatasetFacet", "1-0-2", {
        rowCount: partitions.reduce((sum, { rows }) => sum + rows, 0),
        size: partitions.reduce((sum, { bytes }) => sum + bytes, 0),
        fileCount: partitions.length,
      })
      return { ...named(namespace, dataset, symbol), outputFacets: { outputStatistics } }
    }),
  )

/** One check of a gate as its output may list it (`dq` does). */
const Check = Schema.Struct({
  name: Schema.String,
  severity: Schema.String,
  passed: Schema.Boolean,
  observed: Schema.String,
  threshold: Schema.String,
})
const isChecked = Schema.is(Schema.Struct({ checks: Schema.Array(Check) }))

/** What a gate found out about a dataset: its checks, or its verdict alone. Nothing where it judged other bytes. */
export const assertions = ({ gate, output }: EndedAttempt, dataset: Dataset): Readonly<Record<string, Facet>> => {
  const judged = new Set(gate?.result.subjects.map(({ sha256 }) => sha256))
  if (gate === undefined || !dataset.partitions.some(({ sha256 }) => judged.has(sha256))) return {}
  const found = isChecked(output)
    ? output.checks.map(({ name, observed, passed, severity, threshold }) => ({
        assertion: name,
        success: passed,
        severity,
        expected: threshold,
        actual: observed,
      }))
    : [{ assertion: gate.type, success: gate.result.verdict !== "FAILED" }]
  return { dataQualityAssertions: facet("DataQualityAssertionsDatasetFacet", "1-1-0", { assertions: found }) }
}
