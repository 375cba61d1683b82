/** Gradient boosting of trees for the binary log loss. */
import * as Schema from "effect/Schema"
import * as Bins from "./boosting-bins.ts"
import * as Trees from "./boosting-tree.ts"
import * as ClassWeights from "./class-weights.ts"
import { sigmoid } from "./logistic.ts"
import * as Matrix from "./matrix.ts"
import * as Random from "./random.ts"

/**
 * A fitted model as plain JSON. The log odds of a row are `baseline` plus the values of its leaves; `importance[j]` is
 * the gain of all splits on feature `names[j]`.
 */
export const BoostingModel = Schema.Struct({
  kind: Schema.Literal("boosting"),
  names: Schema.Array(Schema.String),
  baseline: Schema.Finite,
  trees: Schema.Array(Trees.Tree),
  importance: Schema.Array(Schema.Finite),
}).check(
  Schema.makeFilter(({ names, trees, importance }) => {
    const known = trees.every((tree) =>
      tree.feature.every((feature) => feature >= 0 && feature < Math.max(1, names.length)),
    )
    return (known && importance.length === names.length) || "expected trees and importances over the named features"
  }),
)
export type BoostingModel = typeof BoostingModel.Type

/** How to fit; `defaults` has what is not given. */
export interface BoostingOptions extends Partial<Trees.TreeOptions> {
  readonly trees?: number
  /** Share of the rows, in (0, 1], that each tree is grown on, drawn anew for each tree. */
  readonly subsample?: number
  /** Most bins per feature, 2 to 255. */
  readonly bins?: number
  /** Largest weight of the rarer class relative to the other; 1 weights all rows alike. */
  readonly classRatio?: number
  readonly seed?: number | string
}

/** What an option is when it is not given. */
export const defaults: Required<BoostingOptions> = {
  trees: 100,
  leaves: 15,
  minSamplesLeaf: 20,
  l2: 1,
  learningRate: 0.1,
  subsample: 1,
  bins: 255,
  classRatio: 5,
  seed: 0,
}

const assertOptions = (options: Required<BoostingOptions>) => {
  const atLeastOne = ["trees", "leaves", "minSamplesLeaf"] as const
  for (const name of atLeastOne) {
    if (!Number.isInteger(options[name]) || options[name] < 1) {
      throw new RangeError(`${name} must be an integer of at least 1, not ${options[name]}`)
    }
  }
  if (!(options.subsample > 0 && options.subsample <= 1)) {
    throw new RangeError(`subsample must be in (0, 1], not ${options.subsample}`)
  }
  if (!(options.learningRate > 0 && options.learningRate <= 1)) {
    throw new RangeError(`learningRate must be in (0, 1], not ${options.learningRate}`)
  }
  if (!(options.l2 >= 0)) throw new RangeError(`l2 must not be negative, not ${options.l2}`)
}

/** Each row with probability `share`, ascending. */
const draw = (random: Random.Random, rows: number, share: number): Int32Array => {
  const drawn = new Int32Array(rows)
  let count = 0
  for (let i = 0; i < rows; i++) if (share === 1 || random.next() < share) drawn[count++] = i
  return drawn.subarray(0, count)
}

/**
 * Fits trees to the first and second derivatives of the log loss (Friedman 2001; Chen and Guestrin, "XGBoost", 2016;
 * histograms and leaf-wise growth as in LightGBM, Ke et al., 2017). Values that are not finite are missing and go to
 * the side of a split where they fit better. The same input and seed give the same model, bit for bit. One class only
 * gives a constant model. RangeError for labels or options that do not fit.
 */
export const fit = (
  matrix: Matrix.Matrix,
  labels: Matrix.LabelValues,
  options: BoostingOptions = {},
): BoostingModel => {
  const settings = { ...defaults, ...options }
  assertOptions(settings)
  Matrix.assertLabelled(matrix, labels)
  const classWeights = ClassWeights.balanced(labels, settings.classRatio)
  const weights = ClassWeights.perRow(labels, classWeights)
  const baseline = ClassWeights.logOdds(labels, classWeights)
  const importance = new Float64Array(matrix.columns.length)
  const trees: Array<Trees.Tree> = []
  const rounds = new Set(Array.from(labels)).size < 2 ? 0 : settings.trees
  const grow = Trees.makeGrower(Bins.bin(matrix, settings.bins), settings, importance)
  const random = Random.make(settings.seed)
  const scores = new Float64Array(matrix.rows).fill(baseline)
  const gradients = new Float64Array(matrix.rows)
  const hessians = new Float64Array(matrix.rows)
  while (trees.length < rounds) {
    for (let i = 0; i < scores.length; i++) {
      const probability = sigmoid(scores[i])
      gradients[i] = weights[i] * (probability - labels[i])
      hessians[i] = weights[i] * probability * (1 - probability)
    }
    const tree = grow(draw(random, matrix.rows, settings.subsample), gradients, hessians)
    Trees.addScores(tree, matrix.columns, scores)
    trees.push(tree)
  }
  return { kind: "boosting", names: [...matrix.names], baseline, trees, importance: Array.from(importance) }
}

/** Probability of label 1 per row; missing values are allowed. RangeError when the features are not the model's. */
export const predict = (model: BoostingModel, matrix: Matrix.Matrix): Float64Array => {
  Matrix.assertNames(matrix, model.names)
  const scores = new Float64Array(matrix.rows).fill(model.baseline)
  for (const tree of model.trees) Trees.addScores(tree, matrix.columns, scores)
  return scores.map(sigmoid)
}
