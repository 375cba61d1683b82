import type { JsonSchema } from "../domain/json-schema.ts"
import { validate } from "../domain/json-value.ts"
import { didYouMean } from "../domain/suggest.ts"
import type { Definition } from "./definition.ts"
import type { FieldReader } from "./field-reader.ts"
import { get } from "./located.ts"

const types = ["string", "integer", "number", "boolean", "array", "object"]
const keywords = [
  "type",
  "enum",
  "const",
  "default",
  "description",
  "title",
  "examples",
  "pattern",
  "format",
  "minLength",
  "maxLength",
  "minimum",
  "maximum",
  "exclusiveMinimum",
  "exclusiveMaximum",
  "multipleOf",
  "items",
  "minItems",
  "maxItems",
  "uniqueItems",
  "properties",
  "required",
  "additionalProperties",
]

/** What of a param's schema is part of the plan: all but the words for people. */
export const meaning = (schema: JsonSchema): JsonSchema => {
  const { description: _, title: __, examples: ___, ...rest } = schema
  return rest
}

/** Checks the params' own JSON Schemas, their defaults among them. */
export const check = (reader: FieldReader, definition: Definition): void => {
  for (const [name, { schema, node }] of definition.params) {
    const path = `params.${name}`
    if (node.kind !== "map") continue
    for (const { key, keyAt } of node.entries) {
      if (keywords.includes(key)) continue
      reader.report(
        keyAt,
        `${path}.${key}`,
        `"${key}" is no keyword of JSON Schema that params take.${didYouMean(key, keywords)}`,
      )
    }
    if (schema.type === undefined && schema.enum === undefined && schema.const === undefined) {
      reader.report(node.at, path, `The param ${name} has no type. Give it one of ${types.join(", ")}.`)
      continue
    }
    if (schema.type !== undefined && !types.includes(schema.type)) {
      const at = get(node, "type")?.at ?? node.at
      reader.report(
        at,
        `${path}.type`,
        `"${schema.type}" is no type.${didYouMean(String(schema.type), types)} Known: ${types.join(", ")}.`,
      )
      continue
    }
    if (typeof schema.pattern === "string" && !isPattern(schema.pattern)) {
      reader.report(get(node, "pattern")?.at ?? node.at, `${path}.pattern`, "This is no regular expression.")
      continue
    }
    if (schema.default === undefined) continue
    for (const fault of validate(schema.default, schema)) {
      reader.report(
        get(node, "default")?.at ?? node.at,
        `${path}.default`,
        `The default does not fit the schema: ${fault}.`,
      )
    }
  }
}

const isPattern = (text: string): boolean => {
  try {
    RegExp(text, "u")
    return true
  } catch {
    return false
  }
}
