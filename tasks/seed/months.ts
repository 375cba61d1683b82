import type { SeedInput } from "./schema.ts"

const next = (month: string): string => {
  const index = Number(month.slice(0, 4)) * 12 + Number(month.slice(5))
  return `${String(Math.floor(index / 12)).padStart(4, "0")}-${String((index % 12) + 1).padStart(2, "0")}`
}

/** The months of an input, ascending. */
export const monthsOf = ({ month, months }: Pick<SeedInput, "month" | "months">): ReadonlyArray<string> => {
  if (months === undefined) return month === undefined ? [] : [month]
  if (!("from" in months)) return months.toSorted()
  const list: Array<string> = []
  for (let each: string = months.from; each <= months.to; each = next(each)) list.push(each)
  return list
}

/** First millisecond of a month and of the month after it, UTC. */
export const boundsOf = (month: string): { readonly from: number; readonly to: number } => ({
  from: Date.parse(`${month}-01T00:00:00Z`),
  to: Date.parse(`${next(month)}-01T00:00:00Z`),
})
