import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import type { JsonSchema } from "../domain/json-schema.ts"
import { fromText } from "../domain/json-value.ts"
import * as ParamValues from "../domain/param-values.ts"
import type { Plan } from "../domain/plan.ts"

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
  const unwritten: Array<string> = []
  const written: Array<readonly [string, unknown]> = []
  for (const text of given) {
    const [name, ...rest] = text.split("=")
    if (rest.length === 0) unwritten.push(`${text}: write it as NAME=VALUE`)
    else written.push([name, Object.hasOwn(schemas, name) ? fromText(rest.join("="), schemas[name]) : undefined])
  }
  const found = ParamValues.complete(plan.params, Object.fromEntries(written))
  const problems = [...unwritten, ...found.problems]
  return problems.length === 0
    ? Effect.succeed({ ...found.values })
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
