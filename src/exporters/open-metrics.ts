/** The text format of OpenMetrics 1.0 (https://github.com/prometheus/OpenMetrics/blob/v1.0.0/specification/OpenMetrics.md). */

/** What a response with such a text says it is. */
export const contentType = "application/openmetrics-text; version=1.0.0; charset=utf-8"

/** What is counted or measured under one name, which has the unit at its end and no `_total`, `_info` or `_bucket`. */
export interface Family {
  readonly name: string
  readonly type: "counter" | "gauge" | "histogram" | "info"
  readonly unit?: "seconds" | "bytes"
  readonly help: string
}

export type Labels = Readonly<Record<string, string>>

/** How many observations were at most so large, for each bound in rising order; all of them, and what they come to. */
export interface Distribution {
  readonly buckets: ReadonlyArray<readonly [atMost: number, count: number]>
  readonly count: number
  readonly sum: number
}

/** One value of a family. An info has the value 1; a family never has two samples with the same labels. */
export interface Sample {
  readonly labels: Labels
  readonly value: number | Distribution
}

const escapes: Readonly<Record<string, string>> = { "\\": "\\\\", "\n": "\\n", '"': '\\"' }

const escaped = (text: string): string => text.toWellFormed().replace(/[\\\n"]/g, (character) => escapes[character])

const numberText = (value: number): string =>
  Number.isFinite(value) ? String(value) : Number.isNaN(value) ? "NaN" : value > 0 ? "+Inf" : "-Inf"

/** A bound, which is a floating-point number also where it is whole. */
const boundText = (bound: number): string => (Number.isSafeInteger(bound) ? `${bound}.0` : numberText(bound))

const labelText = (labels: Labels): string => {
  const pairs = Object.entries(labels).map(([name, value]) => `${name}="${escaped(value)}"`)
  return pairs.length === 0 ? "" : `{${pairs.join(",")}}`
}

const histogramLines = (name: string, labels: Labels, { buckets, count, sum }: Distribution): ReadonlyArray<string> => {
  const finite = buckets.filter(([atMost]) => atMost !== Infinity)
  const bounds = [...finite, [Infinity, count] as const]
  return [
    ...bounds.map(([atMost, below]) => `${name}_bucket${labelText({ ...labels, le: boundText(atMost) })} ${below}`),
    `${name}_count${labelText(labels)} ${count}`,
    `${name}_sum${labelText(labels)} ${numberText(sum)}`,
  ]
}

const suffixes = { counter: "_total", gauge: "", info: "_info" } as const

const sampleLines = ({ name, type }: Family, { labels, value }: Sample): ReadonlyArray<string> => {
  if (type === "histogram") return typeof value === "object" ? histogramLines(name, labels, value) : []
  return typeof value === "number" ? [`${name}${suffixes[type]}${labelText(labels)} ${numberText(value)}`] : []
}

/** Families with their samples as a text; those without a sample are left out. */
export const render = (families: ReadonlyArray<readonly [Family, ReadonlyArray<Sample>]>): string =>
  [
    ...families.flatMap(([family, samples]) => {
      if (samples.length === 0) return []
      const { help, name, type, unit } = family
      return [
        `# TYPE ${name} ${type}`,
        ...(unit === undefined ? [] : [`# UNIT ${name} ${unit}`]),
        `# HELP ${name} ${escaped(help)}`,
        ...samples.flatMap((sample) => sampleLines(family, sample)),
      ]
    }),
    "# EOF\n",
  ].join("\n")
