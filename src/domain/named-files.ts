import { type JsonSchema, property } from "./json-schema.ts"

const isRecord = (value: unknown): value is Record<string, unknown> =>
  typeof value === "object" && value !== null && !Array.isArray(value)

const holding = new WeakMap<object, boolean>()

/** True for a schema that calls something in it `InputFile`. */
export const holdsFiles = (schema: unknown): boolean => {
  if (typeof schema !== "object" || schema === null) return false
  const known = holding.get(schema)
  if (known !== undefined) return known
  const holds = ("x-name" in schema && schema["x-name"] === "InputFile") || Object.values(schema).some(holdsFiles)
  holding.set(schema, holds)
  return holds
}

const naming = new WeakMap<JsonSchema, Map<string, boolean>>()

/** True for a field of an input in which files may be named: looked up once for each schema. */
const isNaming = (schema: JsonSchema, key: string): boolean => {
  const known = naming.get(schema) ?? new Map<string, boolean>()
  const answer = known.get(key) ?? holdsFiles(property(schema, key)?.schema)
  naming.set(schema, known.set(key, answer))
  return answer
}

/** The fields of an input in which files may be named; undefined where it has none. */
export const namingFields = (
  input: Readonly<Record<string, unknown>>,
  schema: JsonSchema,
): Readonly<Record<string, unknown>> | undefined => {
  const keys = Object.keys(input).filter((key) => isNaming(schema, key))
  return keys.length === 0 ? undefined : Object.fromEntries(keys.map((key) => [key, input[key]]))
}

/** Paths in an input that its schema calls `InputFile`: the bytes behind them decide what the task does. */
export const namedFiles = (value: unknown, schema: JsonSchema): ReadonlyArray<string> => {
  if (schema["x-name"] === "InputFile") return typeof value === "string" ? [value] : []
  const options = schema.anyOf ?? schema.oneOf
  if (options !== undefined) return options.flatMap((option) => namedFiles(value, option))
  if (Array.isArray(value)) {
    return value.flatMap((item, index) => namedFiles(item, schema.prefixItems?.[index] ?? schema.items ?? {}))
  }
  if (!isRecord(value)) return []
  return Object.entries(value).flatMap(([key, item]) => namedFiles(item, property(schema, key)?.schema ?? {}))
}
