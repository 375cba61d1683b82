import { join } from "node:path"
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as CanonicalJson from "../../src/domain/canonical-json.ts"
import * as GatePolicy from "../../src/domain/gate-policy.ts"
import type { GateResult } from "../../src/domain/gate.ts"
import { GatedModel } from "../../src/domain/model.ts"
import { Artifacts } from "../../src/services/artifacts.ts"
import { Attempt } from "../../src/services/attempt.ts"
import { DuckDb, type WritableColumn } from "../../src/services/duckdb.ts"
import { ModelRegistry } from "../../src/services/model-registry.ts"
import { Progress } from "../../src/services/progress.ts"
import { Settings } from "../../src/services/settings.ts"
import { type Candidate, load } from "./candidate.ts"
import * as Charts from "./charts.ts"
import { type Evaluation, evaluate } from "./evaluation.ts"
import { judge, type Judgement, withMetrics } from "./judgement.ts"
import type { BacktestInput, BacktestOutput, BacktestSummary } from "./schema.ts"
import * as Tables from "./tables.ts"
import { tearSheet } from "./tear-sheet.ts"

const summaryOf = (
  { file, pair, placed }: Candidate,
  { baseline, classifiers, inSample, intervals, performance, shifted, simulation }: Evaluation,
  { nonInferiority }: Judgement,
): BacktestSummary => {
  const { timestamp } = simulation
  return {
    outOfSample: {
      method: file.method,
      from: new Date(timestamp[0]).toISOString(),
      until: new Date(timestamp[timestamp.length - 1]).toISOString(),
      rows: placed.count,
      bars: timestamp.length,
      allBars: pair.timestamp.length,
      folds: file.folds.filter(({ until }) => until >= timestamp[0]).length,
      gapBars: file.gapBars,
    },
    performance,
    shifted,
    baseline,
    inSample,
    classifiers,
    bootstrap: intervals,
    nonInferiority,
  }
}

const putTable = Effect.fnUntraced(function* (name: string, columns: ReadonlyArray<WritableColumn>) {
  const path = join((yield* Attempt).scratch, name)
  yield* (yield* DuckDb).writeParquet(path, columns)
  return yield* (yield* Artifacts).putFile(name, "application/vnd.apache.parquet", path)
})

const putJson = Effect.fnUntraced(function* (name: string, value: unknown) {
  return yield* (yield* Artifacts).put(name, "application/json", `${CanonicalJson.encode(value)}\n`)
})

/** Backtests a model and judges it. See the task type. */
export const run = Effect.fn("backtest")(function* ({ model, seed = 0 }: BacktestInput) {
  const { digest, env, sections } = yield* Settings
  const progress = yield* Progress
  const attempt = yield* Attempt
  const policy = sections.backtest_policy
  yield* progress.report({ done: 0, note: "reading the model and its bars" })
  const candidate = yield* load(model)
  const champion = yield* (yield* ModelRegistry).champion(model.slot)
  yield* progress.report({ done: 0, note: "trading" })
  const evaluation = evaluate(candidate, { policy, costs: sections.cost_table, seed })
  const total = evaluation.stress.length
  const stress = yield* Effect.forEach(evaluation.stress, (scenario, done) =>
    Effect.andThen(
      progress.report({ done, total, unit: "stress scenarios" }),
      Effect.andThen(Effect.yieldNow, Effect.sync(scenario)),
    ),
  )
  const now = yield* Clock.currentTimeMillis
  const judgement = judge(candidate, evaluation, policy, { champion, now })
  const { criteria, reasons, verdict } = judgement
  const summary = summaryOf(candidate, evaluation, judgement)
  yield* progress.report({ done: total, total, note: "writing the report" })

  const { simulation } = evaluation
  const gatePolicy = GatePolicy.backtest(digest)
  const configuration = {
    env,
    policy: gatePolicy.sha256,
    backtest_policy: digest("backtest_policy"),
    cost_table: digest("cost_table"),
    universe: digest("universe"),
  }
  const subject = { version: model.version, sha256: model.digest, synthetic: model.synthetic, seed }
  const { theta1, theta2 } = candidate.bundle.theta
  const files = [
    yield* putJson("bt_summary.json", {
      verdict,
      reasons,
      model: { ...subject, data: model.data.digest, theta1, theta2 },
      configuration,
      ...summary,
      criteria,
    }),
    yield* putTable("bt_trades.parquet", Tables.trades(simulation.trades)),
    yield* putTable("bt_daily_equity.parquet", Tables.dailyEquity(simulation)),
    yield* putJson("bt_stress_results.json", { model: subject, configuration, stress }),
  ]
  const charts = yield* Charts.draw(simulation)
  const sheet = tearSheet({
    model,
    seed,
    theta: candidate.bundle.theta,
    configuration,
    summary,
    stress,
    simulation,
    judgement,
    charts,
  })
  const page = yield* (yield* Artifacts).put("bt_report.html", "text/html", sheet)
  const gate: GateResult = {
    verdict,
    subjects: [{ name: model.version, sha256: model.digest }],
    policy: gatePolicy,
    reasons,
    reports: [files[0], page],
  }
  yield* attempt.note({ verdict, sharpe: summary.performance.sharpe, trades: summary.performance.trades })
  return {
    verdict,
    model: GatedModel.make({
      ...model,
      metrics: withMetrics(model.metrics, evaluation.performance, candidate.placed.count),
    }),
    summary,
    criteria,
    stress,
    files,
    page,
    gate,
  } satisfies BacktestOutput
})
