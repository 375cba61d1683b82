/** One measured figure. Times are better when small, rates when large; `best` is the best of the repetitions. */
export interface Figure {
  readonly name: string
  readonly unit: string
  readonly p50: number
  readonly best: number
  readonly p95?: number
  /** Most (times, sizes) or least (rates) that `p50` may be, from the engine's specification. */
  readonly target?: Target
  /** What `p50` was set against, measured in the same process, and how many times as much it is. */
  readonly against?: { readonly what: string; readonly ratio: number }
}

/** A bound on a figure. */
export type Target = { readonly atMost: number } | { readonly atLeast: number }

/** What a bench found: figures, and facts that belong beside them. */
export interface Report {
  readonly figures: ReadonlyArray<Figure>
  readonly notes: ReadonlyArray<string>
}

/** Sizes of a bench: those of the specification, or tiny ones that only show that it runs. */
export type Scale = "full" | "small"

/** A bench: one noun measured. */
export type Bench = (scale: Scale) => Promise<Report>

type More = Pick<Figure, "target" | "against">

/** The value below which a share of the values lies (nearest rank). Throws RangeError without values. */
export const percentile = (values: ReadonlyArray<number>, share: number): number => {
  if (values.length === 0) throw new RangeError("There are no values to rank")
  const ascending = values.toSorted((a, b) => a - b)
  return ascending[Math.max(0, Math.ceil(share * ascending.length) - 1)]
}

/** A figure from repeated times or sizes. */
export const fromTimes = (name: string, unit: string, values: ReadonlyArray<number>, more: More = {}): Figure => ({
  name,
  unit,
  p50: percentile(values, 0.5),
  best: Math.min(...values),
  ...(values.length < 20 ? {} : { p95: percentile(values, 0.95) }),
  ...more,
})

/** A figure from repeated rates: `amount` of something in each of the times (milliseconds), per second. */
export const fromRates = (
  name: string,
  unit: string,
  amount: number,
  millis: ReadonlyArray<number>,
  more: More = {},
): Figure => {
  const rates = millis.map((time) => (amount / time) * 1000)
  return { name, unit, p50: percentile(rates, 0.5), best: Math.max(...rates), ...more }
}

/** Whether a figure keeps its target; undefined without one. */
export const holds = ({ p50, target }: Figure): boolean | undefined => {
  if (target === undefined) return undefined
  return "atMost" in target ? p50 <= target.atMost : p50 >= target.atLeast
}

/** Times of `count` calls, one after the other, milliseconds. */
export const times = async (count: number, call: (round: number) => unknown): Promise<ReadonlyArray<number>> => {
  const found: Array<number> = []
  for (let round = 0; round < count; round++) {
    const start = performance.now()
    await call(round)
    found.push(performance.now() - start)
  }
  return found
}
