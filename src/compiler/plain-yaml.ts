import type { Located, LocatedEntry } from "./located.ts"
import type { Span } from "./source.ts"

const foreign = /[^\n\x20-\x7e\xa0-\ud7ff\ue000-\ufefe\uff00-\ufffd]/
const maxDepth = 50

const indentation = / */y
const restOfLine = /(?: +#.*| *)(?:\n|$)/y
const nothing = /(?:#.*)?(?:\n|$)/y
const key = /([A-Za-z_][\w./-]{0,99}):(?: +|(?=\n|$))/y
const flowKey = /([A-Za-z_][\w./-]{0,99}): +/y
const dash = /- +/y
const spaces = / */y
const comma = / *, */y
const first = String.raw`(?:[A-Za-z0-9_./$+(<=^\\\xa0-\uffff]|-(?=[\w.]))`
/** A text without quotes goes on to a comment, a colon before a space, or the end of the line. */
const plain = new RegExp(String.raw`${first}(?:[^ \n:]|:(?=[^ \n])| +(?=[^ \n:#]))*`, "y")
/** In brackets it ends at their signs, too. */
const flowPlain = new RegExp(String.raw`${first}(?:[^ \n:,[\]{}]|:(?=[^ \n,[\]{}])| +(?=[^ \n:#,[\]{}]))*`, "y")
const single = /'((?:[^'\n]|'')*)'/y
const double = /"(?:[^"\\\n]|\\["\\/bfnrt])*"/y

/** Words of the core schema that are no text; as keys they are left to the library, too. */
const words: ReadonlyMap<string, boolean | null> = new Map(
  [null, true, false].flatMap((value) => {
    const word = String(value)
    return [word, word[0].toUpperCase() + word.slice(1), word.toUpperCase()].map((form) => [form, value])
  }),
)
const integer = /^[-+]?\d+$/
const decimal = /^[-+]?(?:\.\d+|\d+\.\d*|(?:\.\d+|\d+(?:\.\d*)?)[eE][-+]?\d+)$/
const rare = /^(?:0[ox]|[-+]?\.[inIN])/

/** The value of a text without quotes by the core schema; undefined where the library has to look at it. */
const valueOf = (text: string): string | number | boolean | null | undefined => {
  const word = words.get(text)
  if (word !== undefined) return word
  if (integer.test(text)) return Number.isSafeInteger(Number(text)) ? Number(text) + 0 : undefined
  if (decimal.test(text)) return Number.isFinite(Number(text)) ? Number(text) : undefined
  return rare.test(text) ? undefined : text
}

/** A place in a text. Every method gives undefined where it meets what it does not know. */
class Reading {
  private readonly text: string
  private at = 0
  /** Columns before the content of the line; -1 at the end of the text. */
  private indent = -1
  /** Where the last value ends, with the rest of its line. */
  private end = 0

  constructor(text: string) {
    this.text = text
  }

  document(): Located | undefined {
    if (!this.nextLine() || this.indent > 0) return undefined
    const found = this.map(0, 0)
    // A line whose indentation is that of no open map or list has ended them all.
    return this.indent === -1 ? found : undefined
  }

  private take(pattern: RegExp): RegExpExecArray | null {
    pattern.lastIndex = this.at
    const found = pattern.exec(this.text)
    if (found !== null) this.at = pattern.lastIndex
    return found
  }

  private skip(pattern: RegExp): boolean {
    pattern.lastIndex = this.at
    if (!pattern.test(this.text)) return false
    this.at = pattern.lastIndex
    return true
  }

  /** From the start of a line to the next content; false where a comment is not indented as what follows it. */
  private nextLine(): boolean {
    const { text } = this
    let comment: number | undefined
    while (this.at < text.length) {
      const start = this.at
      this.skip(indentation)
      const column = this.at - start
      const sign = text[this.at]
      if (!this.skip(nothing)) {
        this.indent = column
        return comment === undefined || comment === column
      }
      if (sign !== "#") continue
      if (comment !== undefined && comment !== column) return false
      comment = column
    }
    this.indent = -1
    return comment === undefined || comment === 0
  }

  private map(indent: number, depth: number): Located | undefined {
    const start = this.at
    const entries: Array<LocatedEntry> = []
    const names = new Set<string>()
    do {
      const keyStart = this.at
      const name = this.take(key)?.[1]
      if (name === undefined || words.has(name) || names.has(name)) return undefined
      names.add(name)
      const value = this.valueIn(indent, depth)
      if (value === undefined) return undefined
      entries.push({ key: name, keyAt: { start: keyStart, end: keyStart + name.length }, value })
    } while (this.indent === indent)
    return { kind: "map", entries, at: { start, end: this.end } }
  }

  private list(indent: number, depth: number): Located | undefined {
    const start = this.at
    const items: Array<Located> = []
    while (this.indent === indent) {
      const dashStart = this.at
      if (!this.skip(dash)) break
      const column = indent + this.at - dashStart
      key.lastIndex = this.at
      const opens = key.test(this.text)
      if (opens) this.indent = column
      const item = opens ? this.nested(column, depth) : this.valueOnLine(depth)
      if (item === undefined) return undefined
      items.push(item)
    }
    return { kind: "list", items, at: { start, end: this.end } }
  }

  private nested(indent: number, depth: number): Located | undefined {
    if (depth > maxDepth) return undefined
    return this.text[this.at] === "-" ? this.list(indent, depth + 1) : this.map(indent, depth + 1)
  }

  /** What stands after a key of a map at `indent`: on its line, or below. */
  private valueIn(indent: number, depth: number): Located | undefined {
    if (!this.skip(nothing)) return this.valueOnLine(depth)
    if (!this.nextLine()) return undefined
    if (this.indent > indent) return this.nested(this.indent, depth)
    return this.indent === indent && this.text[this.at] === "-" ? this.list(indent, depth + 1) : undefined
  }

  private valueOnLine(depth: number): Located | undefined {
    const value = this.value(plain, depth)
    if (value === undefined || !this.skip(restOfLine)) return undefined
    this.end = this.at
    return this.nextLine() ? value : undefined
  }

  private value(unquoted: RegExp, depth: number): Located | undefined {
    const start = this.at
    const sign = this.text[start]
    if (sign === "[") return this.flowList(depth + 1)
    if (sign === "{") return this.flowMap(depth + 1)
    let value: string | number | boolean | null | undefined
    if (sign === "'") value = this.take(single)?.[1].replaceAll("''", "'")
    else if (sign === '"') {
      const quoted = this.take(double)?.[0]
      if (quoted !== undefined) value = quoted.includes("\\") ? (JSON.parse(quoted) as string) : quoted.slice(1, -1)
    } else {
      const found = this.take(unquoted)?.[0]
      if (found !== undefined) value = valueOf(found)
    }
    return value === undefined ? undefined : { kind: "scalar", value, at: this.since(start) }
  }

  private flowList(depth: number): Located | undefined {
    const start = this.at++
    const items: Array<Located> = []
    this.skip(spaces)
    if (depth > maxDepth) return undefined
    while (this.text[this.at] !== "]") {
      if (items.length > 0 && !this.skip(comma)) return undefined
      const item = this.value(flowPlain, depth)
      if (item === undefined) return undefined
      items.push(item)
      this.skip(spaces)
    }
    this.at++
    return { kind: "list", items, at: this.since(start) }
  }

  private flowMap(depth: number): Located | undefined {
    const start = this.at++
    const entries: Array<LocatedEntry> = []
    const names = new Set<string>()
    this.skip(spaces)
    if (depth > maxDepth) return undefined
    while (this.text[this.at] !== "}") {
      if (entries.length > 0 && !this.skip(comma)) return undefined
      const keyStart = this.at
      const name = this.take(flowKey)?.[1]
      if (name === undefined || words.has(name) || names.has(name)) return undefined
      names.add(name)
      const value = this.value(flowPlain, depth)
      if (value === undefined) return undefined
      entries.push({ key: name, keyAt: { start: keyStart, end: keyStart + name.length }, value })
      this.skip(spaces)
    }
    this.at++
    return { kind: "map", entries, at: this.since(start) }
  }

  private since(start: number): Span {
    return { start, end: this.at }
  }
}

/**
 * Reads what most pipeline files are made of: maps and lists by indentation, brackets within a line, texts within a line,
 * comments. Undefined for everything else, and wherever something may be wrong: the `yaml` library reads that, and what
 * is read here it would read alike. This takes a tenth of its time.
 */
export const read = (text: string): Located | undefined =>
  foreign.test(text) ? undefined : new Reading(text).document()
