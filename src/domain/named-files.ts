import { type JsonSchema, property } from "./json-schema.ts"

const isRecord = (value: unknown): value is Record<string, unknown> =>
  typeof value === "object" && value !== null && !Array.isArray(value)

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
