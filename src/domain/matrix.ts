import type { Matrix } from "./plan.ts"

/** Values of the axes by name. */
export type AxisValues = Readonly<Record<string, ReadonlyArray<unknown>>>

/** What an instance is made of: a value for each axis, and what `include` added. */
export type Combination = Readonly<Record<string, unknown>>

const same = (a: unknown, b: unknown): boolean => a === b || JSON.stringify(a) === JSON.stringify(b)

const covers = (combination: Combination, part: Combination): boolean =>
  Object.entries(part).every(([key, value]) => Object.hasOwn(combination, key) && same(combination[key], value))

/**
 * How many instances there are before `include`: the product of the axes; one axis without a value empties it. A
 * matrix without axes has only what it includes.
 */
export const productSize = (values: AxisValues): number => {
  const lengths = Object.values(values).map(({ length }) => length)
  return lengths.length === 0 ? 0 : lengths.reduce((product, length) => product * length, 1)
}

/**
 * The combinations of a matrix in the order of its values, axes by name (a plan does not know the order of keys), the
 * last one turning fastest: the product of the axes
 * without those that `exclude` names, then `include`: an entry whose axis values are those of combinations adds its
 * other keys to them, any other entry is a combination of its own
 * (https://docs.github.com/actions/reference/workflows-and-actions/workflow-syntax#jobsjob_idstrategymatrixinclude).
 */
export const combinations = (matrix: Matrix, values: AxisValues): ReadonlyArray<Combination> => {
  const axes = Object.keys(values).toSorted()
  let product: Array<Record<string, unknown>> = axes.length === 0 ? [] : [{}]
  for (const axis of axes)
    product = product.flatMap((part) => values[axis].map((value) => ({ ...part, [axis]: value })))
  const kept = product.filter((one) => !(matrix.exclude ?? []).some((part) => covers(one, part)))
  const added: Array<Record<string, unknown>> = []
  for (const entry of matrix.include ?? []) {
    const onAxes = Object.fromEntries(Object.entries(entry).filter(([key]) => axes.includes(key)))
    const matching = kept.filter((one) => covers(one, onAxes))
    if (matching.length === 0) added.push({ ...entry })
    for (const one of matching) Object.assign(one, entry)
  }
  return [...kept, ...added]
}

/** The axes whose values stand in the plan. */
export const literalValues = (matrix: Matrix): AxisValues =>
  Object.fromEntries(
    Object.entries(matrix.values).flatMap(([axis, list]) => (typeof list === "string" ? [] : [[axis, list]])),
  )

/** The axes whose values the run gives: the text with the expression, by axis. */
export const openValues = (matrix: Matrix): Readonly<Record<string, string>> =>
  Object.fromEntries(
    Object.entries(matrix.values).flatMap(([axis, list]) => (typeof list === "string" ? [[axis, list]] : [])),
  )

/** All axes, those that the run gave filled in. */
export const filledValues = (matrix: Matrix, given: AxisValues): AxisValues =>
  Object.fromEntries(
    Object.entries(matrix.values).map(([axis, list]) => [axis, typeof list === "string" ? (given[axis] ?? []) : list]),
  )
