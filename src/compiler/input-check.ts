import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import type * as Schema from "effect/Schema"
import type * as SchemaAST from "effect/SchemaAST"
import * as SchemaIssue from "effect/SchemaIssue"
import * as SchemaParser from "effect/SchemaParser"
import * as Template from "../domain/expression/template.ts"
import * as Matrices from "../domain/matrix.ts"
import type { Matrix } from "../domain/plan.ts"
import type { AnyTaskType } from "../domain/task-type.ts"
import type { TaskDefinition } from "./task-definition.ts"
import type { FieldReader } from "./field-reader.ts"
import { type Located, get } from "./located.ts"

interface Context {
  readonly task: TaskDefinition
  readonly type: AnyTaskType | undefined
}

const format = SchemaIssue.makeFormatterStandardSchemaV1()

type Decoder = Schema.Codec<unknown, unknown>

/** True for a value without an expression in it. */
export const isLiteral = (value: unknown): boolean => !Template.hasExpression(JSON.stringify(value))

/** Compiles the decoders of task types' inputs before they are first used: worth its time where many tasks are checked. */
export const compileDecoders = Effect.fnUntraced(function* (types: Iterable<AnyTaskType | undefined>) {
  const { enable } = yield* Effect.promise(() => import("effect/schema/SchemaJITCompiler"))
  for (const type of types) if (type !== undefined) enable(type.input.ast)
})

/** Gives the decoder of a schema, made once. */
const decoding = (options?: SchemaAST.ParseOptions) => {
  const decoders = new WeakMap<Decoder, (value: unknown) => Exit.Exit<unknown, SchemaIssue.Issue>>()
  return (schema: Decoder) => {
    const known = decoders.get(schema)
    if (known !== undefined) return known
    const made = SchemaParser.decodeUnknownExit(schema, options)
    decoders.set(schema, made)
    return made
  }
}

const decoderOf = decoding({ errors: "all", onExcessProperty: "error" })
/** Says no more than whether something is wrong. */
const quickDecoderOf = decoding()

/** True for an input with no unknown keys and no expressions where the Schema has nothing against it. */
export const isFaultless = (type: AnyTaskType, given: unknown): boolean =>
  !("fields" in type.input) || Exit.isSuccess(quickDecoderOf(type.input as Decoder)(given))

const faults = (schema: Decoder, value: unknown) => {
  const exit = decoderOf(schema)(value)
  if (Exit.isSuccess(exit)) return []
  return exit.cause.reasons.flatMap((reason) => (reason._tag === "Fail" ? format(reason.error).issues : []))
}

/** What the Schema itself says of literal inputs (patterns, filters): the JSON Schema cannot tell all of it. */
export const checkLiterals = (
  reader: FieldReader,
  context: Context,
  given: Record<string, unknown>,
  before: number,
): void => {
  const { task, type } = context
  if (type === undefined || !("fields" in type.input)) return
  const report = (schema: Decoder, value: unknown, prefix: ReadonlyArray<string>) => {
    for (const issue of faults(schema, value)) {
      const steps = [...prefix, ...(issue.path ?? []).map(String)]
      const place = task.with === undefined ? undefined : locate(task.with, steps)
      const path = [`${task.path}.with`, ...steps].join(".")
      reader.report(place?.at ?? task.at, path, `${[...steps.slice(0, 1), issue.message].join(": ")}.`)
    }
  }
  const told = reader.diagnostics.slice(before).map(({ path }) => path)
  if (told.length === 0 && isLiteral(given)) return report(type.input as Decoder, given, [])
  const fields = type.input.fields as Record<string, Decoder>
  for (const [key, value] of Object.entries(given)) {
    if (fields[key] === undefined || !isLiteral(value)) continue
    if (!told.some((path) => path.startsWith(`${task.path}.with.${key}`))) report(fields[key], value, [key])
  }
}

/** The node at a path below another one, or the deepest on the way. */
export const locate = (node: Located | undefined, path: ReadonlyArray<unknown>): Located | undefined => {
  let at = node
  for (const step of path) {
    const next = at?.kind === "list" ? at.items[Number(step)] : at === undefined ? undefined : get(at, String(step))
    if (next === undefined) return at
    at = next
  }
  return at
}

/** A value with the values of a combination in place of plain references to them. */
const filled = (value: unknown, combination: Matrices.Combination): unknown => {
  if (Array.isArray(value)) return value.map((item) => filled(item, combination))
  if (typeof value === "object" && value !== null) {
    return Object.fromEntries(Object.entries(value).map(([key, item]) => [key, filled(item, combination)]))
  }
  if (typeof value !== "string" || !Template.hasExpression(value)) return value
  const parts = Template.parse(value)
  if ("unclosedAt" in parts) return value
  const known = parts.map((part) => {
    if (part._tag === "Text") return part.text
    const [root, axis, ...rest] = Template.plainReference(part.source) ?? []
    return root === "matrix" && axis !== undefined && rest.length === 0 ? combination[axis] : undefined
  })
  if (known.includes(undefined)) return value
  return known.length === 1
    ? known[0]
    : known.map((one) => (typeof one === "string" ? one : JSON.stringify(one))).join("")
}

/** Combinations of a matrix whose inputs are tried when it is compiled. */
const mostTried = 200

/** What the Schema says of inputs that a literal matrix fills: a value that none of its instances could take is told once. */
export const checkCombinations = (
  reader: FieldReader,
  { task, type }: Context,
  given: Record<string, unknown>,
  matrix: Matrix,
): void => {
  if (type === undefined || !("fields" in type.input) || Object.keys(Matrices.openValues(matrix)).length > 0) return
  const fields = type.input.fields as Record<string, Decoder>
  const told = new Set<string>()
  for (const combination of Matrices.combinations(matrix, Matrices.literalValues(matrix)).slice(0, mostTried)) {
    for (const [key, value] of Object.entries(given)) {
      const own = isLiteral(value) ? undefined : filled(value, combination)
      if (fields[key] === undefined || own === undefined || !isLiteral(own)) continue
      for (const { message } of faults(fields[key], own)) {
        const shown = JSON.stringify(own).slice(0, 80)
        if (told.has(`${key} ${shown}`)) continue
        told.add(`${key} ${shown}`)
        const at = locate(task.with, [key])?.at ?? task.at
        reader.report(at, `${task.path}.with.${key}`, `${key}: ${message}; an instance of the matrix has ${shown}.`)
      }
    }
  }
}
