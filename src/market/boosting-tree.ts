/** Regression trees grown on histograms of gradients, best leaf first. */
import * as Schema from "effect/Schema"
import type { BinnedMatrix } from "./boosting-bins.ts"

/**
 * A tree as parallel arrays over its nodes; node 0 is the root. Where `left[i]` is 0 the node is a leaf with `value[i]`;
 * else rows with `feature[i] <= threshold[i]` go to node `left[i]` and the others to `left[i] + 1`, and rows whose value
 * is not finite go left when `missingLeft[i]` is 1.
 */
export const Tree = Schema.Struct({
  feature: Schema.Array(Schema.Int),
  threshold: Schema.Array(Schema.Finite),
  missingLeft: Schema.Array(Schema.Int),
  left: Schema.Array(Schema.Int),
  value: Schema.Array(Schema.Finite),
}).check(
  Schema.makeFilter(({ feature, threshold, missingLeft, left, value }) => {
    const same = [feature, threshold, missingLeft, left].every((list) => list.length === value.length)
    const forward = left.every((child, node) => child === 0 || (child > node && child + 1 < left.length))
    return (same && value.length > 0 && forward) || "expected arrays of one length whose children come after their node"
  }),
)
export type Tree = typeof Tree.Type

/** Adds the tree's value for each row of `columns` to `scores`. */
export const addScores = (tree: Tree, columns: ReadonlyArray<Float64Array>, scores: Float64Array): void => {
  const { feature, threshold, missingLeft, left, value } = tree
  for (let i = 0; i < scores.length; i++) {
    let node = 0
    while (left[node] !== 0) {
      const x = columns[feature[node]][i]
      const goesLeft = Number.isFinite(x) ? x <= threshold[node] : missingLeft[node] === 1
      node = goesLeft ? left[node] : left[node] + 1
    }
    scores[i] += value[node]
  }
}

/** The shape of a tree and the size of its values. */
export interface TreeOptions {
  /** Most leaves of a tree. */
  readonly leaves: number
  /** Fewest rows in a leaf. */
  readonly minSamplesLeaf: number
  /** Added to every sum of hessians. */
  readonly l2: number
  /** The leaves' values are multiplied by it. */
  readonly learningRate: number
}

const minHessian = 1e-3
const minGain = 1e-10

interface Split {
  readonly feature: number
  readonly bin: number
  readonly missingLeft: boolean
  readonly gain: number
  readonly gradient: number
  readonly hessian: number
  readonly count: number
}

interface Leaf {
  readonly node: number
  readonly from: number
  readonly to: number
  readonly gradient: number
  readonly hessian: number
  readonly histogram: Float64Array | undefined
  readonly split: Split | undefined
}

