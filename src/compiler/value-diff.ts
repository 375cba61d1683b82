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

/** True when two JSON values are the same, whatever the order of their keys. A key without a value is none. */
export const same = (a: unknown, b: unknown): boolean => {
  if (a === b) return true
  if (Array.isArray(a)) {
    if (!Array.isArray(b) || a.length !== b.length) return false
    for (let i = 0; i < a.length; i++) if (!same(a[i], b[i])) return false
    return true
  }
  if (!isFields(a) || !isFields(b)) return false
  for (const key of Object.keys(a)) if (!same(a[key], b[key])) return false
  for (const key of Object.keys(b)) if (a[key] === undefined && b[key] !== undefined) return false
  return true
}

const child = (path: string, key: string): string => (path === "" ? key : `${path}.${key}`)

/** Keys that tell the items of a list apart. */
const names = ["id", "name", "path", "file", "check"]

/** The items by the first key that each of both lists has, with another text in each item; undefined where none is so. */
const byName = (old: ReadonlyArray<unknown>, next: ReadonlyArray<unknown>) => {
  if (old.length === 0 || next.length === 0) return undefined
  for (const name of names) {
    const [was, is] = [old, next].map(
      (list) => new Map(list.map((item) => [isFields(item) ? item[name] : undefined, item])),
    )
    const texts = [...was.keys(), ...is.keys()].every((key) => typeof key === "string")
    if (texts && was.size === old.length && is.size === next.length) return { was, is }
  }
  return undefined
}

/** Lists of named items are compared by name, others item by item after what they begin and end with alike. */
const lists = (old: ReadonlyArray<unknown>, next: ReadonlyArray<unknown>, path: string): ReadonlyArray<FieldChange> => {
  const scalar = [...old, ...next].every((item) => typeof item !== "object" || item === null)
  if (scalar && old.length !== next.length) return [{ path, old, new: next }]
  const named = byName(old, next)
  if (named !== undefined) {
    const { is, was } = named
    const moved =
      [...was.keys()].filter((key) => is.has(key)).join("\0") !==
      [...is.keys()].filter((key) => was.has(key)).join("\0")
    const found = [...new Set([...is.keys(), ...was.keys()])].flatMap((key) =>
      diff(was.get(key), is.get(key), `${path}[${String(key)}]`),
    )
    return moved ? [{ path: `${path} (order)`, old: [...was.keys()], new: [...is.keys()] }, ...found] : found
  }
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
  if (old === undefined) return [{ path, new: next }]
  return [next === undefined ? { path, old } : { path, old, new: next }]
}
