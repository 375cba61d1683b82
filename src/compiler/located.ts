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

/** The place of what was not read from a text. */
export const nowhere: Span = { start: 0, end: 0 }

/** Where the value of a path stands. */
type Places = (path: string) => Span

/** Where a value stands that was not read from a text. */
interface Origin {
  readonly places: Places
  readonly path: string
  readonly at: Span
}

const placed = (places: Places, path: string): Origin => ({ places, path, at: places(path) })

/** A list or map that was not read from a text. */
class JsonNode<J extends object> {
  readonly json: J
  protected readonly origin: Origin | undefined
  constructor(json: J, origin: Origin | undefined) {
    this.json = json
    this.origin = origin
  }
  get at(): Span {
    return this.origin?.at ?? nowhere
  }
}

/** Its items are made when they are asked for. */
class JsonList extends JsonNode<ReadonlyArray<unknown>> {
  private made: ReadonlyArray<Located> | undefined
  get kind(): "list" {
    return "list"
  }
  get items(): ReadonlyArray<Located> {
    const { json, origin } = this
    return (this.made ??= json.map((item, i) =>
      nodeOf(item, origin === undefined ? undefined : placed(origin.places, `${origin.path}[${i}]`)),
    ))
  }
}

/** Its entries are made when they are asked for. */
class JsonMap extends JsonNode<Readonly<Record<string, unknown>>> {
  private made: ReadonlyArray<LocatedEntry> | undefined
  get kind(): "map" {
    return "map"
  }
  private originOf(key: string): Origin | undefined {
    const { origin } = this
    return origin && placed(origin.places, origin.path === "" ? key : `${origin.path}.${key}`)
  }
  value(key: string): Located | undefined {
    const item = Object.hasOwn(this.json, key) ? this.json[key] : undefined
    return item === undefined ? undefined : nodeOf(item, this.originOf(key))
  }
  entry(key: string): LocatedEntry | undefined {
    const value = this.value(key)
    return value && { key, keyAt: this.originOf(key)?.at ?? nowhere, value }
  }
  get entries(): ReadonlyArray<LocatedEntry> {
    if (this.made !== undefined) return this.made
    const made: Array<LocatedEntry> = []
    for (const key of Object.keys(this.json)) {
      const entry = this.entry(key)
      if (entry !== undefined) made.push(entry)
    }
    return (this.made = made)
  }
}

const nodeOf = (value: unknown, origin: Origin | undefined): Located => {
  if (Array.isArray(value)) return new JsonList(value as JsonList["json"], origin)
  if (typeof value === "object" && value !== null) return new JsonMap(value as JsonMap["json"], origin)
  if (typeof value === "string" || typeof value === "number" || typeof value === "boolean" || value === null) {
    return { kind: "scalar", value, at: origin?.at ?? nowhere }
  }
  throw new TypeError(`${origin?.path ?? "A value"} is no JSON value`)
}

/** An entry of a map that was not read from a text. */
export const entry = (key: string, value: unknown): LocatedEntry => ({
  key,
  keyAt: nowhere,
  value: nodeOf(value, undefined),
})

/** A map that was not read from a text. */
export const map = (entries: ReadonlyArray<LocatedEntry>): Located => ({ kind: "map", entries, at: nowhere })

/** A value that was not read from a text: its place is what `places` says of its path. */
export const fromJson = (value: unknown, places?: Places): Located =>
  nodeOf(value, places === undefined ? undefined : placed(places, ""))

/** The value as it was given, of a node that was not read from a text: without a walk, and not to be changed. */
export const jsonOf = (node: Located): object | undefined => (node instanceof JsonNode ? node.json : undefined)

/** The plain value. */
export const toJson = (node: Located): unknown => {
  if (node.kind === "scalar") return node.value
  if (node.kind === "list") return node.items.map(toJson)
  return Object.fromEntries(node.entries.map((entry) => [entry.key, toJson(entry.value)]))
}

/** The entry under a key of a map. */
export const entryOf = (node: Located, key: string): LocatedEntry | undefined => {
  if (node.kind !== "map") return undefined
  if (node instanceof JsonMap) return node.entry(key)
  for (const entry of node.entries) if (entry.key === key) return entry
  return undefined
}

/** The value under a key of a map. */
export const get = (node: Located, key: string): Located | undefined =>
  node instanceof JsonMap ? node.value(key) : entryOf(node, key)?.value

/** The keys of a map. */
export const keysOf = (node: Extract<Located, { kind: "map" }>): ReadonlyArray<string> =>
  node instanceof JsonMap ? Object.keys(node.json) : node.entries.map(({ key }) => key)

/** A text that stands somewhere in the file. */
export interface PlacedText {
  readonly text: string
  readonly at: Span
}

/** What a node is, for messages. */
export const kindOf = (node: Located): string =>
  node.kind === "map"
    ? "a map"
    : node.kind === "list"
      ? "a list"
      : node.value === null
        ? "nothing"
        : `a ${typeof node.value}`
