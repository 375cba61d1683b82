import type { Expression, Ref } from "./reference.ts"
import { ref } from "./reference.ts"

declare const item: unique symbol

/** An axis whose values the run gives. */
export interface Axis<out A> extends Expression<ReadonlyArray<A>> {
  readonly [item]?: () => A
}

type ValueOf<X> = X extends Axis<infer A> ? A : X extends ReadonlyArray<infer A> ? A : never

/** A matrix: references to its axes for the input of the task that it is given to. */
export type Matrix<V = unknown> = { readonly document: Readonly<Record<string, unknown>> } & {
  readonly of: { readonly [K in keyof V]: Ref<ValueOf<V[K]>> }
}

/** Takes the values of an axis from a list that another task gives: `each(split.shards)`. */
export const each = <A>(list: Expression<ReadonlyArray<A>>): Axis<A> => list as Axis<A>

/**
 * One instance of a task for each combination of values: `const m = matrix({ symbol: ["EURUSD", "GBPUSD"] })`, then
 * `m.of.symbol` in the input and `{ matrix: m }` in the options. The task gives the list of its instances' outputs.
 */
export const matrix = <const V extends Readonly<Record<string, ReadonlyArray<unknown> | Axis<unknown>>>>(
  values: V,
  options: {
    readonly include?: ReadonlyArray<Readonly<Record<string, unknown>>>
    readonly exclude?: ReadonlyArray<{ readonly [K in keyof V]?: ValueOf<V[K]> }>
    /** Whether the others are stopped when one fails; true where nothing is said. */
    readonly failFast?: boolean
    readonly maxParallel?: number
  } = {},
): Matrix<V> => {
  const { exclude, failFast, include, maxParallel } = options
  return {
    document: {
      values,
      ...(include === undefined ? {} : { include }),
      ...(exclude === undefined ? {} : { exclude }),
      ...(failFast === undefined ? {} : { "fail-fast": failFast }),
      ...(maxParallel === undefined ? {} : { "max-parallel": maxParallel }),
    },
    of: Object.fromEntries(Object.keys(values).map((axis) => [axis, ref(`matrix.${axis}`)])) as Matrix<V>["of"],
  }
}
