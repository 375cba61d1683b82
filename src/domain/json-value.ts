import { type JsonSchema, describe, field } from "./json-schema.ts"

const typeOf = (value: unknown): string => (value === null ? "null" : Array.isArray(value) ? "array" : typeof value)

const numberFaults = (value: number, schema: JsonSchema): ReadonlyArray<string> => {
  if (!Number.isFinite(value)) return ["Infinity and NaN are no values of JSON"]
  if (schema.type === "integer" && !Number.isSafeInteger(value)) {
    return [`${value} is beyond 2^53, where whole numbers lose digits`]
  }
  const faults: Array<string> = []
  const bound = (key: string, ok: (limit: number) => boolean, words: string) => {
    const limit = schema[key]
    if (typeof limit === "number" && !ok(limit)) faults.push(`${value} must be ${words} ${limit}`)
  }
  bound("minimum", (limit) => value >= limit, "at least")
  bound("maximum", (limit) => value <= limit, "at most")
  bound("exclusiveMinimum", (limit) => value > limit, "more than")
  bound("exclusiveMaximum", (limit) => value < limit, "less than")
  bound("multipleOf", (limit) => Number.isInteger(value / limit), "a multiple of")
  return faults
}

const textFaults = (value: string, schema: JsonSchema): ReadonlyArray<string> => {
  if (!value.isWellFormed()) return ["it holds half a character (a lone surrogate)"]
  const faults: Array<string> = []
  const length = [...value].length
  if (typeof schema.minLength === "number" && length < schema.minLength)
    faults.push(`at least ${schema.minLength} characters`)
  if (typeof schema.maxLength === "number" && length > schema.maxLength)
    faults.push(`at most ${schema.maxLength} characters`)
  if (typeof schema.pattern === "string" && !new RegExp(schema.pattern, "u").test(value)) {
    faults.push(`${JSON.stringify(value)} does not match ${schema.pattern}`)
  }
  return faults
}

/**
 * What is wrong with a JSON value by the JSON Schema keywords that params may use (2020-12, validation vocabulary).
 * Empty when nothing is.
 */
export const validate = (value: unknown, schema: JsonSchema, path = ""): ReadonlyArray<string> => {
  const say = (faults: ReadonlyArray<string>) => faults.map((fault) => (path === "" ? fault : `${path}: ${fault}`))
  if (schema.const !== undefined && value !== schema.const) return say([`must be ${JSON.stringify(schema.const)}`])
  if (schema.enum !== undefined && !schema.enum.includes(value)) {
    return say([`${JSON.stringify(value)} is none of ${describe(schema)}`])
  }
  const type = typeOf(value)
  if (schema.type !== undefined) {
    const ok = schema.type === type || (type === "number" && schema.type === "integer" && Number.isInteger(value))
    if (!ok) return say([`${JSON.stringify(value)} is no ${schema.type}`])
  }
  if (typeof value === "number") return say(numberFaults(value, schema))
  if (typeof value === "string") return say(textFaults(value, schema))
  if (Array.isArray(value)) {
    const faults: Array<string> = []
    if (typeof schema.minItems === "number" && value.length < schema.minItems)
      faults.push(`at least ${schema.minItems} items`)
    if (typeof schema.maxItems === "number" && value.length > schema.maxItems)
      faults.push(`at most ${schema.maxItems} items`)
    if (schema.uniqueItems === true && new Set(value.map((item) => JSON.stringify(item))).size < value.length) {
      faults.push("items must differ")
    }
    return [...say(faults), ...value.flatMap((item, i) => validate(item, schema.items ?? {}, `${path}[${i}]`))]
  }
  if (typeof value === "object" && value !== null) {
    const fields = value as Record<string, unknown>
    const missing = (schema.required ?? [])
      .filter((key) => !Object.hasOwn(fields, key))
      .map((key) => `${key} is missing`)
    const inner = Object.entries(fields).flatMap(([key, item]) => {
      const place = path === "" ? key : `${path}.${key}`
      const node = field(schema, key)
      if (node !== undefined) return validate(item, node, place)
      if (typeof schema.additionalProperties === "object") return validate(item, schema.additionalProperties, place)
      return schema.additionalProperties === false ? [`${place}: there is no such field`] : []
    })
    return [...say(missing), ...inner]
  }
  return []
}

/** A param's text from a command line as the value its schema wants: numbers, booleans and JSON are read, text stays. */
export const fromText = (text: string, schema: JsonSchema): unknown => {
  if (
    schema.type === "string" ||
    (schema.type === undefined && schema.enum?.every((value) => typeof value === "string"))
  ) {
    return text
  }
  try {
    return JSON.parse(text)
  } catch {
    return text
  }
}
