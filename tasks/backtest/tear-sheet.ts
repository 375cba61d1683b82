/** The tear sheet: a self-contained page that says what was judged, by which policy, and on which bars. */
import type { Model } from "../../src/domain/model.ts"
import { slotText } from "../../src/domain/model.ts"
import type { Report } from "../../src/market/metrics.ts"
import type { ThetaFile } from "../../src/market/model-bundle.ts"
import type { Simulation } from "../../src/market/simulator.ts"
import * as HtmlPage from "../../src/services/html-page.ts"
import type { Judgement } from "./judgement.ts"
import type { BacktestSummary, PerformanceNumbers, StressOutcome } from "./schema.ts"
import { monthly } from "./tables.ts"

/** Everything that the page shows. `charts` are `<img>` elements. */
export interface Sheet {
  readonly model: Model
  readonly seed: number
  readonly theta: ThetaFile
  readonly configuration: Readonly<Record<"env" | "policy" | "backtest_policy" | "cost_table" | "universe", string>>
  readonly summary: BacktestSummary
  readonly stress: ReadonlyArray<StressOutcome>
  readonly simulation: Simulation
  readonly judgement: Judgement
  readonly charts: ReadonlyArray<string>
}

const tones = { PASSED: "good", WARNED: "warn", FAILED: "bad" } as const
const missing = "missing"
const { badge, escape, section, table } = HtmlPage

const fixed =
  (digits: number, unit = "") =>
  (value: number | null | undefined) =>
    value === null || value === undefined || !Number.isFinite(value) ? missing : `${value.toFixed(digits)}${unit}`
const ratio = fixed(2)
const dollars = fixed(2)
const percent = (value: number | null) => fixed(2, " %")(value === null ? null : value * 100)
const code = (text: string) => ({ html: `<code>${escape(text)}</code>` })
const right = (text: string) => ({ html: `<div class="number">${escape(text)}</div>` })
const minute = (millis: number) => new Date(millis).toISOString().slice(0, 16).replace("T", " ")

const shares = new Set(["max_drawdown", "halt_rate", "max_drawdown_vs_deployed"])

const criteriaTable = ({ criteria }: Judgement) =>
  table(
    ["", "criterion", "observed", "", "threshold"],
    criteria.map(({ comparison, name, observed, passed, severity, threshold }) => {
      const shown = (value: number | null) =>
        right(
          shares.has(name) ? percent(value) : value !== null && Number.isInteger(value) ? String(value) : ratio(value),
        )
      const state = passed
        ? badge("passed", "good")
        : severity === "warn"
          ? badge("warns", "warn")
          : badge("fails", "bad")
      return [{ html: state }, name, shown(observed), comparison, shown(threshold)]
    }),
  )

const measures: ReadonlyArray<readonly [string, (numbers: PerformanceNumbers) => string]> = [
  ["Sharpe ratio, annual", ({ sharpe }) => ratio(sharpe)],
  ["return per year", ({ annualReturn }) => percent(annualReturn)],
  ["maximum drawdown", ({ maxDrawdown }) => percent(maxDrawdown)],
  ["trades per year", ({ tradesPerYear }) => fixed(1)(tradesPerYear)],
  ["trades", ({ trades }) => String(trades)],
  ["win rate", ({ winRate }) => percent(winRate)],
  ["profit factor", ({ profitFactor }) => ratio(profitFactor)],
  ["exposure, share of bars", ({ exposure }) => percent(exposure)],
  ["halt rate, share of signals", ({ haltRate }) => percent(haltRate)],
  ["net profit, USD", ({ netProfit }) => dollars(netProfit)],
  ["costs, USD", ({ totalCosts }) => dollars(totalCosts)],
]

const measuresTable = ({ baseline, inSample, performance, shifted }: BacktestSummary) =>
  table(
    ["", "model, out of sample", "base: z alone, no classifiers", "signals one bar later", "final model, in sample"],
    measures.map(([name, shown]) => [
      name,
      ...[performance, baseline, shifted, inSample].map((each) => right(shown(each))),
    ]),
  )

