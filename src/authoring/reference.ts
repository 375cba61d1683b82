import type * as Brand from "effect/Brand"

/** What a plan refers to by a path: a param, a fact of the run, an output. Its value exists only while a run goes on. */
declare const value: unique symbol
const source: unique symbol = Symbol("dandori/expression")

/** An expression that gives an `A` in a run. */
export interface Expression<out A> {
  readonly [value]: () => A
}

type Scalar = string | number | bigint | boolean | null | undefined

type Fields<A> = [A] extends [Scalar]
  ? unknown
  : [A] extends [ReadonlyArray<unknown>]
    ? unknown
    : [A] extends [object]
      ? { readonly [K in keyof A & string]-?: Ref<Exclude<A[K], undefined>> }
      : unknown

/**
 * A typed reference to a value of a run. Fields of a record are references too: `data.dataset.rows`. In a template
 * string it stands for its expression: `` `month ${params.month}` `` is the text `month ${{ params.month }}`.
 */
export type Ref<A> = Expression<A> & Fields<A>

type Branded = Brand.Brand<string>

/** A branded text is written as text; a branded record comes from a gate only, by reference. */
type Plain<A> = A extends string & Branded
  ? string
  : A extends Scalar
    ? A
    : A extends Branded
      ? never
      : A extends object
        ? { readonly [K in keyof A]: Accepts<A[K]> }
        : A

/** What an input of type `A` takes: the value itself, or references in place of it or of any part of it. */
export type Accepts<A> = Expression<[A] extends [string & Branded] ? string : A> | Plain<A>

/** CEL source of an expression; undefined for any other value. */
export const sourceOf = (candidate: unknown): string | undefined =>
  typeof candidate === "object" && candidate !== null && source in candidate ? String(candidate[source]) : undefined

const written = (text: string): string => `\${{ ${text} }}`

/** A reference whose fields are references. `path` is CEL source. */
export const ref = <A>(path: string): Ref<A> => {
  let fields: Map<string, unknown> | undefined
  return new Proxy(Object.freeze({ [source]: path }), {
    get: (target, key) => {
      if (key === source) return target[source]
      if (key === Symbol.toPrimitive) return () => written(path)
      if (typeof key === "symbol") return undefined
      fields ??= new Map()
      const known = fields.get(key) ?? ref(`${path}.${key}`)
      fields.set(key, known)
      return known
    },
  }) as unknown as Ref<A>
}

/**
 * An expression as CEL source, for what references, `when` and `has` cannot say:
 * ``task("pick", command, { argv: ["echo", expression("params.list[0]")] })``, also in template strings. It fits any
 * input here; that it has the input's type is checked when the pipeline is compiled.
 */
export const expression = <A = never>(cel: string): Expression<A> => ref<A>(cel)

/**
 * A value as a pipeline document holds it: references become `${{ … }}`, keys without a value are left out. Throws a
 * `TypeError` that names the place for what JSON cannot hold.
 */
export const toDocument = (candidate: unknown, path: string, above: ReadonlyArray<unknown> = []): unknown => {
  const text = sourceOf(candidate)
  if (text !== undefined) return written(text)
  if (typeof candidate === "string" && !candidate.isWellFormed()) {
    throw new TypeError(`${path} holds half a character (a lone surrogate), which no record can hold`)
  }
  if (candidate === null || typeof candidate === "string" || typeof candidate === "boolean") return candidate
  if (typeof candidate === "number" && Number.isFinite(candidate)) return candidate
  if (above.includes(candidate)) throw new TypeError(`${path} holds itself`)
  const around = [...above, candidate]
  if (Array.isArray(candidate)) return candidate.map((item, i) => toDocument(item, `${path}[${i}]`, around))
  if (typeof candidate === "object") {
    const prototype: unknown = Object.getPrototypeOf(candidate)
    if (prototype === Object.prototype || prototype === null) {
      const fields: Array<readonly [string, unknown]> = []
      for (const [key, item] of Object.entries(candidate)) {
        if (item !== undefined) fields.push([key, toDocument(item, `${path}.${key}`, around)])
      }
      return Object.fromEntries(fields)
    }
  }
  const given = typeof candidate === "object" ? `a ${candidate.constructor?.name ?? "object"}` : String(candidate)
  throw new TypeError(`${path} must be plain JSON or a reference, not ${given}`)
}
