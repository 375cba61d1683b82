import { type Collection, type Comment, type Entry, type Text, type Value, hasComments } from "./layout.ts"
import { type Header, isOpen } from "./order.ts"

const width = 120
const step = "  "

const joined = (...parts: ReadonlyArray<string>): string => parts.filter((part) => part !== "").join(" ")

/** A value on one line, as it stands in braces; undefined when it has no such form. */
const flowOf = (value: Value): string | undefined => {
  if (value.kind === "text") return value.flow === undefined ? undefined : joined(value.anchor, value.flow)
  const parts: Array<string> = []
  for (const entry of value.entries) {
    const inner = flowOf(entry.value)
    if (inner === undefined) return undefined
    parts.push(entry.flowName === undefined ? inner : `${entry.flowName}: ${inner}`)
  }
  const [open, close] = value.kind === "map" ? ["{ ", " }"] : ["[", "]"]
  return joined(
    value.anchor,
    parts.length === 0 ? `${open.trim()}${close.trim()}` : `${open}${parts.join(", ")}${close}`,
  )
}

const withTrailing = (line: string, trailing: Comment | undefined): string =>
  trailing === undefined ? line : `${line} ${trailing.text}`

/** Prints the layout: each part gives its lines. */
class Printer {
  readonly lines: Array<string> = []
  /** The last line is the end of a block that keeps its blank lines: one more would be part of it. */
  private open = false

  private push(line: string): void {
    this.lines.push(line)
    this.open = false
  }

  private comments(comments: ReadonlyArray<Comment>, indent: string, first: boolean): void {
    comments.forEach((comment, i) => {
      if (comment.blankBefore && !this.open && !(first && i === 0)) this.push("")
      this.push(`${indent}${comment.text}`)
    })
  }

  private text(head: string, text: Text, indent: string, trailing: Comment | undefined): void {
    const start = joined(head, text.anchor)
    const fits = text.block !== undefined && (text.lines.length === 0 || `${start} ${text.block}`.length <= width)
    if (fits) return this.push(withTrailing(joined(start, text.block ?? ""), trailing))
    const inner = `${indent}${step}`
    const placed = (line: string) => (line === "" ? "" : `${inner}${line}`)
    if (text.header !== undefined) {
      this.push(withTrailing(`${start} ${text.header}`, trailing))
      for (const line of text.lines) this.push(placed(line))
      this.open = text.header.endsWith("+")
      return
    }
    const [first, ...rest] = text.lines
    const lines = [`${start} ${first}`, ...rest.map(placed)]
    lines.forEach((line, i) => this.push(i === lines.length - 1 ? withTrailing(line, trailing) : line))
  }

  /** True for an item of a list whose own first entry stands beside the dash. */
  private isCompact(entry: Entry, indent: string): boolean {
    const { name, value } = entry
    return name === undefined && value.kind !== "text" && value.anchor === "" && this.isBlock(entry, indent)
  }

  /** The comments on the lines above an entry: beside a dash there is no place for those of what stands there. */
  private above(entry: Entry, indent: string): ReadonlyArray<Comment> {
    const { leading, trailing, value } = entry
    if (value.kind === "text" || !this.isCompact(entry, indent)) return leading
    return [...leading, ...trailing, ...this.above(value.entries[0], `${indent}${step}`)]
  }

  private entry(entry: Entry, indent: string, first: boolean, besideDash: boolean): void {
    const { name, value, trailing, below } = entry
    const [last] = trailing
    const above = besideDash ? [] : this.above(entry, indent)
    this.comments(above, indent, first)
    if (entry.blankBefore && !this.open && !(first && above.length === 0)) this.push("")
    const head = name === undefined ? `${indent}-` : `${indent}${name}:`
    if (value.kind === "text") {
      this.text(head, value, indent, last)
    } else if (!this.isBlock(entry, indent)) {
      this.push(withTrailing(`${head} ${flowOf(value) ?? ""}`, last))
    } else if (this.isCompact(entry, indent)) {
      const at = this.lines.length
      this.collection(value, `${indent}${step}`, true)
      this.lines[at] = `${indent}- ${this.lines[at].trimStart()}`
    } else {
      this.push(withTrailing(joined(head, value.anchor), last))
      this.collection(value, `${indent}${step}`)
    }
    this.comments(below, `${indent}${step}`, true)
  }

  /** True for a collection that gets a line per entry. */
  private isBlock({ name, value }: Entry, indent: string): boolean {
    if (value.kind === "text" || value.entries.length === 0) return false
    if (isOpen(value) || hasComments(value)) return true
    const flow = flowOf(value)
    return flow === undefined || `${indent}${name === undefined ? "-" : `${name}:`} ${flow}`.length > width
  }

  collection(collection: Collection, indent: string, besideDash = false): void {
    collection.entries.forEach((entry, i) => this.entry(entry, indent, i === 0, besideDash && i === 0))
    this.comments(collection.closing, indent, false)
  }

  header({ blankAfter, comments }: Header): void {
    this.comments(comments, "", true)
    if (comments.length > 0 && blankAfter) this.push("")
  }
}

/** The text of a layout whose keys are in order. */
export const print = (root: Collection, header: Header): string => {
  const printer = new Printer()
  printer.header(header)
  printer.collection(root, "")
  return `${printer.lines.join("\n")}\n`
}
