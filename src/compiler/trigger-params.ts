import * as Cel from "../domain/expression/cel.ts"
import * as Template from "../domain/expression/template.ts"
import type { JsonSchema } from "../domain/json-schema.ts"
import { validate } from "../domain/json-value.ts"
import { didYouMean } from "../domain/suggest.ts"
import * as TriggerParams from "../domain/trigger-params.ts"
import { checkValue } from "./check-value.ts"
import type { Definition } from "./definition.ts"
import type { FieldReader } from "./field-reader.ts"
import { type LocatedEntry, entryOf, kindOf, toJson } from "./located.ts"
import type { Span } from "./source.ts"

/** A trigger that gives params their values. */
export interface Trigger {
  /** Of its section in the document, like `schedule`. */
  readonly path: string
  /** Which has `params`. */
  readonly section: LocatedEntry
  /** What its expressions may name. */
  readonly scope: Cel.Scope
  /** What it is and may name, in words: `A schedule's params may name run.tick only.` */
  readonly only: string
  /** What gives a value, in words: `a tick`. */
  readonly giver: string
  /** An example that the trigger has, for trying out what its expressions give; `at` says in words which. */
  readonly sample: { readonly at: string; readonly facts: TriggerParams.Facts } | undefined
}

const typeOf =
  (reader: FieldReader, { only, scope }: Trigger) =>
  (source: string, at: Span, place: string): JsonSchema | undefined => {
    const compiled = Cel.compile(source, scope)
    if (!Cel.isExpressionFault(compiled)) return compiled.type
    const exact = reader.source.text.slice(at.start, at.end) === source
    const span = exact
      ? { start: at.start + compiled.start, end: at.start + Math.max(compiled.end, compiled.start + 1) }
      : at
    const hint = compiled.message.startsWith("There is no ") ? ` ${only}` : ""
    return reader.report(span, place, `${compiled.message}${hint}`)
  }

/** What is wrong with a value: of an expression, for the sample, as its type does not tell of patterns and bounds. */
const faultsOf = (value: unknown, schema: JsonSchema, sample: Trigger["sample"]): ReadonlyArray<string> => {
  if (!Template.hasExpression(JSON.stringify(value))) return validate(value, schema)
  if (sample === undefined) return []
  return TriggerParams.valueOf(value, schema, sample.facts).faults.map((fault) => `${sample.at}, ${fault}`)
}

/**
 * Reads `params` of a trigger: known params, each value fitting its JSON Schema, expressions over what the trigger knows
 * only. Params without a default need a value here. Gives the values with their expressions in the one form of plans.
 */
export const read = (reader: FieldReader, definition: Definition, trigger: Trigger): Record<string, unknown> => {
  const path = `${trigger.path}.params`
  const given = entryOf(trigger.section.value, "params")
  const node = given?.value
  const values: Record<string, unknown> = {}
  if (node !== undefined && node.kind !== "map") {
    reader.report(node.at, path, `params must be a map of values, not ${kindOf(node)}.`)
    return values
  }
  const entries = node?.kind === "map" ? node.entries : []
  const known = [...definition.params.keys()]
  const broken = (name: string) =>
    reader.diagnostics.some((told) => told.path === `params.${name}` || told.path.startsWith(`params.${name}.`))
  for (const { key, keyAt, value } of entries) {
    const place = `${path}.${key}`
    const param = definition.params.get(key)
    if (param === undefined) {
      const has = known.length === 0 ? "The pipeline has no params." : `It has ${known.join(", ")}.`
      reader.report(keyAt, place, `The pipeline has no param "${key}".${didYouMean(key, known)} ${has}`)
      continue
    }
    if (broken(key)) continue
    const before = reader.diagnostics.length
    const hasExpression = Template.hasExpression(JSON.stringify(toJson(value)))
    const planned = hasExpression
      ? checkValue(reader, value, param.schema, place, typeOf(reader, trigger))
      : toJson(value)
    values[key] = planned
    if (reader.diagnostics.length > before) continue
    for (const fault of faultsOf(planned, param.schema, trigger.sample))
      reader.report(value.at, place, `The value does not fit the param ${key}: ${fault}.`)
  }
  for (const [name, { schema }] of definition.params) {
    if (schema.default !== undefined || entries.some(({ key }) => key === name)) continue
    reader.report(
      given?.keyAt ?? trigger.section.keyAt,
      path,
      `The param ${name} has no default, so ${trigger.giver} must give it a value: params: { ${name}: … }.`,
    )
  }
  return values
}