const classifierRow = (name: string, report: Report) => [
  name,
  report.rows,
  right(percent(report.baseRate)),
  right(report.auc === null ? missing : `${ratio(report.auc)} ± ${ratio(report.aucStandardError)}`),
  right(ratio(report.prAuc)),
  right(fixed(3)(report.brier)),
  right(`${percent(report.precision)} at > ${report.threshold}`),
  right(percent(report.recall)),
]

const classifierTable = ({ classifiers }: BacktestSummary) =>
  `${table(
    ["classifier", "labelled bars", "base rate", "AUC", "PR-AUC", "Brier", "precision", "recall"],
    [
      classifierRow("AI1: the spread returns", classifiers.ai1),
      classifierRow("AI2: the next bar is risky", classifiers.ai2),
    ],
  )}<p class="soft">Of a classifier that knows nothing, the AUC is 0.5, PR-AUC and precision are the base rate.</p>`

const bootstrapText = ({ bootstrap: { blockLength, level, maxDrawdown, samples, sharpe } }: BacktestSummary) => {
  const row = (name: string, interval: typeof sharpe, shown: (value: number | null) => string) => [
    name,
    ...[interval?.low, interval?.median, interval?.high].map((value) => right(shown(value ?? null))),
  ]
  const about = `${samples} redrawn series of daily returns, blocks of ${blockLength} trading days on average; ${level * 100} % of them lie between low and high.`
  return `${table(["", "low", "median", "high"], [row("Sharpe ratio, annual", sharpe, ratio), row("maximum drawdown, by day", maxDrawdown, percent)])}<p class="soft">${escape(about)}</p>`
}

const tint = (value: number) => {
  const strength = Math.min(0.45, Math.abs(value) * 20).toFixed(2)
  return value < 0 ? `rgba(194,59,59,${strength})` : `rgba(47,143,95,${strength})`
}

const monthTable = (simulation: Simulation) => {
  const months = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"]
  const returns = monthly(simulation)
  const years = [...new Set(returns.map(({ year }) => year))]
  const rows = years.map((year) => [
    String(year),
    ...months.map((_, index) => {
      const found = returns.find((each) => each.year === year && each.month === index + 1)
      if (found === undefined) return ""
      return { html: `<div class="number" style="background:${tint(found.value)}">${percent(found.value)}</div>` }
    }),
  ])
  return table(["", ...months], rows)
}

const tradeTable = ({ trades }: Simulation, rows: ReadonlyArray<number>) =>
  table(
    ["entry (UTC)", "exit (UTC)", "side", "lots A / B", "bars", "gross, USD", "costs, USD", "net, USD", "exit by"],
    rows.map((i) => [
      minute(trades.entryTime[i]),
      minute(trades.exitTime[i]),
      trades.side[i] > 0 ? "buy A, sell B" : "sell A, buy B",
      `${trades.lotsA[i].toFixed(2)} / ${trades.lotsB[i].toFixed(2)}`,
      trades.bars[i],
      right(dollars(trades.gross[i])),
      right(dollars(trades.costs[i])),
      right(dollars(trades.net[i])),
      trades.reason[i],
    ]),
  )

const extremes = (simulation: Simulation) => {
  const { net } = simulation.trades
  const order = Array.from(net.keys()).toSorted((x, y) => net[y] - net[x] || x - y)
  if (order.length === 0) return "<p>No trade was made.</p>"
  const best = order.filter((i) => net[i] > 0).slice(0, 5)
  const worst = order
    .filter((i) => net[i] <= 0)
    .slice(-5)
    .toReversed()
  return `<h3>Best</h3>${tradeTable(simulation, best)}<h3>Worst</h3>${tradeTable(simulation, worst)}`
}

