import type * as Echarts from "echarts"
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import { escape } from "./html-page.ts"

/** A chart could not be drawn. */
export class ChartFailed extends Schema.TaggedError<ChartFailed>()("ChartFailed", {
  title: Schema.String,
  cause: Schema.Defect(),
}) {
  override get message() {
    return `The chart "${this.title}" could not be drawn: ${this.cause instanceof Error ? this.cause.message : String(this.cause)}`
  }
}

/** A named line: points as [x, y]; a NaN is a hole. */
export interface Line {
  readonly name: string
  readonly points: ReadonlyArray<readonly [x: number, y: number]>
}

const size = { width: 560, height: 250 }
const ink = "#808894"
const grid = "rgba(128, 136, 148, 0.25)"
const palette = ["#3b82c4", "#d9822b", "#2f9e6e", "#b5569b", "#8a6fd1", "#c94f4f"]

const axis = {
  axisLabel: { color: ink },
  axisLine: { lineStyle: { color: ink } },
  splitLine: { lineStyle: { color: grid } },
}

const base = (title: string): Echarts.EChartsOption => ({
  animation: false,
  color: palette,
  backgroundColor: "transparent",
  textStyle: { fontFamily: "system-ui, sans-serif" },
  title: { text: title, left: 8, top: 4, textStyle: { color: ink, fontSize: 13, fontWeight: 600 } },
  grid: { left: 64, right: 20, top: 44, bottom: 32 },
})

/** The SVG with its ids numbered from 0: echarts counts them through the life of the process. */
const renumbered = (svg: string): string => {
  const ids = new Map<string, string>()
  return svg.replaceAll(/\bzr\d+-[a-z]+-?\d+/g, (id) => {
    const known = ids.get(id) ?? `k${ids.size}`
    ids.set(id, known)
    return known
  })
}

/**
 * An echarts option as `<img>` with an SVG in it; the same option gives the same bytes. Text in the SVG is escaped by echarts,
 * `title` here. `width` and `height` in pixels.
 */
export const image = (
  title: string,
  option: Echarts.EChartsOption,
  { height, width } = size,
): Effect.Effect<string, ChartFailed> =>
  Effect.gen(function* () {
    const failed = (cause: unknown) => new ChartFailed({ title, cause })
    const echarts = yield* Effect.tryPromise({ try: () => import("echarts"), catch: failed })
    const svg = yield* Effect.acquireUseRelease(
      Effect.try({ try: () => echarts.init(null, null, { renderer: "svg", ssr: true, width, height }), catch: failed }),
      (chart) =>
        Effect.try({
          try: () => {
            chart.setOption({ ...base(title), ...option })
            return renumbered(chart.renderToSVGString())
          },
          catch: failed,
        }),
      (chart) => Effect.sync(() => chart.dispose()),
    )
    const data = Buffer.from(svg).toString("base64")
    return `<img alt="${escape(title)}" width="${width}" height="${height}" src="data:image/svg+xml;base64,${data}">`
  })

/** Lines over time (milliseconds since the epoch, UTC). */
export const timeLines = (
  title: string,
  lines: ReadonlyArray<Line>,
  options: { readonly log?: boolean; readonly area?: boolean } = {},
) =>
  image(title, {
    useUTC: true,
    legend: { show: lines.length > 1, right: 16, top: 6, textStyle: { color: ink } },
    xAxis: { type: "time", ...axis, splitLine: { show: false } },
    yAxis: { type: options.log === true ? "log" : "value", scale: options.area !== true, ...axis },
    series: lines.map(({ name, points }) => ({
      type: "line",
      name,
      showSymbol: false,
      lineStyle: { width: 1.2 },
      ...(options.area === true ? { areaStyle: { opacity: 0.25 } } : {}),
      data: points.map(([x, y]) => [x, Number.isFinite(y) ? y : null]),
    })),
  })

/** Named bars. With `log`, counts on a logarithmic axis on which 0 has no bar and 1 still has one. */
export const bars = (
  title: string,
  values: ReadonlyArray<readonly [label: string, value: number]>,
  options: { readonly log?: boolean } = {},
) => {
  const height = (value: number) => (options.log !== true ? value : value > 0 ? Math.log10(value) + 1 : 0)
  const label = (tick: number) => (tick === 0 ? "0" : String(10 ** (tick - 1)))
  const logarithmic = { min: 0, interval: 1, axisLabel: { color: ink, formatter: label } }
  return image(title, {
    xAxis: { type: "category", data: values.map(([name]) => name), ...axis },
    yAxis: { type: "value", ...axis, ...(options.log === true ? logarithmic : {}) },
    series: [{ type: "bar", barCategoryGap: "8%", data: values.map(([, value]) => height(value)) }],
  })
}

/** A histogram of the finite values in `bins` equal bins; counts on a logarithmic axis, so that the tails can be seen. */
export const histogram = (
  title: string,
  values: ArrayLike<number>,
  options: { readonly bins?: number; readonly format?: (value: number) => string } = {},
) => {
  const bins = options.bins ?? 61
  const finite = Array.from(values).filter(Number.isFinite)
  const low = finite.reduce((least, value) => Math.min(least, value), Number.POSITIVE_INFINITY)
  const high = finite.reduce((most, value) => Math.max(most, value), Number.NEGATIVE_INFINITY)
  const width = (high - low) / bins || 1
  const counts = Array.from({ length: finite.length === 0 ? 0 : bins }, () => 0)
  for (const value of finite) counts[Math.min(bins - 1, Math.floor((value - low) / width))]++
  const format = options.format ?? ((value: number) => String(Number(value.toPrecision(3))))
  return bars(
    title,
    counts.map((count, bin) => [format(low + (bin + 0.5) * width), count]),
    { log: true },
  )
}
