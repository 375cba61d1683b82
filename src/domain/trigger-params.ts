import type { Scope } from "./expression/cel.ts"
import * as Cel from "./expression/cel.ts"
import * as Template from "./expression/template.ts"
import type { JsonSchema } from "./json-schema.ts"
import { validate } from "./json-value.ts"

/** What a trigger knows of what set it off: the types for expressions, and the values. */
export interface Facts {
  readonly scope: Scope
  readonly values: Readonly<Record<string, unknown>>
}

const evaluate = (source: string, { scope, values }: Facts): unknown => {
  const compiled = Cel.compile(source, scope)
  if (Cel.isExpressionFault(compiled)) throw new TypeError(`${source}: ${compiled.message}`)
  return compiled.evaluate(values)
}

/** Throws where an expression has no result. */
const filled = (value: unknown, facts: Facts): unknown => {
  if (typeof value === "string" && Template.hasExpression(value)) {
    const parts = Template.parse(value)
    if ("unclosedAt" in parts) return value
    const [first] = parts
    if (parts.length === 1 && first._tag === "Expression") return evaluate(first.source, facts)
    return parts
      .map((part) => {
        if (part._tag === "Text") return part.text
        const found = evaluate(part.source, facts)
        return typeof found === "string" ? found : JSON.stringify(found)
      })
      .join("")
  }
  if (Array.isArray(value)) return value.map((item) => filled(item, facts))
  if (typeof value !== "object" || value === null) return value
  return Object.fromEntries(Object.entries(value).map(([key, item]) => [key, filled(item, facts)]))
}

/** A param's value with expressions replaced by what they give, and what is wrong with it by the param's schema. */
export const valueOf = (
  value: unknown,
  schema: JsonSchema,
  facts: Facts,
): { readonly value: unknown; readonly faults: ReadonlyArray<string> } => {
  try {
    const found = filled(value, facts)
    return { value: found, faults: validate(found, schema) }
  } catch (cause) {
    return { value: undefined, faults: [(cause as Error).message.split("\n")[0]] }
  }
}

/** The params of a run that a trigger starts, and what is wrong with them, if anything is. */
export interface TriggerParams {
  readonly values: Readonly<Record<string, unknown>>
  readonly faults: ReadonlyArray<string>
}

/** The params of a plan (`schemas`): those that the trigger gives, the others by default. */
export const all = (
  schemas: Readonly<Record<string, JsonSchema>>,
  given: Readonly<Record<string, unknown>>,
  facts: Facts,
): TriggerParams => {
  const values: Record<string, unknown> = {}
  const faults: Array<string> = []
  for (const [name, schema] of Object.entries(schemas)) {
    if (!Object.hasOwn(given, name)) {
      values[name] = schema.default
      continue
    }
    const found = valueOf(given[name], schema, facts)
    values[name] = found.value
    faults.push(...found.faults.map((fault) => `${name}: ${fault}`))
  }
  return { values, faults }
}
