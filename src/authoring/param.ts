import * as Schema from "effect/Schema"
import * as JsonSchemas from "../domain/json-schema.ts"
import type { JsonSchema } from "../domain/json-schema.ts"
import type { PlainSchema } from "../domain/plain-schema.ts"

/** A param: an Effect Schema, or a JSON Schema as in YAML (`{ type: "string", default: "2025-01" }`). */
export type ParamSchema = PlainSchema<unknown> | JsonSchema

interface Scalars {
  readonly string: string
  readonly integer: number
  readonly number: number
  readonly boolean: boolean
}

/** The type of a param's value in expressions. */
export type ParamValue<P> =
  P extends PlainSchema<infer A>
    ? A
    : P extends { readonly enum: ReadonlyArray<infer A> }
      ? A
      : P extends { readonly type: infer T extends keyof Scalars }
        ? Scalars[T]
        : P extends { readonly type: "array"; readonly items: infer Item }
          ? ReadonlyArray<ParamValue<Item>>
          : unknown

interface Check {
  readonly annotations?: {
    readonly representation?: {
      readonly id?: string
      readonly payload?: { readonly source: string; readonly flags: string }
    }
    readonly toJsonSchema?: (context: { readonly type: string | undefined }) => unknown
  }
}

const pattern = (check: Check): string | undefined => {
  const representation = check.annotations?.representation
  const { payload } = representation ?? {}
  return representation?.id === "effect/schema/isPattern" && payload !== undefined && /^u?$/.test(payload.flags)
    ? payload.source
    : undefined
}

const lossy = (check: Check, type: string | undefined): boolean => {
  const exported = check.annotations?.toJsonSchema?.({ type })
  const kept: unknown = Array.isArray(exported) ? exported[0] : exported
  return typeof kept !== "object" || kept === null || Object.keys(kept).length === 0
}

/** Without names, and without the bounds that every integer has. */
const plain = (schema: JsonSchema): JsonSchema =>
  Object.fromEntries(
    Object.entries(schema).flatMap(([key, item]) => {
      if (key === "x-name") return []
      if (key === "minimum" && item === Number.MIN_SAFE_INTEGER) return []
      if (key === "maximum" && item === Number.MAX_SAFE_INTEGER) return []
      if (key === "properties") {
        const properties = Object.entries(item as Record<string, JsonSchema>)
        return [[key, Object.fromEntries(properties.map(([name, node]) => [name, plain(node)]))]]
      }
      return [[key, key === "items" ? plain(item as JsonSchema) : item]]
    }),
  )

/**
 * The JSON Schema of a param as the pipeline document holds it. Throws a `TypeError` when a check of the Schema has no
 * form in JSON Schema, as it would not be kept.
 */
export const jsonSchemaOf = (name: string, param: ParamSchema): JsonSchema => {
  if (!Schema.isSchema(param)) return param as JsonSchema
  const checks = (param.ast.checks ?? []) as ReadonlyArray<Check>
  const schema = plain(JsonSchemas.ofSchema(param))
  const patterns = checks.flatMap((check) => pattern(check) ?? [])
  if (patterns.length > 1 || checks.some((check) => pattern(check) === undefined && lossy(check, schema.type))) {
    throw new TypeError(
      `The param ${name} has a check that JSON Schema cannot hold. Use one pattern, lengths and bounds, or check it in a task.`,
    )
  }
  return { ...schema, ...(patterns.length === 1 ? { pattern: patterns[0] } : {}) }
}
