/** One measured figure. Times are better when small, rates when large; `best` is the best of the repetitions. */
export interface Figure {
  readonly name: string
  readonly unit: string
  readonly p50: number
  readonly best: number
  readonly p95?: number
  /** As `p50`, counting only the time that this process was on a processor, on any thread: what a quiet machine gives. */
  readonly cpu?: number
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

/** Milliseconds of calls: passed, and spent on processors. */
export interface Times {
  readonly millis: ReadonlyArray<number>
  readonly cpu: ReadonlyArray<number>
}

/** A figure from repeated values. */
export const fromValues = (name: string, unit: string, values: ReadonlyArray<number>, more: More = {}): Figure => ({
  name,
  unit,
  p50: percentile(values, 0.5),
  best: Math.min(...values),
  ...(values.length < 20 ? {} : { p95: percentile(values, 0.95) }),
  ...more,
})

/** A figure from repeated times, in milliseconds. */
export const fromTimes = (name: string, { cpu, millis }: Times, more: More = {}): Figure => ({
  ...fromValues(name, "ms", millis, more),
  cpu: percentile(cpu, 0.5),
})

/** A figure from repeated rates: `amount` of something in each of the times, per second. */
export const fromRates = (name: string, unit: string, amount: number, times: Times, more: More = {}): Figure => {
  const rates = times.millis.map((time) => (amount / time) * 1000)
  const busy = percentile(times.cpu, 0.5)
  return { name, unit, p50: percentile(rates, 0.5), best: Math.max(...rates), cpu: (amount / busy) * 1000, ...more }
}

/** Whether a figure keeps its target; undefined without one. */
export const holds = ({ p50, target }: Figure): boolean | undefined => {
  if (target === undefined) return undefined
  return "atMost" in target ? p50 <= target.atMost : p50 >= target.atLeast
}

/** Times of `count` calls, one after the other. */
export const times = async (count: number, call: (round: number) => unknown): Promise<Times> => {
  const found = { millis: new Array<number>(), cpu: new Array<number>() }
  for (let round = 0; round < count; round++) {
    const before = process.cpuUsage()
    const start = performance.now()
    await call(round)
    found.millis.push(performance.now() - start)
    const { system, user } = process.cpuUsage(before)
    found.cpu.push((user + system) / 1000)
  }
  return found
}

/** What whole processes took. `peaks`: the most memory that a process, or one that it waited for, had at once; MiB. */
export interface Spawns extends Times {
  readonly peaks: ReadonlyArray<number>
  /** What the last one wrote to its standard output. */
  readonly output: string
}

/** Runs processes one after the other, from spawn to exit. Throws when one ends with another code than `code`. */
export const spawns = (count: number, argv: ReadonlyArray<string>, cwd: string, code = 0): Spawns => {
  const found = { millis: new Array<number>(), cpu: new Array<number>(), peaks: new Array<number>(), output: "" }
  for (let round = 0; round < count; round++) {
    const start = performance.now()
    const ended = Bun.spawnSync([...argv], { cwd, stdout: "pipe", stderr: "pipe" })
    found.millis.push(performance.now() - start)
    found.cpu.push(Number(ended.resourceUsage?.cpuTime.total ?? 0) / 1000)
    found.peaks.push(Number(ended.resourceUsage?.maxRSS ?? 0) / 2 ** 20)
    found.output = ended.stdout.toString()
    if (ended.exitCode !== code)
      throw new Error(`${argv.join(" ")} ended with ${ended.exitCode}: ${ended.stderr.toString()}`)
  }
  return found
}
