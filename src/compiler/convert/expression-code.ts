import * as Template from "../../domain/expression/template.ts"
import { type JsonSchema, branches, field, isAny } from "../../domain/json-schema.ts"
import * as Code from "./code.ts"

/** What references of a pipeline stand for in TypeScript. */
export interface Scope {
  readonly params: Readonly<Record<string, JsonSchema>>
  /** Outputs of the tasks whose types are known. */
  readonly outputs: ReadonlyMap<string, JsonSchema>
  /** The constant that a task is held in. */
  readonly constant: (task: string) => string | undefined
  /** The constant that the matrix of the task at hand is held in, and its axes whose type is known. */
  readonly matrix: { readonly constant: string; readonly axes: ReadonlySet<string> } | undefined
  /** Notes that a name of `dandori`, or of the pipeline's function, is used. */
  readonly use: (
    name:
      | "configured"
      | "cron"
      | "each"
      | "expression"
      | "file"
      | "has"
      | "matrix"
      | "tick"
      | "when"
      | "params"
      | "run"
      | "env",
  ) => string
}

/** True when TypeScript knows the type all the way down. */
const isDefinite = (schema: JsonSchema): boolean => {
  if (branches(schema)[0] !== schema) return branches(schema).every(isDefinite)
  if (isAny(schema)) return false
  if (schema.items !== undefined && !isDefinite(schema.items)) return false
  return Object.values(schema.properties ?? {}).every(isDefinite)
}

const scalars = ["string", "integer", "number", "boolean"]

const isTypedParam = (schema: JsonSchema | undefined): boolean =>
  schema !== undefined &&
  (schema.enum !== undefined ||
    scalars.includes(schema.type ?? "") ||
    (schema.type === "array" && schema.items !== undefined && isTypedParam(schema.items)))

const runFacts = ["id", "pipeline", "env", "created", "status"]

const follow = (schema: JsonSchema | undefined, steps: ReadonlyArray<string>): JsonSchema | undefined =>
  steps.reduce((at, step) => (at === undefined ? undefined : field(at, step)), schema)

const ofTask = (scope: Scope, id: string, steps: ReadonlyArray<string>): string | undefined => {
  const output = scope.outputs.get(id)
  const leaf = follow(output, steps)
  const status = steps.length === 1 && steps[0] === "status" && output !== undefined
  if (!status && (steps.length === 0 || leaf === undefined || !isDefinite(leaf))) return undefined
  const constant = scope.constant(id)
  return constant === undefined ? undefined : [constant, ...steps].join(".")
}

/** A plain reference whose type TypeScript knows; undefined for any other expression. */
export const reference = (scope: Scope, source: string): string | undefined => {
  const path = Template.plainReference(source)
  if (path === undefined) return undefined
  const [root, name, ...rest] = path
  if (name === undefined) return undefined
  if (root === "tasks") return ofTask(scope, name, rest)
  if (root === "run" && name === "file") return rest.length === 1 ? `${scope.use("file")}.${rest[0]}` : undefined
  if (root === "run" && name === "tick") return rest.length === 1 ? `${scope.use("tick")}.${rest[0]}` : undefined
  if (rest.length > 0) return undefined
  if (root === "params") return isTypedParam(scope.params[name]) ? `${scope.use("params")}.${name}` : undefined
  if (root === "run") return runFacts.includes(name) ? `${scope.use("run")}.${name}` : undefined
  if (root === "env") return `${scope.use("env")}.${name}`
  const axis = root === "matrix" && scope.matrix?.axes.has(name) === true
  return axis ? `${scope.matrix?.constant}.of.${name}` : undefined
}

/** An expression: a reference where there is one, else its source. */
export const expression = (scope: Scope, source: string): string =>
  reference(scope, source) ?? `${scope.use("expression")}(${Code.string(source)})`

/** A string with what stands in it as TypeScript: a literal, or a template string. */
export const text = (scope: Scope, value: string): string => {
  const parts = Template.hasExpression(value) ? Template.parse(value) : []
  if ("unclosedAt" in parts || parts.length === 0) return Code.string(value)
  const written = parts.map((part) =>
    part._tag === "Text" ? Code.templateText(part.text) : `\${${expression(scope, part.source)}}`,
  )
  return `\`${written.join("")}\``
}

/** A JSON value; a string that is one whole expression becomes that expression. */
export const value = (scope: Scope, given: unknown): Code.Code => {
  if (Array.isArray(given)) return Code.list(given.map((item) => value(scope, item)))
  if (typeof given === "object" && given !== null) {
    return Code.object(Object.entries(given).map(([key, item]) => [key, value(scope, item)]))
  }
  if (typeof given !== "string") return Code.raw(JSON.stringify(given))
  const parts = Template.hasExpression(given) ? Template.parse(given) : []
  const [whole] = "unclosedAt" in parts || parts.length !== 1 ? [] : parts
  return Code.raw(whole?._tag === "Expression" ? expression(scope, whole.source) : text(scope, given))
}

/** A JSON value whose strings stay strings: of settings, which take no references. */
export const setting = (scope: Scope | undefined, given: unknown): Code.Code => {
  if (Array.isArray(given)) return Code.list(given.map((item) => setting(scope, item)))
  if (typeof given === "object" && given !== null) {
    return Code.object(Object.entries(given).map(([key, item]) => [key, setting(scope, item)]))
  }
  if (typeof given !== "string") return Code.raw(JSON.stringify(given))
  return Code.raw(scope === undefined ? Code.string(given) : text(scope, given))
}

const operators: Readonly<Record<string, string>> = { "==": "is", "!=": "isNot", "<": "below", ">": "above" }

/** A literal of CEL that `when(…)` writes as the source has it. */
const literal = (source: string): string | undefined => {
  if (/^"[^"\\]*"$/.test(source)) return Code.string(source.slice(1, -1))
  return source === "true" || source === "false" || String(Number(source)) === source ? source : undefined
}

/** The condition of an `if`: `when(…)` or `has(…)` where they say exactly the same, else its text. */
export const condition = (scope: Scope, given: string): string => {
  const parts = Template.parse(given)
  const [whole] = "unclosedAt" in parts ? [] : parts
  const source = whole?._tag === "Expression" ? whole.source : given.trim()
  const present = /^has\((\S+)\)$/.exec(source)
  const asked = present === null ? undefined : reference(scope, present[1])
  if (asked !== undefined) return `${scope.use("has")}(${asked})`
  const comparison = /^(\S+) (==|!=|<|>) (\S.*)$/.exec(source)
  const right = comparison === null ? undefined : literal(comparison[3])
  const left = comparison === null || right === undefined ? undefined : reference(scope, comparison[1])
  if (comparison === null || left === undefined) return Code.string(source)
  return `${scope.use("when")}(${left}).${operators[comparison[2]]}(${right})`
}
