import { gateHint } from "../domain/assignable.ts"
import * as Template from "../domain/expression/template.ts"
import { type JsonSchema, isAny } from "../domain/json-schema.ts"

/** Whether a value is plain. */
type Test = (value: unknown) => boolean

const isFields = (value: unknown): value is Readonly<Record<string, unknown>> =>
  typeof value === "object" && value !== null && !Array.isArray(value)

const isText: Test = (value) => typeof value === "string" && !Template.hasExpression(value)

const never: Test = () => false

const anything: Test = (value) => {
  if (typeof value === "string") return isText(value)
  if (Array.isArray(value)) return value.every(anything)
  if (!isFields(value)) return value !== undefined
  for (const key of Object.keys(value)) if (Template.hasExpression(key) || !anything(value[key])) return false
  return true
}

const listTest = ({ items = {}, prefixItems = [] }: JsonSchema): Test => {
  const [first, rest] = [prefixItems.map((one) => testOf(one)), testOf(items)]
  return (value) => {
    if (!Array.isArray(value)) return false
    for (let i = 0; i < value.length; i++) if (!(first[i] ?? rest)(value[i])) return false
    return true
  }
}

const mapTest = ({ additionalProperties, properties = {}, required = [] }: JsonSchema): Test => {
  const known = new Map(Object.entries(properties).map(([key, schema]) => [key, testOf(schema)]))
  const further = typeof additionalProperties === "object" ? testOf(additionalProperties) : undefined
  const other = further ?? (known.size === 0 && additionalProperties !== false ? anything : undefined)
  return (value) => {
    if (!isFields(value)) return false
    for (const key of required) if (!Object.hasOwn(value, key)) return false
    for (const key of Object.keys(value)) {
      const test = known.get(key) ?? (Template.hasExpression(key) ? undefined : other)
      if (test === undefined || !test(value[key])) return false
    }
    return true
  }
}

const scalarTest = ({ type }: JsonSchema): Test => {
  if (type === "string") return isText
  if (type === "integer") return Number.isInteger
  if (type === "number") return (value) => typeof value === "number"
  if (type === "null") return (value) => value === null
  if (type === "boolean") return (value) => typeof value === "boolean"
  return never
}

const made = new WeakMap<JsonSchema, Test>()

const makeTest = (schema: JsonSchema): Test => {
  const { anyOf, oneOf, type } = schema
  const name = schema["x-name"]
  if (gateHint(schema) !== undefined || anyOf !== undefined || oneOf !== undefined) return never
  // A type that is named again within itself is not written out there.
  if (isAny(schema)) return name === undefined && schema.allOf === undefined ? anything : never
  if (type === "array") return listTest(schema)
  if (type === "object") return mapTest(schema)
  if (name === "Duration" || name === "Size") return never
  const allowed = schema.enum ?? (schema.const === undefined ? undefined : [schema.const])
  if (allowed !== undefined) return (value) => allowed.includes(value) && (typeof value !== "string" || isText(value))
  return scalarTest(schema)
}

const testOf = (schema: JsonSchema): Test => {
  const test = made.get(schema) ?? makeTest(schema)
  made.set(schema, test)
  return test
}

/**
 * True for an input that has no expression, fits its type and is written as plans hold it, so that it is the value of
 * the plan. What is not may still be right: `checkValue` tells.
 */
export const isPlain = (value: unknown, schema: JsonSchema): boolean => testOf(schema)(value)
