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

interface Target {
  readonly [source]: string
}

/** The references to the fields of each: those that were asked for. */
const fieldsOf = new WeakMap<Target, Map<string, unknown>>()

const handler: ProxyHandler<Target> = {
  get: (target, key) => {
    const path = target[source]
    if (key === source) return path
    if (key === Symbol.toPrimitive) return () => written(path)
    if (typeof key === "symbol") return undefined
    const fields = fieldsOf.get(target) ?? new Map<string, unknown>()
    const known = fields.get(key) ?? ref(`${path}.${key}`)
    fieldsOf.set(target, fields.set(key, known))
    return known
  },
}

/** A reference whose fields are references. `path` is CEL source. */
export const ref = <A>(path: string): Ref<A> =>
  new Proxy<Target>(Object.freeze({ [source]: path }), handler) as unknown as Ref<A>

/**
 * An expression as CEL source, for what references, `when` and `has` cannot say:
 * ``task("pick", command, { argv: ["echo", expression("params.list[0]")] })``, also in template strings. It fits any
 * input here; that it has the input's type is checked when the pipeline is compiled.
 */
export const expression = <A = never>(cel: string): Expression<A> => ref<A>(cel)

/** Sets a field, whatever its name: `__proto__` would set the prototype. */
export const put = (fields: Record<string, unknown>, key: string, value: unknown): void => {
  if (key !== "__proto__") fields[key] = value
  else Object.defineProperty(fields, key, { value, enumerable: true, configurable: true, writable: true })
}

/** A list or record on the way down to a value, and the step that leads on. */
interface Above {
  readonly value: object
  readonly above: Above | undefined
  step: string | number
}

/** Where a value stands: put together only when something is wrong there. */
const placeOf = (path: string, above: Above | undefined): string => {
  if (above === undefined) return path
  const { step } = above
  return `${placeOf(path, above.above)}${typeof step === "number" ? `[${step}]` : `.${step}`}`
}

const isWithin = (candidate: unknown, above: Above | undefined): boolean => {
  for (let at = above; at !== undefined; at = at.above) if (at.value === candidate) return true
  return false
}

/**
 * A value as a pipeline document holds it: references become `${{ … }}`, keys without a value are left out. Throws a
 * `TypeError` that names the place for what JSON cannot hold.
 */
export const toDocument = (candidate: unknown, path: string, above?: Above): unknown => {
  if (typeof candidate === "string") {
    if (candidate.isWellFormed()) return candidate
    throw new TypeError(`${placeOf(path, above)} holds half a character (a lone surrogate), which no record can hold`)
  }
  if (candidate === null || typeof candidate === "boolean") return candidate
  if (typeof candidate === "number" && Number.isFinite(candidate)) return candidate
  const text = sourceOf(candidate)
  if (text !== undefined) return written(text)
  if (isWithin(candidate, above)) throw new TypeError(`${placeOf(path, above)} holds itself`)
  if (Array.isArray(candidate)) {
    const here: Above = { value: candidate, above, step: 0 }
    return candidate.map((item, i) => {
      here.step = i
      return toDocument(item, path, here)
    })
  }
  if (typeof candidate === "object") {
    const prototype: unknown = Object.getPrototypeOf(candidate)
    if (prototype === Object.prototype || prototype === null) {
      const here: Above = { value: candidate, above, step: "" }
      const fields: Record<string, unknown> = {}
      for (const key of Object.keys(candidate)) {
        const item = (candidate as Readonly<Record<string, unknown>>)[key]
        if (item === undefined) continue
        here.step = key
        const value = toDocument(item, path, here)
        put(fields, key, value)
      }
      return fields
    }
  }
  const given = typeof candidate === "object" ? `a ${candidate.constructor?.name ?? "object"}` : String(candidate)
  throw new TypeError(`${placeOf(path, above)} must be plain JSON or a reference, not ${given}`)
}
