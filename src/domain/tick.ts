import type { Scope } from "./expression/cel.ts"
import * as Cel from "./expression/cel.ts"
import * as Template from "./expression/template.ts"
import type { JsonSchema } from "./json-schema.ts"
import { validate } from "./json-value.ts"
import { timeText } from "./occurrence.ts"
import * as TimeZone from "./time-zone.ts"

/** `run.tick` in expressions: the nominal time (RFC 3339, UTC), and its date and month on the clocks of the schedule's zone. */
export interface TickFacts {
  readonly time: string
  readonly date: string
  readonly month: string
}

/** What `run.tick` is at a nominal time. */
export const factsOf = (zone: string, at: number): TickFacts => {
  const date = new Date(at + TimeZone.offsetAt(zone, at)).toISOString().slice(0, 10)
  return { time: timeText(at), date, month: date.slice(0, 7) }
}

const record = (properties: Readonly<Record<string, JsonSchema>>): JsonSchema => ({
  type: "object",
  properties,
  required: Object.keys(properties),
})

/** What expressions in the params of a schedule may name. */
export const scope: Scope = {
  run: record({ tick: record({ time: { type: "string" }, date: { type: "string" }, month: { type: "string" } }) }),
}

const evaluate = (source: string, facts: TickFacts): unknown => {
  const compiled = Cel.compile(source, scope)
  if (Cel.isExpressionFault(compiled)) throw new TypeError(`${source}: ${compiled.message}`)
  return compiled.evaluate({ run: { tick: facts } })
}

/** Throws where an expression has no result. */
const filled = (value: unknown, facts: TickFacts): unknown => {
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

/** A scheduled param's value at a tick, expressions replaced, and what is wrong with it by the param's schema. */
export const valueAt = (
  value: unknown,
  schema: JsonSchema,
  facts: TickFacts,
): { readonly value: unknown; readonly faults: ReadonlyArray<string> } => {
  try {
    const found = filled(value, facts)
    return { value: found, faults: validate(found, schema) }
  } catch (cause) {
    return { value: undefined, faults: [(cause as Error).message.split("\n")[0]] }
  }
}
