import { parseDuration, parseSize } from "../domain/quantity.ts"
import { didYouMean } from "../domain/suggest.ts"
import * as Diagnostic from "./diagnostic.ts"
import { type Located, type PlacedText, get, keysOf, kindOf } from "./located.ts"
import type { Source, Span } from "./source.ts"

/** What a plan holds as an exact number, and people as a figure. */
const longest = { value: 36_500 * 86_400_000, text: "36500d" }
const largest = { value: 4_096 * 2 ** 40, text: "4096TiB" }

/** Reads typed fields of located maps and collects every mistake instead of stopping at the first. */
export class FieldReader {
  readonly source: Source
  readonly diagnostics: Array<Diagnostic.Diagnostic> = []

  constructor(source: Source) {
    this.source = source
  }

  report(at: Span, path: string, message: string): undefined {
    this.diagnostics.push(Diagnostic.at(this.source, at, path, message))
    return undefined
  }

  /** Checks that a node is a map with known keys; undefined when it is no map. */
  map(node: Located, path: string, what: string, known: ReadonlyArray<string>): Located | undefined {
    if (node.kind !== "map") return this.report(node.at, path, `${what} must be a map, not ${kindOf(node)}.`)
    if (keysOf(node).every((key) => known.includes(key))) return node
    for (const { key, keyAt } of node.entries) {
      if (known.includes(key)) continue
      const inner = path === "" ? key : `${path}.${key}`
      this.report(keyAt, inner, `${what} has no key "${key}".${didYouMean(key, known)} Known: ${known.join(", ")}.`)
    }
    return node
  }

  text(parent: Located, key: string, path: string): string | undefined {
    const node = get(parent, key)
    if (node === undefined) return undefined
    if (node.kind === "scalar" && node.value === "") return this.report(node.at, `${path}.${key}`, `${key} is empty.`)
    if (node.kind === "scalar" && typeof node.value === "string") return node.value
    return this.report(node.at, `${path}.${key}`, `${key} must be text, not ${kindOf(node)}.`)
  }

  flag(parent: Located, key: string, path: string): boolean | undefined {
    const node = get(parent, key)
    if (node === undefined) return undefined
    if (node.kind === "scalar" && typeof node.value === "boolean") return node.value
    return this.report(node.at, `${path}.${key}`, `${key} must be true or false, not ${kindOf(node)}.`)
  }

  number(
    parent: Located,
    key: string,
    path: string,
    range: { min: number; max?: number; whole?: boolean },
  ): number | undefined {
    const node = get(parent, key)
    if (node === undefined) return undefined
    const wanted = `${range.whole === true ? "a whole number" : "a number"} from ${range.min}${range.max === undefined ? "" : ` to ${range.max}`}`
    if (node.kind !== "scalar" || typeof node.value !== "number") {
      return this.report(node.at, `${path}.${key}`, `${key} must be ${wanted}, not ${kindOf(node)}.`)
    }
    const { value } = node
    const fits =
      value >= range.min && value <= (range.max ?? Infinity) && (range.whole !== true || Number.isInteger(value))
    return fits ? value : this.report(node.at, `${path}.${key}`, `${key} must be ${wanted}.`)
  }

  choice<const A extends string>(parent: Located, key: string, path: string, choices: ReadonlyArray<A>): A | undefined {
    const node = get(parent, key)
    if (node === undefined) return undefined
    const found = choices.find((choice) => node.kind === "scalar" && node.value === choice)
    if (found !== undefined) return found
    const given = node.kind === "scalar" ? String(node.value) : kindOf(node)
    const hint = didYouMean(given, choices)
    return this.report(node.at, `${path}.${key}`, `${key} must be one of ${choices.join(", ")}, not ${given}.${hint}`)
  }

  /** Milliseconds of a duration with its unit. */
  duration(parent: Located, key: string, path: string): number | undefined {
    return this.quantity(parent, key, path, parseDuration, "a duration with a unit, like 90s, 5m or 2d", longest)
  }

  /** Milliseconds after which something is stopped: a duration that is longer than nothing. */
  limit(parent: Located, key: string, path: string): number | undefined {
    const millis = this.duration(parent, key, path)
    if (millis !== 0) return millis
    return this.report(get(parent, key)?.at ?? parent.at, `${path}.${key}`, `${key} must be longer than 0.`)
  }

  /** Bytes of a size with its unit. */
  size(parent: Located, key: string, path: string): number | undefined {
    return this.quantity(parent, key, path, parseSize, "a size with a unit, like 500MB or 2GiB", largest)
  }

  private quantity(
    parent: Located,
    key: string,
    path: string,
    parse: (text: string) => number | undefined,
    wanted: string,
    most: { readonly value: number; readonly text: string },
  ): number | undefined {
    const node = get(parent, key)
    if (node === undefined) return undefined
    const inner = `${path}.${key}`
    if (node.kind === "scalar" && typeof node.value === "number") {
      return this.report(node.at, inner, `${key}: ${node.value} has no unit. It must be ${wanted}.`)
    }
    const value = node.kind === "scalar" && typeof node.value === "string" ? parse(node.value) : undefined
    if (value !== undefined && value > most.value) {
      return this.report(node.at, inner, `${key} must be at most ${most.text}.`)
    }
    return value ?? this.report(node.at, inner, `${key} must be ${wanted}.`)
  }

  /** A list of texts, each with its place. */
  texts(parent: Located, key: string, path: string): ReadonlyArray<PlacedText> {
    const node = get(parent, key)
    if (node === undefined) return []
    if (node.kind !== "list") {
      this.report(node.at, `${path}.${key}`, `${key} must be a list, like [a, b], not ${kindOf(node)}.`)
      return []
    }
    const texts: Array<PlacedText> = []
    for (const [i, item] of node.items.entries()) {
      if (item.kind === "scalar" && typeof item.value === "string") texts.push({ text: item.value, at: item.at })
      else this.report(item.at, `${path}.${key}[${i}]`, `Each of ${key} must be text, not ${kindOf(item)}.`)
    }
    return texts
  }
}
