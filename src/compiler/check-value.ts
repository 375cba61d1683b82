import { assignable, gateHint } from "../domain/assignable.ts"
import * as SecretReference from "../domain/config/secret-reference.ts"
import * as Template from "../domain/expression/template.ts"
import { type JsonSchema, describe, field, isAny } from "../domain/json-schema.ts"
import { formatDuration, parseDuration, parseSize } from "../domain/quantity.ts"
import { didYouMean } from "../domain/suggest.ts"
import type { FieldReader } from "./field-reader.ts"
import { type Located, get, kindOf, toJson } from "./located.ts"
import type { Span } from "./source.ts"

/** Type of an expression that stands at a place; undefined when it was wrong (and was reported). */
export type TypeOf = (source: string, at: Span, path: string) => JsonSchema | undefined

const quantities: Record<string, { parse: (text: string) => string | undefined; wanted: string }> = {
  Duration: {
    parse: (text) => {
      const millis = parseDuration(text)
      return Number.isSafeInteger(millis) ? formatDuration(millis ?? 0) : undefined
    },
    wanted: "a duration with a unit, like 90s, 5m or 2d",
  },
  Size: {
    parse: (text) => {
      const bytes = parseSize(text)
      return Number.isSafeInteger(bytes) ? `${bytes}B` : undefined
    },
    wanted: "a size with a unit, like 500MB or 2GiB",
  },
}

const secrets = new WeakMap<JsonSchema, boolean>()

const takesSecret = (schema: JsonSchema): boolean => {
  const known = secrets.get(schema) ?? SecretReference.isIn(schema)
  secrets.set(schema, known)
  return known
}

/** Where an offset within a scalar's text lies in the file: exact for plain one-line scalars, else the scalar's start. */
const inner = (reader: FieldReader, at: Span, text: string, start: number, length: number): Span => {
  const written = reader.source.text.slice(at.start, at.end)
  const found = written.indexOf(text.slice(start, start + length))
  return found === -1 ? at : { start: at.start + found, end: at.start + found + length }
}

const hasText = ({ type }: JsonSchema): boolean => type === "integer" || type === "number" || type === "boolean"

const checkText = (
  reader: FieldReader,
  text: string,
  at: Span,
  schema: JsonSchema,
  path: string,
  typeOf: TypeOf,
): string => {
  const parts = Template.parse(text)
  if ("unclosedAt" in parts) {
    reader.report(inner(reader, at, text, parts.unclosedAt, 3), path, 'This "${{" has no "}}".')
    return text
  }
  if (takesSecret(schema)) {
    reader.report(at, path, "A secret takes a reference, like ${env:NAME} or ${file:path}, and no expression.")
    return text
  }
  const whole = parts.length === 1 && parts[0]._tag === "Expression"
  for (const part of parts) {
    if (part._tag === "Text") continue
    const place = inner(reader, at, text, part.offset, Math.max(1, part.source.length))
    const type = typeOf(part.source, place, path)
    if (type === undefined) continue
    const reason = whole
      ? assignable(type, schema)
      : assignable(type, { anyOf: [{ type: "string" }, { type: "number" }, { type: "boolean" }] })
    if (reason === undefined) continue
    const hint = whole && schema.type === "string" && hasText(type) ? ` Write string(${part.source}).` : ""
    reader.report(place, path, `${part.source}: ${reason}.${hint}`)
  }
  if (!whole) {
    const { enum: _, const: __, ...kind } = schema
    const reason = assignable({ type: "string" }, kind)
    if (reason !== undefined) reader.report(at, path, `Text with an expression in it: ${reason}.`)
  }
  return Template.normalise(parts)
}

const checkScalar = (
  reader: FieldReader,
  node: Extract<Located, { kind: "scalar" }>,
  schema: JsonSchema,
  path: string,
  typeOf: TypeOf,
): unknown => {
  const { value, at } = node
  if (typeof value === "string" && Template.hasExpression(value))
    return checkText(reader, value, at, schema, path, typeOf)
  const quantity = quantities[schema["x-name"] ?? ""]
  if (quantity !== undefined) {
    const normal = typeof value === "string" ? quantity.parse(value) : undefined
    if (normal !== undefined) return normal
    const given = typeof value === "number" ? `${value} has no unit. It` : "This"
    reader.report(at, path, `${given} must be ${quantity.wanted}.`)
    return value
  }
  const allowed = schema.enum ?? (schema.const === undefined ? undefined : [schema.const])
  if (allowed !== undefined) {
    if (!allowed.includes(value)) {
      const known = allowed.map(String)
      reader.report(
        at,
        path,
        `${JSON.stringify(value)} is none of ${known.join(", ")}.${didYouMean(String(value), known)}`,
      )
    }
    return value
  }
  const type = value === null ? "null" : typeof value
  const fits =
    schema.type === type ||
    (type === "number" && (schema.type === "number" || (schema.type === "integer" && Number.isInteger(value))))
  if (!fits)
    reader.report(at, path, `Expected ${describe(schema)}, got ${value === null ? "nothing" : JSON.stringify(value)}.`)
  return value
}

