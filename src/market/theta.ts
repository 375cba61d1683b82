/**
 * Search of the entry thresholds θ1 (least return probability) and θ2 (risk score to stay under): a coarse grid, then
 * seeded refinement around the best, then a bounded, smoothed step from the θ in use (design 05, train; 08, core_policy).
 */
import * as Random from "./random.ts"

/** A pair of thresholds, both probabilities. */
export interface Theta {
  readonly theta1: number
  readonly theta2: number
}

/** What the objective reads of a simulation at some θ; null is "not defined". Rates are fractions. */
export interface Evaluation {
  readonly annualReturn: number | null
  readonly maxDrawdown: number | null
  readonly tradesPerYear: number | null
  /** See `falsePositiveRate`. */
  readonly falsePositiveRate: number | null
  /** Trades out of sample. */
  readonly trades: number
}

/** Weights of the objective and where its penalties begin. */
export interface Penalties {
  readonly drawdown: number
  readonly drawdown_over: number
  readonly trades: number
  readonly trades_under: number
  readonly false_positives: number
}

/** The search's settings, as in `core_policy.yaml`. Ranges are inclusive. */
export interface Policy {
  readonly theta1_range: readonly [number, number]
  readonly theta2_range: readonly [number, number]
  readonly grid_step: number
  /** Refinement trials: at least `min`, at most `max`, in between until `early_stop` in a row bring nothing better. */
  readonly trials: { readonly min: number; readonly max: number }
  readonly early_stop: number
  /** Largest change of each θ per update. */
  readonly max_step: number
  /** Weight of the newly found θ; the θ in use has the rest. */
  readonly ewma: number
  /** Below this many out-of-sample trades θ stays as it is. */
  readonly min_trades: number
  readonly penalties: Penalties
}

/** One evaluation. `stage` "previous" is the θ in use, "applied" the θ that comes out; −Infinity marks an unusable one. */
export interface Trial extends Theta {
  readonly trial: number
  readonly stage: "previous" | "grid" | "refine" | "applied"
  readonly objective: number
  readonly evaluation: Evaluation
}

/** The outcome of a search: θ to use, whether it moved, why (a sentence), the best trial found, every trial in order. */
export interface Search {
  readonly theta: Theta
  readonly changed: boolean
  readonly reason: string
  readonly best: Trial
  readonly trials: ReadonlyArray<Trial>
}

/**
 * False positives of AI2 at θ2: of the rows that are not risky (label 0), the share whose risk score reaches θ2 and so
 * would be halted. Rows without a score are left out; null when nothing is left.
 */
export const falsePositiveRate = (riskScore: Float64Array, label: ArrayLike<number>, theta2: number): number | null => {
  let negatives = 0
  let halted = 0
  for (let row = 0; row < riskScore.length; row++) {
    if (label[row] !== 0 || Number.isNaN(riskScore[row])) continue
    negatives++
    if (riskScore[row] >= theta2) halted++
  }
  return negatives === 0 ? null : halted / negatives
}

/**
 * Annual return − drawdown·max(0, MaxDD − drawdown_over) − trades·max(0, trades_under − trades/yr)
 * − false_positives·rate (design 05, θ). −Infinity when a number is missing.
 */
export const objective = (evaluation: Evaluation, penalties: Penalties): number => {
  const { annualReturn, maxDrawdown, tradesPerYear, falsePositiveRate } = evaluation
  if (annualReturn === null || maxDrawdown === null || tradesPerYear === null || falsePositiveRate === null) {
    return Number.NEGATIVE_INFINITY
  }
  const value =
    annualReturn -
    penalties.drawdown * Math.max(0, maxDrawdown - penalties.drawdown_over) -
    penalties.trades * Math.max(0, penalties.trades_under - tradesPerYear) -
    penalties.false_positives * falsePositiveRate
  return Number.isNaN(value) ? Number.NEGATIVE_INFINITY : value
}

const round = (value: number) => Math.round(value * 10_000) / 10_000
const clamp = (value: number, [low, high]: readonly [number, number]) => Math.min(high, Math.max(low, value))

