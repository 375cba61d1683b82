import {
  type Node,
  type ParsedNode,
  type Scalar,
  type YAMLMap,
  type YAMLSeq,
  isAlias,
  isMap,
  isScalar,
  parseDocument,
} from "yaml"
import { type Source, position } from "../source.ts"
import * as Comments from "./comments.ts"
import type { Collection, Entry, Text } from "./layout.ts"
import * as ScalarText from "./scalar-text.ts"

const isBlank = (source: Source, line: number): boolean =>
  line >= 1 && source.text.slice(source.lineStarts[line - 1], source.lineStarts[line]).trim() === ""

/** The author's lines of a text, the first as it stands, the others without the indentation that they share. */
const dedented = (written: string): ReadonlyArray<string> => {
  const [first, ...rest] = written.split("\n")
  return [first, ...rest.map((line) => line.trimStart())]
}

/** A literal or folded block: its lines without the block's indentation, which its first line or its header tells. */
const blockLines = (source: Source, start: number, end: number, parentColumn: number): ReadonlyArray<string> => {
  const [header, ...rest] = source.text.slice(start, end).split("\n")
  const stated = /[1-9]/.exec(header.replace(/#.*/, ""))?.[0]
  const first = rest.find((line) => line.trim() !== "") ?? ""
  const indent = stated === undefined ? first.length - first.trimStart().length : parentColumn + Number(stated)
  const lines = rest.map((line) => line.slice(Math.min(indent, line.length)))
  if (lines.at(-1) === "") lines.pop()
  return lines
}

const textOf = (source: Source, node: Node, parentColumn: number): Text => {
  const [start, end] = node.range ?? [0, 0]
  if (isAlias(node)) {
    const text = `*${node.source}`
    return { kind: "text", start, anchor: "", block: text, flow: text, lines: [], header: undefined }
  }
  if (!isScalar(node)) throw new TypeError("A node of YAML is a map, a list, a scalar or an alias")
  const anchor = node.anchor === undefined ? "" : `&${node.anchor}`
  if (node.type === "BLOCK_LITERAL" || node.type === "BLOCK_FOLDED") {
    const lines = blockLines(source, start, end, parentColumn)
    const style = node.type === "BLOCK_LITERAL" ? "|" : ">"
    const chomp = /^[|>][1-9]?([-+])?/.exec(source.text.slice(start, end).replace(/^([|>])([-+])([1-9])/, "$1$3$2"))
    const kept = chomp?.[1] === "+" ? lines : lines.slice(0, lines.findLastIndex((line) => line.trim() !== "") + 1)
    const indented = /^\s/.test(lines.find((line) => line !== "") ?? "")
    const header = `${style}${indented ? "2" : ""}${chomp?.[1] ?? ""}`
    return { kind: "text", start, anchor, block: undefined, flow: undefined, lines: kept, header }
  }
  const written = source.text.slice(start, end)
  const lines = written.includes("\n") ? dedented(written) : []
  if (lines.length > 0 && String(node.value).includes("\n")) {
    return { kind: "text", start, anchor, block: undefined, flow: undefined, lines, header: undefined }
  }
  const block = ScalarText.ofValue(node, false)
  return { kind: "text", start, anchor, block, flow: ScalarText.ofValue(node, true), lines, header: undefined }
}

const dashes = (list: YAMLSeq): ReadonlyArray<number | undefined> => {
  const token = list.srcToken
  if (token?.type !== "block-seq") return []
  return token.items.flatMap(({ start }) => start.find(({ type }) => type === "seq-item-ind")?.offset ?? [])
}

const collectionOf = (source: Source, node: YAMLMap | YAMLSeq, owner: Entry | undefined): Collection => {
  const [start, end] = node.range ?? [0, 0]
  const collection: Collection = {
    kind: isMap(node) ? "map" : "list",
    flow: node.flow === true,
    start,
    end,
    owner,
    anchor: node.anchor === undefined ? "" : `&${node.anchor}`,
    entries: [],
    closing: [],
  }
  const add = (key: Scalar | undefined, at: number, value: Node | null, after: number) => {
    const { column, line } = position(source, at)
    const first = source.text.slice(source.lineStarts[line - 1], at).trim() === ""
    const entry: Entry = {
      name: key === undefined ? undefined : ScalarText.ofKey(key, false),
      flowName: key === undefined ? undefined : ScalarText.ofKey(key, true),
      start: at,
      column: column - 1,
      parent: collection,
      value: { kind: "text", start: after, anchor: "", block: "", flow: "null", lines: [], header: undefined },
      blankBefore: first && isBlank(source, line - 1),
      leading: [],
      trailing: [],
      below: [],
    }
    if (value !== null) {
      entry.value =
        isScalar(value) || isAlias(value)
          ? textOf(source, value, entry.column)
          : collectionOf(source, value as YAMLMap | YAMLSeq, entry)
    }
    collection.entries.push(entry)
  }
  if (isMap(node)) {
    for (const pair of node.items) {
      const key = pair.key as ParsedNode
      if (!isScalar(key)) continue
      add(key, key.range[0], pair.value as Node | null, key.range[1])
    }
  } else {
    const offsets = dashes(node)
    ;(node.items as Array<Node>).forEach((item, i) => add(undefined, offsets[i] ?? item.range?.[0] ?? 0, item, start))
  }
  return collection
}

/** The layout of a text that is valid YAML, with its comments; undefined when it is no map, or an empty one. */
export const read = (source: Source): Collection | undefined => {
  const { contents } = parseDocument(source.text, {
    version: "1.2",
    schema: "core",
    merge: false,
    uniqueKeys: false,
    intAsBigInt: true,
    prettyErrors: false,
    keepSourceTokens: true,
    logLevel: "error",
  })
  if (!isMap(contents) || contents.items.length === 0) return undefined
  const root = collectionOf(source, contents, undefined)
  Comments.attach(root, Comments.read(source))
  return root
}
