import * as JsonSchemas from "../domain/json-schema.ts"
import type { JsonSchema } from "../domain/json-schema.ts"

/** What stands under a name in the schema's definitions. */
export const definition = (name: string): JsonSchema => ({ $ref: `#/$defs/${name}` })
const expression = definition("expression")
const either = (schema: JsonSchema): JsonSchema => ({ anyOf: [schema, expression] })
/** A name as a key of the definitions. */
export const nameOf = (text: string): string => text.replace(/[^A-Za-z0-9_.-]/g, "_")

/** A node without the names that only we read. */
const bare = (node: unknown): unknown => {
  if (Array.isArray(node)) return node.map(bare)
  if (typeof node !== "object" || node === null) return node
  return Object.fromEntries(
    Object.entries(node).flatMap(([key, item]) => (key === "x-name" ? [] : [[key, bare(item)]])),
  )
}

const quantities: Readonly<Record<string, string>> = { Duration: "duration", Size: "size" }

/** An input's schema with expressions allowed in place of every value; types with a name become definitions. */
export class InputSchemas {
  readonly definitions: Record<string, JsonSchema> = {}

  of(schema: JsonSchema): JsonSchema {
    const name = schema["x-name"]
    if (name === undefined) return this.inline(schema)
    const described = schema.description === undefined ? {} : { description: schema.description }
    const quantity = quantities[name]
    if (quantity !== undefined) return { ...described, ...either(definition(quantity)) }
    if (/^(Checked|Gated)</.test(name)) {
      return { ...described, ...expression, $comment: `${name}: only the output of a gate` }
    }
    if (name === "SecretReference") return { ...described, ...definition("secret") }
    const key = `type.${nameOf(name)}`
    if (this.definitions[key] === undefined) {
      this.definitions[key] = {}
      const { description: _, ...plain } = schema
      this.definitions[key] = this.inline(plain)
    }
    return { ...described, ...definition(key) }
  }

  private inline(schema: JsonSchema): JsonSchema {
    const { "x-name": _, description, ...rest } = schema
    const described = description === undefined ? {} : { description }
    const nodes = bare(rest) as Record<string, unknown>
    if (JsonSchemas.isAny(rest)) return { ...described, ...nodes }
    const fields = rest.properties
    if (fields !== undefined) nodes.properties = this.fields(fields)
    if (typeof rest.additionalProperties === "object") nodes.additionalProperties = this.of(rest.additionalProperties)
    if (rest.items !== undefined) nodes.items = this.of(rest.items)
    for (const key of ["anyOf", "oneOf", "prefixItems"] as const) {
      const list = rest[key]
      if (list !== undefined) nodes[key === "oneOf" ? "anyOf" : key] = list.map((node) => this.of(node))
      if (key === "oneOf") delete nodes.oneOf
    }
    return { ...described, ...either(nodes) }
  }

  fields(fields: Readonly<Record<string, JsonSchema>>): Record<string, JsonSchema> {
    return Object.fromEntries(Object.entries(fields).map(([key, node]) => [key, this.of(node)]))
  }

  /** The schema of `with` of a task type. Its own keys are literal. */
  root(schema: JsonSchema): JsonSchema {
    const { "x-name": _, ...rest } = schema
    if (rest.properties === undefined) return { type: "object" }
    return { ...rest, type: "object", properties: this.fields(rest.properties) }
  }
}
