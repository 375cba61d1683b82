import type { Span } from "./source.ts"

/** A JSON value that knows where it stands. */
export type Located =
  | { readonly kind: "scalar"; readonly value: string | number | boolean | null; readonly at: Span }
  | { readonly kind: "list"; readonly items: ReadonlyArray<Located>; readonly at: Span }
  | { readonly kind: "map"; readonly entries: ReadonlyArray<LocatedEntry>; readonly at: Span }

export interface LocatedEntry {
  readonly key: string
  readonly keyAt: Span
  readonly value: Located
}

const nowhere: Span = { start: 0, end: 0 }

/** A value that was not read from a text: its place is what `at` says of its path. */
export const fromJson = (
  value: unknown,
  at: (path: string) => Span = () => nowhere,
  path = "",
  here = at(path),
): Located => {
  if (Array.isArray(value)) {
    return { kind: "list", at: here, items: value.map((item, i) => fromJson(item, at, `${path}[${i}]`)) }
  }
  if (typeof value === "object" && value !== null) {
    const entries: Array<LocatedEntry> = []
    for (const [key, item] of Object.entries(value)) {
      if (item === undefined) continue
      const inner = path === "" ? key : `${path}.${key}`
      const keyAt = at(inner)
      entries.push({ key, keyAt, value: fromJson(item, at, inner, keyAt) })
    }
    return { kind: "map", at: here, entries }
  }
  if (typeof value === "string" || typeof value === "number" || typeof value === "boolean" || value === null) {
    return { kind: "scalar", value, at: here }
  }
  throw new TypeError(`${path} is no JSON value`)
}

/** The plain value. */
export const toJson = (node: Located): unknown => {
  if (node.kind === "scalar") return node.value
  if (node.kind === "list") return node.items.map(toJson)
  return Object.fromEntries(node.entries.map((entry) => [entry.key, toJson(entry.value)]))
}

/** The entry under a key of a map. */
export const entryOf = (node: Located, key: string): LocatedEntry | undefined => {
  if (node.kind !== "map") return undefined
  for (const entry of node.entries) if (entry.key === key) return entry
  return undefined
}

/** The value under a key of a map. */
export const get = (node: Located, key: string): Located | undefined => entryOf(node, key)?.value

/** What a node is, for messages. */
export const kindOf = (node: Located): string =>
  node.kind === "map"
    ? "a map"
    : node.kind === "list"
      ? "a list"
      : node.value === null
        ? "nothing"
        : `a ${typeof node.value}`
