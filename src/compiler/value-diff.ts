import * as CanonicalJson from "../domain/canonical-json.ts"

/** One value that differs. `old` or `new` is left out where there is none. */
export interface FieldChange {
  readonly path: string
  readonly old?: unknown
  readonly new?: unknown
}

type Fields = Readonly<Record<string, unknown>>

/** True for a JSON object. */
export const isFields = (value: unknown): value is Fields =>
  typeof value === "object" && value !== null && !Array.isArray(value)

/** True when two JSON values are the same, whatever the order of their keys. */
export const same = (a: unknown, b: unknown): boolean =>
  a === b || (a !== undefined && b !== undefined && CanonicalJson.encode(a) === CanonicalJson.encode(b))

const child = (path: string, key: string): string => (path === "" ? key : `${path}.${key}`)

/** Lists are compared item by item after what they begin and end with alike. */
const lists = (old: ReadonlyArray<unknown>, next: ReadonlyArray<unknown>, path: string): ReadonlyArray<FieldChange> => {
  const scalar = [...old, ...next].every((item) => typeof item !== "object" || item === null)
  if (scalar && old.length !== next.length) return [{ path, old, new: next }]
  const shorter = Math.min(old.length, next.length)
  let begin = 0
  while (begin < shorter && same(old[begin], next[begin])) begin++
  let end = 0
  while (end < shorter - begin && same(old.at(-1 - end), next.at(-1 - end))) end++
  const length = Math.max(old.length, next.length) - end
  return Array.from({ length: length - begin }, (_, i) => begin + i).flatMap((i) =>
    diff(i < old.length - end ? old[i] : undefined, i < next.length - end ? next[i] : undefined, `${path}[${i}]`),
  )
}

/** What differs between two JSON values, down to the fields; `undefined` stands for none. */
export const diff = (old: unknown, next: unknown, path = ""): ReadonlyArray<FieldChange> => {
  if (same(old, next)) return []
  if (isFields(old) && isFields(next)) {
    const keys = [...new Set([...Object.keys(old), ...Object.keys(next)])].toSorted()
    return keys.flatMap((key) => diff(old[key], next[key], child(path, key)))
  }
  if (Array.isArray(old) && Array.isArray(next)) return lists(old, next, path)
  return [{ path, ...(old === undefined ? {} : { old }), ...(next === undefined ? {} : { new: next }) }]
}