const checkMap = (
  reader: FieldReader,
  node: Extract<Located, { kind: "map" }>,
  schema: JsonSchema,
  path: string,
  typeOf: TypeOf,
): unknown => {
  const out: Array<readonly [string, unknown]> = []
  for (const { key, keyAt, value } of node.entries) {
    const target =
      field(schema, key) ?? (typeof schema.additionalProperties === "object" ? schema.additionalProperties : undefined)
    const place = `${path}.${key}`
    const known = target === undefined ? Object.keys(schema.properties ?? {}) : []
    if (known.length > 0) {
      reader.report(keyAt, place, `There is no input "${key}".${didYouMean(key, known)} Known: ${known.join(", ")}.`)
      continue
    }
    out.push([key, checkValue(reader, value, target ?? {}, place, typeOf)])
  }
  for (const key of schema.required ?? []) {
    if (node.entries.some((entry) => entry.key === key)) continue
    reader.report(node.at, path, `"${key}" is missing: ${describe(field(schema, key) ?? {})}.`)
  }
  return Object.fromEntries(out)
}

/** How many literal fields of a record (`kind: sample`) fit a map, less those that do not. */
const tagFit = (node: Located, schema: JsonSchema): number => {
  let score = 0
  for (const [key, property] of Object.entries(schema.properties ?? {})) {
    const allowed = property.enum ?? (property.const === undefined ? undefined : [property.const])
    const given = get(node, key)
    if (allowed === undefined || given?.kind !== "scalar") continue
    score += allowed.includes(given.value) ? 1 : -1
  }
  return score
}

/** How well a node's outer shape fits a branch of a union: the best one is checked, so that its mistakes are told. */
const fit = (node: Located, schema: JsonSchema): number => {
  if (isAny(schema)) return 1
  if (node.kind === "list") return schema.type === "array" ? 3 : 0
  if (node.kind === "map") {
    if (schema.type !== "object") return 0
    const shared = node.entries.filter((entry) => field(schema, entry.key) !== undefined).length
    return Math.max(1, 20 + 10 * tagFit(node, schema) + shared / 100)
  }
  if (schema.enum !== undefined) return schema.enum.includes(node.value) ? 4 : 1
  if (schema.const !== undefined) return schema.const === node.value ? 4 : 1
  const type = node.value === null ? "null" : typeof node.value
  if (type === "number" && schema.type === "integer") return Number.isInteger(node.value) ? 3 : 1
  return schema.type === type ? 3 : 0
}

/**
 * Checks a value of `with` against the JSON Schema of its input and gives it back as the plan holds it: durations and
 * sizes in one form, expressions trimmed. Mistakes go to the reader with their places.
 */
export const checkValue = (
  reader: FieldReader,
  node: Located,
  schema: JsonSchema,
  path: string,
  typeOf: TypeOf,
): unknown => {
  if (node.kind === "scalar" && typeof node.value === "string" && Template.hasExpression(node.value)) {
    return checkText(reader, node.value, node.at, schema, path, typeOf)
  }
  const hint = gateHint(schema)
  if (hint !== undefined) {
    reader.report(node.at, path, `Expected ${describe(schema)}, got ${kindOf(node)}; ${hint}.`)
    return toJson(node)
  }
  const options = schema.anyOf ?? schema.oneOf
  if (options !== undefined) {
    const best = options.reduce((x, y) => (fit(node, y) > fit(node, x) ? y : x))
    if (fit(node, best) === 0) {
      reader.report(node.at, path, `Expected ${describe(schema)}, got ${kindOf(node)}.`)
      return toJson(node)
    }
    return checkValue(reader, node, best, path, typeOf)
  }
  if (isAny(schema)) {
    if (node.kind === "list") return node.items.map((item, i) => checkValue(reader, item, {}, `${path}[${i}]`, typeOf))
    if (node.kind === "map") {
      return Object.fromEntries(
        node.entries.map(({ key, value }) => [key, checkValue(reader, value, {}, `${path}.${key}`, typeOf)]),
      )
    }
    return node.value
  }
  if (node.kind === "list" && schema.type === "array") {
    return node.items.map((item, i) =>
      checkValue(reader, item, schema.prefixItems?.[i] ?? schema.items ?? {}, `${path}[${i}]`, typeOf),
    )
  }
  if (node.kind === "map" && schema.type === "object") return checkMap(reader, node, schema, path, typeOf)
  if (node.kind === "scalar") return checkScalar(reader, node, schema, path, typeOf)
  reader.report(node.at, path, `Expected ${describe(schema)}, got ${kindOf(node)}.`)
  return toJson(node)
}
