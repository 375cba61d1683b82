/** The headline metrics of a model: a few numbers of `metrics.json` beside its thresholds. */
import * as Schema from "effect/Schema"

const Measured = Schema.NullOr(Schema.Finite)
const Calibrated = Schema.Struct({
  rows: Schema.Finite,
  baseRate: Measured,
  auc: Measured,
  prAuc: Measured,
  logLoss: Measured,
  brier: Measured,
  ece: Measured,
})
const Classifier = Schema.Struct({
  kFold: Schema.Struct({ outOfSample: Schema.Struct({ calibrated: Calibrated }) }),
  walkForward: Schema.Struct({
    outOfSample: Schema.Struct({ uncalibrated: Schema.Struct({ auc: Measured }) }),
  }),
})

/** The part of `metrics.json` (`MetricsFile`) that the headline is taken from. */
export const HeadlineFile = Schema.Struct({
  ai1: Classifier,
  ai2: Classifier,
  outOfFoldSimulation: Schema.Struct({
    annualReturn: Measured,
    sharpe: Measured,
    maxDrawdown: Measured,
    tradesPerYear: Measured,
    haltRate: Measured,
  }),
})
export type HeadlineFile = typeof HeadlineFile.Type

/** `Model.metrics` as training leaves it; what is not defined is left out. Units as in `metrics.json`. */
export const headline = (
  metrics: HeadlineFile,
  theta: { readonly theta1: number; readonly theta2: number },
): Readonly<Record<string, number>> => {
  const found: Record<string, number> = { theta1: theta.theta1, theta2: theta.theta2 }
  const add = (name: string, value: number | null) => {
    if (value !== null) found[name] = value
  }
  for (const name of ["ai1", "ai2"] as const) {
    const { kFold, walkForward } = metrics[name]
    add(`${name}_samples`, kFold.outOfSample.calibrated.rows)
    add(`${name}_base_rate`, kFold.outOfSample.calibrated.baseRate)
    add(`${name}_auc`, kFold.outOfSample.calibrated.auc)
    add(`${name}_auc_walk_forward`, walkForward.outOfSample.uncalibrated.auc)
    add(`${name}_pr_auc`, kFold.outOfSample.calibrated.prAuc)
    add(`${name}_log_loss`, kFold.outOfSample.calibrated.logLoss)
    add(`${name}_brier`, kFold.outOfSample.calibrated.brier)
    add(`${name}_ece`, kFold.outOfSample.calibrated.ece)
  }
  const { annualReturn, haltRate, maxDrawdown, sharpe, tradesPerYear } = metrics.outOfFoldSimulation
  add("oof_sharpe", sharpe)
  add("oof_annual_return", annualReturn)
  add("oof_max_drawdown", maxDrawdown)
  add("oof_trades_per_year", tradesPerYear)
  add("oof_halt_rate", haltRate)
  return found
}
