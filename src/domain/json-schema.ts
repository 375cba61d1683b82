import type { PlainSchema } from "./plain-schema.ts"
import * as Schema from "effect/Schema"

/**
 * A JSON Schema (2020-12) node without references: definitions are written in place, their name in `x-name`.
 * `x-name` is nominal for gate outputs: `Checked<Dataset>`, `Gated<Model>`.
 */
export interface JsonSchema {
  readonly [key: string]: unknown
  readonly "x-name"?: string
  readonly type?: string
  readonly properties?: Readonly<Record<string, JsonSchema>>
  readonly required?: ReadonlyArray<string>
  readonly additionalProperties?: boolean | JsonSchema
  readonly items?: JsonSchema
  readonly prefixItems?: ReadonlyArray<JsonSchema>
  readonly anyOf?: ReadonlyArray<JsonSchema>
  readonly oneOf?: ReadonlyArray<JsonSchema>
  readonly allOf?: ReadonlyArray<JsonSchema>
  readonly enum?: ReadonlyArray<unknown>
  readonly const?: unknown
  readonly description?: string
  readonly default?: unknown
}

const isRecord = (value: unknown): value is Record<string, unknown> =>
  typeof value === "object" && value !== null && !Array.isArray(value)

/** The name that its author gave a type: Effect numbers definitions that differ in their words alone. */
const ownName = (name: string, definitions: Record<string, unknown>): string => {
  const base = name.replace(/_\d+$/, "")
  return Object.hasOwn(definitions, base) ? base : name
}

const inline = (node: unknown, definitions: Record<string, unknown>, open: ReadonlyArray<string>): unknown => {
  if (Array.isArray(node)) return node.map((item) => inline(item, definitions, open))
  if (!isRecord(node)) return node
  const ref = node.$ref
  if (typeof ref === "string" && ref.startsWith("#/$defs/")) {
    const name = decodeURIComponent(ref.slice("#/$defs/".length)).replaceAll("~1", "/").replaceAll("~0", "~")
    if (open.includes(name)) return { "x-name": name }
    const target = inline(definitions[name], definitions, [...open, name])
    return isRecord(target) ? { ...target, "x-name": ownName(name, definitions) } : target
  }
  return Object.fromEntries(Object.entries(node).map(([key, value]) => [key, inline(value, definitions, open)]))
}

/** The JSON Schema of a Schema's encoded side, references written in place; unknown keys are not allowed. */
export const ofSchema = (schema: PlainSchema<unknown>): JsonSchema => {
  const document = Schema.toJsonSchemaDocument(schema, { onExcessProperty: "error" })
  return inline(document.schema, document.definitions, []) as JsonSchema
}

/** The branches of a node: itself, or what `anyOf` or `oneOf` offer. */
export const branches = (schema: JsonSchema): ReadonlyArray<JsonSchema> => schema.anyOf ?? schema.oneOf ?? [schema]

/** True for a node that allows anything. */
export const isAny = (schema: JsonSchema): boolean =>
  schema.type === undefined &&
  schema.anyOf === undefined &&
  schema.oneOf === undefined &&
  schema.enum === undefined &&
  schema.const === undefined

/** The node that a record's `properties` have for a key. */
export const field = (schema: JsonSchema, key: string): JsonSchema | undefined =>
  schema.properties !== undefined && Object.hasOwn(schema.properties, key) ? schema.properties[key] : undefined

const requiredSets = new WeakMap<ReadonlyArray<string>, ReadonlySet<string>>()

const isRequired = (schema: JsonSchema, key: string): boolean => {
  const { required } = schema
  if (required === undefined) return false
  const known = requiredSets.get(required) ?? new Set(required)
  requiredSets.set(required, known)
  return known.has(key)
}

/** The node of a property, and whether it may be absent; undefined when there is no such property. */
export const property = (schema: JsonSchema, key: string): { schema: JsonSchema; optional: boolean } | undefined => {
  const found = branches(schema).flatMap((branch) => {
    const own = field(branch, key)
    if (own !== undefined) return [{ schema: own, optional: !isRequired(branch, key) }]
    return isRecord(branch.additionalProperties)
      ? [{ schema: branch.additionalProperties as JsonSchema, optional: true }]
      : []
  })
  if (found.length === 0) return isAny(schema) ? { schema: {}, optional: true } : undefined
  const optional = found.length < branches(schema).length || found.some((one) => one.optional)
  return found.length === 1
    ? { schema: found[0].schema, optional }
    : { schema: { anyOf: found.map((one) => one.schema) }, optional }
}

/** Names of the properties that a node has. */
export const keys = (schema: JsonSchema): ReadonlyArray<string> => [
  ...new Set(branches(schema).flatMap((branch) => Object.keys(branch.properties ?? {}))),
]

/** Short name of a node for messages: `Checked<Dataset>`, `list of string`, `"15m" | "1h"`. */
export const describe = (schema: JsonSchema): string => {
  if (schema["x-name"] !== undefined) return schema["x-name"]
  if (schema.const !== undefined) return JSON.stringify(schema.const)
  if (schema.enum !== undefined) return schema.enum.map((value) => JSON.stringify(value)).join(" | ")
  const options = branches(schema)
  if (options[0] !== schema) return options.map(describe).join(" or ")
  if (schema.type === "array") return `list of ${describe(schema.items ?? {})}`
  if (schema.type === "object") {
    if (schema.properties === undefined) return "map"
    return `{ ${Object.keys(schema.properties).join(", ")} }`
  }
  return schema.type ?? "any value"
}
