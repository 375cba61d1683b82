/** Logistic regression with an L2 penalty. */
import * as Schema from "effect/Schema"
import { CholeskyDecomposition, Matrix as Dense, solve } from "ml-matrix"
import * as ClassWeights from "./class-weights.ts"
import * as Matrix from "./matrix.ts"

/** A fitted model as plain JSON; `coefficients[j]` belongs to feature `names[j]`. */
export const LogisticModel = Schema.Struct({
  kind: Schema.Literal("logistic"),
  names: Schema.Array(Schema.String),
  coefficients: Schema.Array(Schema.Finite),
  intercept: Schema.Finite,
  iterations: Schema.Finite,
  converged: Schema.Boolean,
}).check(
  Schema.makeFilter(
    ({ names, coefficients }) => names.length === coefficients.length || "expected one coefficient per feature",
  ),
)
export type LogisticModel = typeof LogisticModel.Type

/** How to fit; `defaults` has what is not given. */
export interface LogisticOptions {
  /** Inverse strength of the penalty, as in scikit-learn: the loss is ½|coefficients|² + c · Σ weight · log loss. */
  readonly c?: number
  /** Largest weight of the rarer class relative to the other; 1 weights all rows alike. */
  readonly classRatio?: number
  /** Converged when no component of the gradient, divided by c · rows, is larger. */
  readonly tolerance?: number
  /** Newton steps; a model that needed more has `converged: false`. */
  readonly maxIterations?: number
}

/** What an option is when it is not given. */
export const defaults: Required<LogisticOptions> = { c: 1, classRatio: 5, tolerance: 1e-10, maxIterations: 100 }

/** 1 / (1 + e^−x). */
export const sigmoid = (x: number): number => 1 / (1 + Math.exp(-x))

const linear = (columns: ReadonlyArray<Float64Array>, beta: ArrayLike<number>, intercept: number, rows: number) => {
  const eta = new Float64Array(rows).fill(intercept)
  for (let j = 0; j < columns.length; j++) {
    const column = columns[j]
    const weight = beta[j]
    for (let i = 0; i < rows; i++) eta[i] += weight * column[i]
  }
  return eta
}

interface Problem {
  readonly matrix: Matrix.Matrix
  readonly labels: Matrix.LabelValues
  /** Class weight times c, per row. */
  readonly weights: Float64Array
}

/** The penalised loss at `beta`, whose last entry is the intercept. */
const loss = ({ matrix, labels, weights }: Problem, beta: Float64Array): number => {
  const size = matrix.columns.length
  const eta = linear(matrix.columns, beta, beta[size], matrix.rows)
  let sum = 0
  for (let i = 0; i < eta.length; i++) {
    const margin = labels[i] === 1 ? eta[i] : -eta[i]
    sum += weights[i] * (Math.max(0, -margin) + Math.log1p(Math.exp(-Math.abs(margin))))
  }
  for (let j = 0; j < size; j++) sum += 0.5 * beta[j] * beta[j]
  return sum
}

const derivatives = ({ matrix, labels, weights }: Problem, beta: Float64Array) => {
  const { rows, columns } = matrix
  const size = columns.length
  const residual = linear(columns, beta, beta[size], rows)
  const curvature = new Float64Array(rows)
  for (let i = 0; i < rows; i++) {
    const probability = sigmoid(residual[i])
    curvature[i] = weights[i] * probability * (1 - probability)
    residual[i] = weights[i] * (probability - labels[i])
  }
  const withIntercept = [...columns, new Float64Array(rows).fill(1)]
  const gradient = new Float64Array(size + 1)
  const hessian = Dense.zeros(size + 1, size + 1)
  for (let j = 0; j <= size; j++) {
    const left = withIntercept[j]
    let slope = j < size ? beta[j] : 0
    for (let i = 0; i < rows; i++) slope += residual[i] * left[i]
    gradient[j] = slope
    for (let k = j; k <= size; k++) {
      const right = withIntercept[k]
      let sum = j === k && j < size ? 1 : 0
      for (let i = 0; i < rows; i++) sum += curvature[i] * left[i] * right[i]
      hessian.set(j, k, sum)
      hessian.set(k, j, sum)
    }
  }
  return { gradient, hessian }
}

const newtonStep = (hessian: Dense, gradient: Float64Array): Float64Array => {
  const target = Dense.columnVector(gradient)
  const cholesky = new CholeskyDecomposition(hessian)
  const step = cholesky.isPositiveDefinite() ? cholesky.solve(target) : solve(hessian, target, true)
  return Float64Array.from(step.to1DArray())
}

/** Halves the Newton step until the loss falls enough (Armijo); undefined when no step helps. */
const descend = (problem: Problem, beta: Float64Array, gradient: Float64Array, step: Float64Array) => {
  const start = loss(problem, beta)
  const decrement = step.reduce((sum, value, j) => sum + value * gradient[j], 0)
  for (let length = 1; length > 1e-9; length /= 2) {
    const next = beta.map((value, j) => value - length * step[j])
    if (loss(problem, next) <= start - 1e-4 * length * decrement + 1e-13 * Math.abs(start)) return next
  }
  return undefined
}

const assertFinite = (matrix: Matrix.Matrix) => {
  for (let j = 0; j < matrix.columns.length; j++) {
    const row = matrix.columns[j].findIndex((value) => !Number.isFinite(value))
    if (row >= 0) {
      throw new RangeError(`Logistic regression takes no missing values: feature ${matrix.names[j]}, row ${row}`)
    }
  }
}

/**
 * Fits by iteratively reweighted least squares (Newton's method with step halving). The intercept is not penalised; the
 * penalty keeps separable data finite, so scale the features first. One class only gives a constant model.
 * RangeError for a value that is not finite, or labels that do not fit.
 */
export const fit = (
  matrix: Matrix.Matrix,
  labels: Matrix.LabelValues,
  options: LogisticOptions = {},
): LogisticModel => {
  const { c, classRatio, tolerance, maxIterations } = { ...defaults, ...options }
  Matrix.assertLabelled(matrix, labels)
  assertFinite(matrix)
  if (!(c > 0 && c < Infinity)) throw new RangeError(`c must be positive, not ${c}`)
  const size = matrix.columns.length
  const classWeights = ClassWeights.balanced(labels, classRatio)
  const problem = { matrix, labels, weights: ClassWeights.perRow(labels, classWeights).map((weight) => weight * c) }
  let beta: Float64Array = new Float64Array(size + 1)
  beta[size] = ClassWeights.logOdds(labels, classWeights)
  let converged = new Set(Array.from(labels)).size < 2
  let iterations = 0
  while (!converged && iterations < maxIterations) {
    const { gradient, hessian } = derivatives(problem, beta)
    converged = gradient.every((slope) => Math.abs(slope) <= tolerance * c * matrix.rows)
    if (converged) break
    const next = descend(problem, beta, gradient, newtonStep(hessian, gradient))
    if (next === undefined) break
    beta = next
    iterations++
  }
  const coefficients = Array.from(beta.subarray(0, size))
  return { kind: "logistic", names: [...matrix.names], coefficients, intercept: beta[size], iterations, converged }
}

/** Probability of label 1 per row; NaN where a feature is NaN. RangeError when the features are not the model's. */
export const predict = (model: LogisticModel, matrix: Matrix.Matrix): Float64Array => {
  Matrix.assertNames(matrix, model.names)
  return linear(matrix.columns, model.coefficients, model.intercept, matrix.rows).map(sigmoid)
}
