import type * as Yaml from "yaml"
import type { Node, YAMLMap, YAMLSeq } from "yaml"
import * as Diagnostic from "./diagnostic.ts"
import type { Located, LocatedEntry } from "./located.ts"
import * as PlainYaml from "./plain-yaml.ts"
import type { Source, Span } from "./source.ts"

/** Largest file that is read, in characters. */
export const maxLength = 2 * 1024 * 1024
const maxAliasNodes = 10_000
const maxDepth = 100

const coreTags = new Set(["str", "int", "float", "bool", "null", "map", "seq"].map((tag) => `tag:yaml.org,2002:${tag}`))

/** What was read, and every mistake of the text. */
interface Read {
  readonly document: Located | undefined
  readonly diagnostics: ReadonlyArray<Diagnostic.Diagnostic>
}

/** Reads a YAML 1.2 document with positions. What YAML would let pass quietly (duplicate keys, tags, huge numbers) is a mistake. */
export const read = (source: Source): Read => {
  const document = source.text.length > maxLength ? undefined : PlainYaml.read(source.text)
  return document === undefined ? readAny(source) : { document, diagnostics: [] }
}

/** As `read`, by the library alone. */
export const readAny = (source: Source): Read => {
  const { isAlias, isMap, isScalar, isSeq, parseDocument } = require("yaml") as typeof Yaml
  const diagnostics: Array<Diagnostic.Diagnostic> = []
  const report = (span: Span, path: string, message: string) =>
    diagnostics.push(Diagnostic.at(source, span, path, message))
  const start: Span = { start: 0, end: 1 }
  if (source.text.length > maxLength) {
    report(start, "", "The file is larger than 2 MiB. Generate large pipelines in TypeScript instead.")
    return { document: undefined, diagnostics }
  }
  const parsed = parseDocument(source.text, {
    version: "1.2",
    schema: "core",
    merge: false,
    uniqueKeys: false,
    intAsBigInt: true,
    prettyErrors: false,
    strict: true,
    logLevel: "error",
  })
  const told = parsed.warnings.filter(({ code }) => code !== "TAG_RESOLVE_FAILED")
  // What follows the first error is mostly its consequence.
  const [first] = parsed.errors
  for (const problem of first === undefined ? told : [first]) {
    const message =
      problem.code === "MULTIPLE_DOCS"
        ? "A second document starts here. A file holds one pipeline: move the second to a file of its own."
        : problem.message.startsWith("Maximum call stack")
          ? `This is nested deeper than ${maxDepth} levels.`
          : `This is not valid YAML: ${problem.message}`
    report({ start: problem.pos[0], end: problem.pos[1] }, "", message)
  }
  if (first !== undefined) return { document: undefined, diagnostics }
  const spanOf = (node: Node): Span => ({ start: node.range?.[0] ?? 0, end: node.range?.[1] ?? 0 })
  let aliasNodes = 0
  let bomb = false

  const scalar = (value: unknown, at: Span, path: string): Located => {
    if (typeof value === "bigint") {
      if (value > BigInt(Number.MAX_SAFE_INTEGER) || value < BigInt(Number.MIN_SAFE_INTEGER)) {
        report(at, path, `${value} is beyond 2^53 and would lose digits. Write it as a string.`)
      }
      return { kind: "scalar", value: Number(value), at }
    }
    if (typeof value === "number") {
      if (!Number.isFinite(value)) report(at, path, "Infinity and NaN are no values of a pipeline.")
      return { kind: "scalar", value: Number.isFinite(value) ? value : 0, at }
    }
    if (typeof value === "string" && !value.isWellFormed()) {
      report(at, path, "This text holds half a character (a lone surrogate), which no record can hold.")
      return { kind: "scalar", value: value.toWellFormed(), at }
    }
    if (typeof value === "string" || typeof value === "boolean" || value === null) return { kind: "scalar", value, at }
    report(at, path, "This value has no JSON form.")
    return { kind: "scalar", value: null, at }
  }
  const map = (node: YAMLMap, path: string, depth: number, inAlias: Span | undefined): Located => {
    const seen = new Map<string, Span>()
    const entries: Array<LocatedEntry> = []
    for (const pair of node.items) {
      const keyNode = pair.key as Node
      if (!isScalar(keyNode)) {
        report(spanOf(keyNode), path, "A key must be plain text.")
        continue
      }
      const key = String(keyNode.value)
      const keyAt = inAlias ?? spanOf(keyNode)
      const inner = path === "" ? key : `${path}.${key}`
      const before = seen.get(key)
      if (key === "<<" && isAlias(pair.value)) {
        report(keyAt, inner, "There are no merge keys: YAML 1.2 took them out. Write the keys here.")
        continue
      }
      if (before !== undefined) {
        report(keyAt, inner, `The key "${key}" stands here twice. Keep one of them.`)
        continue
      }
      seen.set(key, keyAt)
      const value = pair.value as Node | null
      entries.push({
        key,
        keyAt,
        value: value === null ? { kind: "scalar", value: null, at: keyAt } : convert(value, inner, depth + 1, inAlias),
      })
    }
    return { kind: "map", entries, at: inAlias ?? spanOf(node) }
  }
  const convert = (node: Node, path: string, depth: number, inAlias: Span | undefined): Located => {
    const at = inAlias ?? spanOf(node)
    const nothing: Located = { kind: "scalar", value: null, at }
    if (bomb) return nothing
    if (inAlias !== undefined && ++aliasNodes > maxAliasNodes) {
      bomb = true
      report(
        at,
        path,
        `The aliases of this file unfold to more than ${maxAliasNodes} values. Write the pipeline out, or in TypeScript.`,
      )
      return nothing
    }
    if (depth > maxDepth) {
      report(at, path, `This is nested deeper than ${maxDepth} levels.`)
      return nothing
    }
    if (isAlias(node)) {
      const target = node.resolve(parsed)
      if (target === undefined) report(at, path, `There is no anchor "${node.source}" before this alias.`)
      return target === undefined ? nothing : convert(target as Node, path, depth + 1, at)
    }
    const tag = (node as { tag?: string }).tag
    if (tag !== undefined && !coreTags.has(tag)) {
      report(at, path, `The tag ${tag} means nothing here. Leave it out.`)
      if (isScalar(node) && typeof node.value === "object") return nothing
    }
    if (isMap(node)) return map(node, path, depth, inAlias)
    if (isSeq(node)) {
      const items = (node as YAMLSeq<Node>).items.map((item, i) => convert(item, `${path}[${i}]`, depth + 1, inAlias))
      return { kind: "list", items, at }
    }
    return isScalar(node) ? scalar(node.value, at, path) : nothing
  }
  const contents = parsed.contents as Node | null
  if (contents === null) {
    report(start, "", "The file is empty. A pipeline starts with: version: 1")
    return { document: undefined, diagnostics }
  }
  const document = convert(contents, "", 0, undefined)
  return { document: bomb ? undefined : document, diagnostics }
}
