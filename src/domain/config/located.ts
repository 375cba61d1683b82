import * as SchemaAST from "effect/SchemaAST"
import { isAlias, isMap, isScalar, isSeq, LineCounter, type ParsedNode, parseAllDocuments } from "yaml"
import type { Json } from "../canonical-json.ts"
import { keyOf } from "./named-list.ts"
import type { Place, Problem } from "./problem.ts"

/** A JSON value whose every part knows its place. `keys` holds where each key of a map is written. */
export type Located =
  | { readonly kind: "scalar"; readonly at: Place; readonly value: null | boolean | number | string }
  | { readonly kind: "list"; readonly at: Place; readonly items: ReadonlyArray<Located> }
  | {
      readonly kind: "map"
      readonly at: Place
      readonly entries: ReadonlyMap<string, Located>
      readonly keys: ReadonlyMap<string, Place>
    }

/** A file's value with its places, and what is wrong with its form. `value` is missing for an empty file. */
export interface Parsed {
  readonly value: Located | undefined
  readonly problems: ReadonlyArray<Problem>
}

const limits = { characters: 2 * 1024 * 1024, depth: 32 }

/**
 * Reads YAML 1.2 (core schema) with places. One document; no anchors, aliases, merge keys or tags; keys are text, each
 * once; whole numbers within ±2^53; at most 2 MiB and 32 levels.
 */
export const fromYaml = (file: string, text: string): Parsed => {
  const start: Place = { file, line: 1, column: 1 }
  if (text.length > limits.characters) {
    return { value: undefined, problems: [{ ...start, path: "", message: "the file is larger than 2 MiB" }] }
  }
  const lines = new LineCounter()
  const documents = parseAllDocuments(text, {
    lineCounter: lines,
    prettyErrors: false,
    merge: false,
    uniqueKeys: false,
    version: "1.2",
    schema: "core",
  })
  const problems: Array<Problem> = []
  const placeOf = (offset: number): Place => {
    const { col, line } = lines.linePos(offset)
    return { file, line, column: col }
  }
  const refuse = (at: Place, path: string, message: string) => problems.push({ ...at, path, message })
  if (!Array.isArray(documents)) return { value: undefined, problems }
  if (documents.length > 1) refuse(placeOf(documents[1].range[0]), "", "the file holds more than one document")
  for (const error of documents.flatMap((document) => [...document.errors, ...document.warnings])) {
    refuse(placeOf(error.pos[0]), "", `is not readable as YAML: ${error.message}`)
  }

  const convert = (node: ParsedNode | null, path: string, depth: number): Located => {
    const at = node === null ? start : placeOf(node.range[0])
    const nothing: Located = { kind: "scalar", at, value: null }
    if (node === null) return nothing
    if (depth > limits.depth) return (refuse(at, path, `is nested deeper than ${limits.depth} levels`), nothing)
    if (isAlias(node)) return (refuse(at, path, "is an alias; write the value out"), nothing)
    if (node.anchor !== undefined) refuse(at, path, "has an anchor; write the value out where it is needed")
    if (node.tag !== undefined && !node.tag.startsWith("tag:yaml.org,2002:")) refuse(at, path, "has a tag; remove it")
    if (isSeq(node)) {
      return { kind: "list", at, items: node.items.map((item, i) => convert(item, `${path}[${i}]`, depth + 1)) }
    }
    if (isMap(node)) {
      const entries = new Map<string, Located>()
      const keys = new Map<string, Place>()
      for (const { key, value } of node.items) {
        const where = placeOf(key.range[0])
        if (!isScalar(key) || typeof key.value !== "string") {
          refuse(where, path, "has a key that is not text; put it in quotes")
          continue
        }
        const name = child(path, key.value)
        if (entries.has(key.value))
          refuse(where, name, `is there twice; it is first written on line ${keys.get(key.value)?.line}`)
        const converted = convert(value, name, depth + 1)
        entries.set(key.value, value === null ? { ...converted, at: where } : converted)
        keys.set(key.value, where)
      }
      return { kind: "map", at, entries, keys }
    }
    const value: unknown = node.value
    if (typeof value === "number" && !Number.isFinite(value)) refuse(at, path, "must be a finite number")
    else if (typeof value === "number" && Number.isInteger(value) && !Number.isSafeInteger(value)) {
      refuse(at, path, "is beyond ±2^53, where whole numbers are no longer exact; put it in quotes")
    } else if (value === null || ["boolean", "number", "string"].includes(typeof value)) {
      return { kind: "scalar", at, value: value as null | boolean | number | string }
    } else refuse(at, path, "is not a text, number, boolean, list or map")
    return nothing
  }
  const contents = documents.length === 0 ? null : documents[0].contents
  return { value: contents === null ? undefined : convert(contents, "", 0), problems }
}

