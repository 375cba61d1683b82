import { type Figure, type Report, holds } from "./figure.ts"

const number = (value: number): string => {
  if (value >= 1000) return Math.round(value).toLocaleString("en-US")
  if (value >= 100) return value.toFixed(0)
  return value >= 10 ? value.toFixed(1) : value.toPrecision(3)
}

const row = (figure: Figure): ReadonlyArray<string> => {
  const { against, best, cpu, name, p50, p95, target, unit } = figure
  const kept = holds(figure)
  const bound =
    target === undefined ? "" : "atMost" in target ? `≤ ${number(target.atMost)}` : `≥ ${number(target.atLeast)}`
  return [
    name,
    number(p50),
    number(best),
    p95 === undefined ? "" : number(p95),
    cpu === undefined ? "" : number(cpu),
    unit,
    bound,
    kept === undefined ? "" : kept ? "holds" : "MISSED",
    against === undefined ? "" : `${number(against.ratio)} × ${against.what}`,
  ]
}

const head = ["figure", "p50", "best", "p95", "cpu", "unit", "target", "", "beside"]
const numeric = new Set([1, 2, 3, 4])

/** The figures as aligned lines under one head, then the notes. */
export const lines = ({ figures, notes }: Report): ReadonlyArray<string> => {
  const rows = [head, ...figures.map(row)]
  const widths = head.map((_, column) => Math.max(...rows.map((cells) => cells[column].length)))
  const aligned = rows.map((cells) =>
    cells
      .map((cell, i) => (numeric.has(i) ? cell.padStart(widths[i]) : cell.padEnd(widths[i])))
      .join("  ")
      .trimEnd(),
  )
  return [...(figures.length === 0 ? [] : aligned), ...notes.map((note) => `- ${note}`)]
}
