import type { JsonSchema } from "./json-schema.ts"
import { validate } from "./json-value.ts"
import { didYouMean } from "./suggest.ts"

/** The values that a run gets, and all that is wrong with what was given for them. */
export interface ParamValues {
  readonly values: Readonly<Record<string, unknown>>
  readonly problems: ReadonlyArray<string>
}

/** What there is to say of a param that a pipeline does not have. */
export const unknownParam = (name: string, known: ReadonlyArray<string>): string => {
  const has = known.length === 0 ? "has no params" : `has ${known.join(", ")}`
  return `${name}: the pipeline ${has}.${didYouMean(name, known)}`
}

/** The values of a plan's params: given ones checked against their schemas, the others by default. */
export const complete = (
  params: Readonly<Record<string, unknown>>,
  given: Readonly<Record<string, unknown>>,
): ParamValues => {
  const schemas = params as Readonly<Record<string, JsonSchema>>
  const known = Object.keys(schemas)
  const values: Record<string, unknown> = {}
  const problems: Array<string> = []
  for (const [name, schema] of Object.entries(schemas)) if (schema.default !== undefined) values[name] = schema.default
  for (const [name, value] of Object.entries(given)) {
    if (!Object.hasOwn(schemas, name)) problems.push(unknownParam(name, known))
    else {
      values[name] = value
      problems.push(...validate(value, schemas[name]).map((fault) => `${name}: ${fault}`))
    }
  }
  for (const name of known) if (!Object.hasOwn(values, name)) problems.push(`${name}: is missing and has no default`)
  return { values, problems }
}