/** A JSON value as if all of it stood at one place. */
export const fromJson = (at: Place, value: unknown): Located => {
  if (Array.isArray(value)) return { kind: "list", at, items: value.map((item) => fromJson(at, item)) }
  if (typeof value !== "object" || value === null) {
    return { kind: "scalar", at, value: value as null | boolean | number | string }
  }
  const entries = Object.entries(value)
  return {
    kind: "map",
    at,
    entries: new Map(entries.map(([key, each]) => [key, fromJson(at, each)])),
    keys: new Map(entries.map(([key]) => [key, at])),
  }
}

/** `parent.key`, or `key` at the top. */
export const child = (parent: string, key: string): string => (parent === "" ? key : `${parent}.${key}`)

/** The value without its places. */
export const toJson = (located: Located): Json => {
  if (located.kind === "scalar") return located.value
  if (located.kind === "list") return located.items.map(toJson)
  return Object.fromEntries([...located.entries].map(([key, each]) => [key, toJson(each)]))
}

/** The Schema nodes that may describe the property `key` (or an item) of a value that `ast` describes. */
export const under = (ast: SchemaAST.AST, key: PropertyKey): ReadonlyArray<SchemaAST.AST> => {
  if (SchemaAST.isUnion(ast)) return ast.types.flatMap((type) => under(type, key))
  if (SchemaAST.isArrays(ast)) return ast.rest.slice(0, 1)
  if (!SchemaAST.isObjects(ast)) return []
  const own = ast.propertySignatures.filter((signature) => signature.name === key)
  return own.length > 0
    ? own.map((signature) => signature.type)
    : ast.indexSignatures.map((signature) => signature.type)
}

const nameOf = (item: Located, key: string): string | undefined => {
  const name = item.kind === "map" ? item.entries.get(key) : undefined
  return name?.kind === "scalar" && typeof name.value === "string" ? name.value : undefined
}

/**
 * Lays an environment's value over the base's. Maps merge key by key; a list of named things (`NamedList`) item by item,
 * by name, new ones at the end; whatever else the environment gives (a plain list, a scalar, null) replaces the base's.
 */
export const merge = (base: Located, over: Located, asts: ReadonlyArray<SchemaAST.AST>): Located => {
  if (base.kind === "map" && over.kind === "map") {
    const entries = new Map(base.entries)
    for (const [key, value] of over.entries) {
      const below = base.entries.get(key)
      entries.set(
        key,
        below === undefined
          ? value
          : merge(
              below,
              value,
              asts.flatMap((ast) => under(ast, key)),
            ),
      )
    }
    return { kind: "map", at: over.at, entries, keys: new Map([...base.keys, ...over.keys]) }
  }
  if (base.kind !== "list" || over.kind !== "list") return over
  const key = asts.map((ast) => keyOf(SchemaAST.resolve(ast))).find((each) => each !== undefined)
  if (key === undefined) return over
  const items = asts.flatMap((ast) => under(ast, 0))
  const merged = [...base.items]
  for (const item of over.items) {
    const name = nameOf(item, key)
    const index = base.items.findIndex((each) => name !== undefined && nameOf(each, key) === name)
    if (index === -1) merged.push(item)
    else merged[index] = merge(merged[index], item, items)
  }
  return { kind: "list", at: over.at, items: merged }
}