/** Returns a function that grows one tree to the gradients and hessians of the given rows, and adds up gain by feature. */
export const makeGrower = (binned: BinnedMatrix, options: TreeOptions, importance: Float64Array) => {
  const { leaves: maxLeaves, minSamplesLeaf, l2, learningRate } = options
  let histogramSize = 0
  const offsets = binned.missing.map((missing) => {
    const offset = histogramSize
    histogramSize += (missing + 1) * 3
    return offset
  })
  const pool: Array<Float64Array> = []
  const rows = new Int32Array(binned.rows)
  const held = new Int32Array(binned.rows)
  const nodeGradients = new Float64Array(binned.rows)
  const nodeHessians = new Float64Array(binned.rows)

  /** Sums of gradient and hessian, and rows, by feature and bin, for `rows[from..to)`. */
  const histogramOf = (from: number, to: number, gradients: Float64Array, hessians: Float64Array): Float64Array => {
    const histogram = pool.pop()?.fill(0) ?? new Float64Array(histogramSize)
    for (let i = from; i < to; i++) {
      nodeGradients[i] = gradients[rows[i]]
      nodeHessians[i] = hessians[rows[i]]
    }
    for (let j = 0; j < offsets.length; j++) {
      const bins = binned.columns[j]
      const offset = offsets[j]
      for (let i = from; i < to; i++) {
        const at = offset + bins[rows[i]] * 3
        histogram[at] += nodeGradients[i]
        histogram[at + 1] += nodeHessians[i]
        histogram[at + 2]++
      }
    }
    return histogram
  }

  /**
   * Looks from the first bin up with the missing rows on the right, then from the last bin down with them on the left;
   * of equal gains the first counts (the order of scikit-learn).
   */
  const bestSplit = (histogram: Float64Array, gradient: number, hessian: number, count: number): Split | undefined => {
    const parent = (gradient * gradient) / (hessian + l2)
    let best: Split | undefined
    let bestGain = minGain
    const consider = (feature: number, bin: number, missingLeft: boolean, g: number, h: number, n: number) => {
      if (n < minSamplesLeaf || count - n < minSamplesLeaf || h < minHessian || hessian - h < minHessian) return
      const rest = gradient - g
      const gain = (g * g) / (h + l2) + (rest * rest) / (hessian - h + l2) - parent
      if (gain <= bestGain) return
      bestGain = gain
      best = { feature, bin, missingLeft, gain, gradient: g, hessian: h, count: n }
    }
    for (let j = 0; j < offsets.length; j++) {
      const missing = binned.missing[j]
      const anyMissing = histogram[offsets[j] + missing * 3 + 2] > 0
      let g = 0
      let h = 0
      let n = 0
      for (let b = 0; b < (anyMissing ? missing : missing - 1); b++) {
        const at = offsets[j] + b * 3
        g += histogram[at]
        h += histogram[at + 1]
        n += histogram[at + 2]
        consider(j, b, !anyMissing && n > count - n, g, h, n)
      }
      if (!anyMissing) continue
      g = 0
      h = 0
      n = 0
      for (let b = missing - 2; b >= 0; b--) {
        const at = offsets[j] + (b + 1) * 3
        g += histogram[at]
        h += histogram[at + 1]
        n += histogram[at + 2]
        consider(j, b, true, gradient - g, hessian - h, count - n)
      }
    }
    return best
  }

  /** Moves the rows that go left to the front of `rows[from..to)`, both sides in their old order; returns the border. */
  const partition = (from: number, to: number, split: Split): number => {
    const bins = binned.columns[split.feature]
    const missing = binned.missing[split.feature]
    let border = from
    let right = 0
    for (let i = from; i < to; i++) {
      const bin = bins[rows[i]]
      if (bin === missing ? split.missingLeft : bin <= split.bin) rows[border++] = rows[i]
      else held[right++] = rows[i]
    }
    rows.set(held.subarray(0, right), border)
    return border
  }

  const leafOf = (node: number, from: number, to: number, g: number, h: number, histogram?: Float64Array): Leaf => {
    const split = histogram === undefined ? undefined : bestSplit(histogram, g, h, to - from)
    if (split === undefined && histogram !== undefined) pool.push(histogram)
    return { node, from, to, gradient: g, hessian: h, histogram: split && histogram, split }
  }

  return (sample: Int32Array, gradients: Float64Array, hessians: Float64Array): Tree => {
    rows.set(sample)
    const feature: Array<number> = [0]
    const threshold: Array<number> = [0]
    const missingLeft: Array<number> = [0]
    const left: Array<number> = [0]
    const value: Array<number> = [0]
    let gradient = 0
    let hessian = 0
    for (const row of sample) {
      gradient += gradients[row]
      hessian += hessians[row]
    }
    const canSplit = sample.length >= 2 * minSamplesLeaf && maxLeaves > 1
    const whole = canSplit ? histogramOf(0, sample.length, gradients, hessians) : undefined
    const leaves = [leafOf(0, 0, sample.length, gradient, hessian, whole)]

    while (leaves.length < maxLeaves) {
      let chosen = -1
      for (let i = 0; i < leaves.length; i++) {
        if ((leaves[i].split?.gain ?? 0) > (leaves[chosen]?.split?.gain ?? 0)) chosen = i
      }
      const leaf = leaves[chosen]
      if (leaf?.split === undefined || leaf.histogram === undefined) break
      const { split, node, from, to, histogram } = leaf
      const border = partition(from, to, split)
      const child = left.length
      const cut = binned.thresholds[split.feature]
      feature[node] = split.feature
      threshold[node] = split.bin < cut.length ? cut[split.bin] : Number.MAX_VALUE
      missingLeft[node] = split.missingLeft ? 1 : 0
      left[node] = child
      importance[split.feature] += split.gain
      for (const list of [feature, threshold, missingLeft, left, value]) list.push(0, 0)

      let smaller: Float64Array | undefined
      let larger: Float64Array | undefined
      if (leaves.length + 1 < maxLeaves && Math.max(border - from, to - border) >= 2 * minSamplesLeaf) {
        const leftIsSmaller = border - from <= to - border
        smaller = histogramOf(leftIsSmaller ? from : border, leftIsSmaller ? border : to, gradients, hessians)
        larger = histogram
        for (let i = 0; i < histogramSize; i++) larger[i] -= smaller[i]
        if (!leftIsSmaller) [smaller, larger] = [larger, smaller]
      } else pool.push(histogram)
      leaves[chosen] = leafOf(child, from, border, split.gradient, split.hessian, smaller)
      leaves.push(leafOf(child + 1, border, to, leaf.gradient - split.gradient, leaf.hessian - split.hessian, larger))
    }
    for (const { node, gradient, hessian, histogram } of leaves) {
      value[node] = hessian + l2 > 0 ? (-learningRate * gradient) / (hessian + l2) : 0
      if (histogram !== undefined) pool.push(histogram)
    }
    return { feature, threshold, missingLeft, left, value }
  }
}
