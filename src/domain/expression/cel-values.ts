import type { Environment } from "@marcbachmann/cel-js"
import { type JsonSchema, branches, isAny } from "../json-schema.ts"
import { celLibrary } from "./cel-library.ts"
import { durationText } from "./functions.ts"

type Convert = (value: unknown) => unknown

/** A CEL type for a JSON Schema node, and how a JSON value becomes a value of that type. */
export interface CelType {
  readonly name: string
  readonly convert: Convert
}

const dynamic = (value: unknown): unknown => {
  if (typeof value === "number" && Number.isSafeInteger(value)) return BigInt(value)
  if (Array.isArray(value)) return value.map(dynamic)
  if (typeof value === "object" && value !== null) {
    return new Map(Object.entries(value).map(([key, item]) => [key, dynamic(item)]))
  }
  return value
}

const scalars: Record<string, CelType> = {
  string: { name: "string", convert: (value) => value },
  boolean: { name: "bool", convert: (value) => value },
  number: { name: "double", convert: (value) => value },
  integer: { name: "int", convert: (value) => (typeof value === "number" ? BigInt(value) : value) },
  null: { name: "null_type", convert: (value) => value },
}

const dyn: CelType = { name: "dyn", convert: dynamic }

/** Registers CEL types for JSON Schema nodes; records become classes, so that a field that is not there is found. */
export class TypeRegistry {
  private readonly environment: Environment
  readonly named = new Map<string, JsonSchema>()

  constructor(environment: Environment) {
    this.environment = environment
  }

  register(schema: JsonSchema): CelType {
    if (isAny(schema)) return dyn
    const options = branches(schema)
    if (options[0] !== schema) {
      const types = new Set(options.map((option) => option.type))
      return types.size === 1 && scalars[options[0].type ?? ""] !== undefined ? this.register(options[0]) : dyn
    }
    const literal = schema.enum?.[0] ?? schema.const
    const type = schema.type ?? (typeof literal === "string" ? "string" : undefined)
    if (type !== undefined && scalars[type] !== undefined) return scalars[type]
    if (type === "array") {
      const item = this.register(schema.items ?? {})
      return {
        name: `list<${item.name}>`,
        convert: (value) => (Array.isArray(value) ? value.map(item.convert) : value),
      }
    }
    return type === "object" ? this.record(schema) : dyn
  }

  private record(schema: JsonSchema): CelType {
    const { properties } = schema
    if (properties === undefined || Object.keys(properties).length === 0) {
      const item = typeof schema.additionalProperties === "object" ? this.register(schema.additionalProperties) : dyn
      return {
        name: `map<string, ${item.name}>`,
        convert: (value) =>
          typeof value === "object" && value !== null
            ? new Map(Object.entries(value).map(([key, entry]) => [key, item.convert(entry)]))
            : value,
      }
    }
    const fields = Object.entries(properties).map(([key, node]) => [key, this.register(node)] as const)
    const name = `Record${this.named.size + 1}`
    class Instance {
      constructor(value: Record<string, unknown>) {
        for (const [key, type] of fields) {
          if (value[key] !== undefined) Object.assign(this, { [key]: type.convert(value[key]) })
        }
      }
    }
    this.environment.registerType(name, {
      ctor: Instance,
      fields: Object.fromEntries(fields.map(([key, type]) => [key, type.name])),
    })
    this.named.set(name, schema)
    return {
      name,
      convert: (value) =>
        typeof value === "object" && value !== null ? new Instance(value as Record<string, unknown>) : value,
    }
  }
}

/** A CEL result as JSON: integers back to numbers, records and maps to objects, timestamps to RFC 3339, durations with units. */
export const toJson = (value: unknown): unknown => {
  if (typeof value === "bigint") return Number(value)
  if (value === null || typeof value !== "object") return value
  if (Array.isArray(value)) return value.map(toJson)
  if (value instanceof Date) return value.toISOString()
  if (value instanceof celLibrary().Duration) return durationText(value)
  const entries = value instanceof Map ? [...value.entries()] : Object.entries(value)
  return Object.fromEntries(entries.map(([key, item]) => [String(key), toJson(item)]))
}

/** The JSON Schema of a CEL type, as far as it has one. */
export const schemaOf = (celType: string, named: ReadonlyMap<string, JsonSchema>): JsonSchema => {
  const record = named.get(celType)
  if (record !== undefined) return record
  const list = /^list<(.*)>$/.exec(celType)
  if (list) return { type: "array", items: schemaOf(list[1], named) }
  const map = /^map<string, (.*)>$/.exec(celType)
  if (map) return { type: "object", additionalProperties: schemaOf(map[1], named) }
  const scalar: Record<string, JsonSchema> = {
    string: { type: "string" },
    bool: { type: "boolean" },
    int: { type: "integer" },
    double: { type: "number" },
    null_type: { type: "null" },
    "google.protobuf.Timestamp": { type: "string" },
    "google.protobuf.Duration": { type: "string", "x-name": "Duration" },
  }
  return scalar[celType] ?? {}
}