const gridOf = ([low, high]: readonly [number, number], step: number): ReadonlyArray<number> => {
  const points: Array<number> = []
  for (let i = 0; low + i * step < high - 1e-9; i++) points.push(round(low + i * step))
  return [...points, high]
}

/**
 * One update of θ: ewma·found + (1 − ewma)·previous, then at most `max_step` from the previous, then into the range.
 * A previous θ outside the range comes back into it at once, whatever the step.
 */
export const step = (previous: Theta, found: Theta, policy: Policy): Theta => {
  const one = (from: number, to: number, range: readonly [number, number]) => {
    const smooth = policy.ewma * to + (1 - policy.ewma) * from
    return round(clamp(clamp(smooth, [from - policy.max_step, from + policy.max_step]), range))
  }
  return {
    theta1: one(previous.theta1, found.theta1, policy.theta1_range),
    theta2: one(previous.theta2, found.theta2, policy.theta2_range),
  }
}

const shown = ({ theta1, theta2 }: Theta) => `θ1 ${theta1}, θ2 ${theta2}`

/**
 * Searches θ. `previous` is the θ in use (for the first model the policy's initial θ). The first of equally good trials
 * wins, so a seed and an `evaluate` that depends on θ alone give the same search every time.
 */
export const search = (
  evaluate: (theta: Theta) => Evaluation,
  policy: Policy,
  options: { readonly seed: number | string; readonly previous: Theta },
): Search => {
  const { previous } = options
  const random = Random.make(`${options.seed}/theta`)
  const trials: Array<Trial> = []
  const attempt = (stage: Trial["stage"], { theta1, theta2 }: Theta): Trial => {
    const evaluation = evaluate({ theta1, theta2 })
    const value = objective(evaluation, policy.penalties)
    const trial = { trial: trials.length, stage, theta1, theta2, objective: value, evaluation }
    trials.push(trial)
    return trial
  }

  let best: Trial = attempt("previous", previous)
  const inRange =
    clamp(previous.theta1, policy.theta1_range) === previous.theta1 &&
    clamp(previous.theta2, policy.theta2_range) === previous.theta2
  if (!inRange) best = { ...best, objective: Number.NEGATIVE_INFINITY }
  const consider = (trial: Trial): boolean => {
    const better = trial.objective > best.objective
    if (better) best = trial
    return better
  }
  for (const theta1 of gridOf(policy.theta1_range, policy.grid_step)) {
    for (const theta2 of gridOf(policy.theta2_range, policy.grid_step)) consider(attempt("grid", { theta1, theta2 }))
  }

  const { min, max } = policy.trials
  for (let done = 0, idle = 0; done < max && (done < min || idle < policy.early_stop); done++) {
    const width = policy.grid_step * (1 - done / (max + 1))
    const near = (center: number, range: readonly [number, number]) =>
      round(clamp(center + width * random.normal(), range))
    const theta = {
      theta1: near(best.theta1, policy.theta1_range),
      theta2: near(best.theta2, policy.theta2_range),
    }
    idle = consider(attempt("refine", theta)) ? 0 : idle + 1
  }

  const keep = (reason: string): Search => ({ theta: previous, changed: false, reason, best, trials })
  if (best.objective === Number.NEGATIVE_INFINITY) {
    return keep(`kept ${shown(previous)}: no θ gave a defined return, drawdown, trade rate and false-positive rate`)
  }
  if (best.evaluation.trades < policy.min_trades) {
    return keep(
      `kept ${shown(previous)}: the best θ (${shown(best)}) has ${best.evaluation.trades} out-of-sample trades, ` +
        `fewer than ${policy.min_trades}`,
    )
  }
  const theta = step(previous, best, policy)
  attempt("applied", theta)
  const changed = theta.theta1 !== previous.theta1 || theta.theta2 !== previous.theta2
  const reason = changed
    ? `moved from ${shown(previous)} towards ${shown(best)}, smoothed and at most ${policy.max_step} each`
    : `kept ${shown(previous)}: it is the best found`
  return { theta, changed, reason, best, trials }
}
