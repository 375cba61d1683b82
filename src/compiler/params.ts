import type { JsonSchema } from "../domain/json-schema.ts"
import { validate } from "../domain/json-value.ts"
import { didYouMean } from "../domain/suggest.ts"
import type { Definition } from "./definition.ts"
import type { FieldReader } from "./field-reader.ts"
import { get } from "./located.ts"

const types = ["string", "integer", "number", "boolean", "array", "object"]
const text: JsonSchema = { type: "string" }
const count: JsonSchema = { type: "integer", minimum: 0 }
const number: JsonSchema = { type: "number" }

/** The keywords of JSON Schema that params take: what each holds, and words for people. */
export const keywords: Readonly<Record<string, { readonly type?: JsonSchema; readonly words: string }>> = {
  type: { type: { enum: types }, words: "what kind of value it is" },
  enum: { type: { type: "array" }, words: "the values that it may have" },
  const: { words: "the one value that it may have" },
  default: { words: "its value where none is given" },
  description: { type: text, words: "for people; no part of the plan" },
  title: { type: text, words: "for people; no part of the plan" },
  examples: { type: { type: "array" }, words: "for people; no part of the plan" },
  pattern: { type: text, words: "a regular expression that text must match" },
  format: { type: text, words: "what the text is, for people and tools; not checked" },
  minLength: { type: count, words: "fewest characters" },
  maxLength: { type: count, words: "most characters" },
  minimum: { type: number, words: "smallest value" },
  maximum: { type: number, words: "largest value" },
  exclusiveMinimum: { type: number, words: "it must be larger than this" },
  exclusiveMaximum: { type: number, words: "it must be smaller than this" },
  multipleOf: { type: number, words: "it must be a multiple of this" },
  items: { type: { type: "object" }, words: "the JSON Schema of each item of a list" },
  minItems: { type: count, words: "fewest items" },
  maxItems: { type: count, words: "most items" },
  uniqueItems: { type: { type: "boolean" }, words: "no two items are equal" },
  properties: { type: { type: "object" }, words: "the JSON Schema of each field" },
  required: { type: { type: "array", items: text }, words: "fields that must be there" },
  additionalProperties: { words: "false: no other fields; or the JSON Schema of those" },
}

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
      if (Object.hasOwn(keywords, key)) continue
      reader.report(
        keyAt,
        `${path}.${key}`,
        `"${key}" is no keyword of JSON Schema that params take.${didYouMean(key, Object.keys(keywords))}`,
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
