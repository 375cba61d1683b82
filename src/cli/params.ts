import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import type { JsonSchema } from "../domain/json-schema.ts"
import { fromText, validate } from "../domain/json-value.ts"
import type { Plan } from "../domain/plan.ts"
import { didYouMean } from "../domain/suggest.ts"

/** Params that do not fit the pipeline's schemas: all of them at once. */
export class ParamsInvalid extends Schema.TaggedError<ParamsInvalid>()("ParamsInvalid", {
  pipeline: Schema.String,
  problems: Schema.Array(Schema.String),
}) {
  override get message() {
    return this.problems.map((problem) => `--param ${problem}`).join("\n")
  }
}

/** A variable that the pipeline declares is not set. */
export class EnvironmentMissing extends Schema.TaggedError<EnvironmentMissing>()("EnvironmentMissing", {
  pipeline: Schema.String,
  names: Schema.Array(Schema.String),
}) {
  override get message() {
    return `The pipeline ${this.pipeline} declares ${this.names.join(", ")} in "env", but the environment has no such variable. Set it and run again`
  }
}

/** The values of a plan's params: given ones checked against their schemas, the others by default. */
export const resolve = (
  plan: Plan,
  given: ReadonlyArray<string>,
): Effect.Effect<Record<string, unknown>, ParamsInvalid> => {
  const schemas = plan.params as Readonly<Record<string, JsonSchema>>
  const problems: Array<string> = []
  const values: Record<string, unknown> = {}
  for (const [name, schema] of Object.entries(schemas)) if (schema.default !== undefined) values[name] = schema.default
  for (const text of given) {
    const [name, ...rest] = text.split("=")
    const schema = Object.hasOwn(schemas, name) ? schemas[name] : undefined
    if (rest.length === 0) problems.push(`${text}: write it as NAME=VALUE`)
    else if (schema === undefined) {
      const known = Object.keys(schemas)
      const has = known.length === 0 ? "has no params" : `has ${known.join(", ")}`
      problems.push(`${name}: the pipeline ${has}.${didYouMean(name, known)}`)
    } else {
      values[name] = fromText(rest.join("="), schema)
      problems.push(...validate(values[name], schema).map((fault) => `${name}: ${fault}`))
    }
  }
  for (const name of Object.keys(schemas)) {
    if (!(name in values) && !given.some((text) => text.startsWith(`${name}=`)))
      problems.push(`${name}: is missing and has no default`)
  }
  return problems.length === 0
    ? Effect.succeed(values)
    : Effect.fail(new ParamsInvalid({ pipeline: plan.id, problems }))
}

/** The declared variables with their values. */
export const environment = (
  plan: Plan,
  variables: Readonly<Record<string, string | undefined>>,
): Effect.Effect<Record<string, string>, EnvironmentMissing> => {
  const names = plan.env.filter((name) => variables[name] === undefined)
  return names.length > 0
    ? Effect.fail(new EnvironmentMissing({ pipeline: plan.id, names }))
    : Effect.succeed(Object.fromEntries(plan.env.map((name) => [name, variables[name] ?? ""])))
}