const stressTable = (stress: ReadonlyArray<StressOutcome>) =>
  table(
    ["scenario", "signals", "Sharpe", "return per year", "maximum drawdown", "trades per year", "net profit, USD"],
    stress.map(({ name, performance, signals }) => [
      name,
      signals === "out_of_sample" ? "out of sample" : "final model",
      right(ratio(performance.sharpe)),
      right(percent(performance.annualReturn)),
      right(percent(performance.maxDrawdown)),
      right(fixed(1)(performance.tradesPerYear)),
      right(dollars(performance.netProfit)),
    ]),
  )

const aboutBars = ({ summary: { outOfSample: rows }, theta }: Sheet) => `
<p>Judged: ${rows.rows} bars out of sample, in ${rows.bars} bars from ${escape(rows.from)} to ${escape(rows.until)}, of ${rows.allBars} bars of the data.
Each was scored by one of ${rows.folds} walk-forward models, fitted and calibrated on earlier bars only, at least ${rows.gapBars} bars before it.</p>
<p>Not out of sample: the thresholds (θ1 ${theta.theta1}, θ2 ${theta.theta2}) were searched on out-of-fold signals from
${escape(theta.searched.from)} to ${escape(theta.searched.until)}: ${escape(theta.searched.reason)}. The final model is fitted to all bars; its column and the stress on changed bars are in sample and are not judged.</p>`

const against = ({ nonInferiority }: BacktestSummary) =>
  nonInferiority.compared
    ? `Compared with the deployed model ${nonInferiority.version}, by its own backtest: Sharpe ${ratio(nonInferiority.sharpe)}, maximum drawdown ${percent(nonInferiority.maxDrawdown)}.`
    : `Not compared with a deployed model: ${nonInferiority.reason}.`

/** The page. The same sheet gives the same bytes. */
export const tearSheet = (sheet: Sheet): string => {
  const { charts, configuration, judgement, model, seed, simulation, stress, summary } = sheet
  const { env } = configuration
  const head = [
    "<style>.wide table { width: auto; }</style>",
    model.synthetic
      ? '<p class="notice"><strong>SYNTHETIC DATA</strong>: these bars were generated, not traded. Nothing here was earned.</p>'
      : "",
    `<p>${badge(judgement.verdict, tones[judgement.verdict])} <span class="soft">under the backtest policy of <strong>${escape(env)}</strong>, ${escape(slotText(model.slot))}, after costs</span></p>`,
    judgement.reasons.length === 0
      ? ""
      : `<ul>${judgement.reasons.map((reason) => `<li>${escape(reason)}</li>`).join("")}</ul>`,
  ].join("\n")
  const bytes: ReadonlyArray<readonly [string, string]> = [
    ["model", model.digest],
    ["data", model.data.digest],
    [`policy (${env}), over the next three`, configuration.policy],
    [`backtest_policy (${env})`, configuration.backtest_policy],
    [`cost_table (${env})`, configuration.cost_table],
    [`universe (${env})`, configuration.universe],
  ]
  return HtmlPage.page(`Backtest: ${model.version}`, head, [
    section("Criteria", `${criteriaTable(judgement)}<p class="soft">${escape(against(summary))}</p>`),
    section("Equity and drawdown", `<div class="charts">${charts.join("\n")}</div>`),
    section("Which bars", aboutBars(sheet)),
    section("Performance", measuresTable(summary)),
    section("Classifiers on the judged bars", classifierTable(summary)),
    section("Bootstrap", bootstrapText(summary)),
    section("Monthly returns", monthTable(simulation)),
    section("Trades", extremes(simulation)),
    section("Stress", stressTable(stress)),
    section(
      "Judged bytes and policy",
      `${table(
        ["", "SHA-256"],
        bytes.map(([name, sha256]) => [name, code(sha256)]),
      )}<p class="soft">Data: ${escape(model.data.source)}. Seed ${seed}.</p>`,
    ),
  ])
}
