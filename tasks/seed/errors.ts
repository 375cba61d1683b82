import * as Schema from "effect/Schema"

/** Data is there already and its bytes are others. Nothing was changed. */
export class DatasetConflict extends Schema.TaggedError<DatasetConflict>()("DatasetConflict", {
  paths: Schema.Array(Schema.String),
}) {
  readonly notApplied = true
  override get message() {
    const more = this.paths.length > 3 ? ` and ${this.paths.length - 3} more` : ""
    return `Other data is there already: ${this.paths.slice(0, 3).join(", ")}${more}. Nothing was changed; set force: true to replace it, or choose another outputRoot`
  }
}

/** The source has rows that are no bars, or lacks columns. Nothing was written. */
export class SourceInvalid extends Schema.TaggedError<SourceInvalid>()("SourceInvalid", {
  source: Schema.String,
  problems: Schema.Array(Schema.String),
}) {
  readonly notApplied = true
  override get message() {
    return `${this.source} is not a source of bars: ${this.problems.join("; ")}`
  }
}

/** The source has no bars of a symbol in some of the months. Nothing was written. */
export class MonthsMissing extends Schema.TaggedError<MonthsMissing>()("MonthsMissing", {
  source: Schema.String,
  symbol: Schema.String,
  missing: Schema.Array(Schema.String),
  available: Schema.Array(Schema.String),
}) {
  readonly notApplied = true
  override get message() {
    const there = this.available.length === 0 ? "it has none at all" : `it has ${ranges(this.available)}`
    return `${this.source} has no bars of ${this.symbol} in ${ranges(this.missing)}; ${there}`
  }
}

/** Months as text, neighbours joined: `2024-01 to 2024-03, 2024-06`. */
const ranges = (months: ReadonlyArray<string>): string => {
  const number = (month: string) => Number(month.slice(0, 4)) * 12 + Number(month.slice(5))
  const groups: Array<[string, string]> = []
  for (const month of months.toSorted()) {
    const last = groups.at(-1)
    if (last !== undefined && number(month) === number(last[1]) + 1) last[1] = month
    else groups.push([month, month])
  }
  return groups.map(([from, to]) => (from === to ? from : `${from} to ${to}`)).join(", ")
}
