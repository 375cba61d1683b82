import type { ASTNode } from "@marcbachmann/cel-js"
import type { JsonSchema } from "../json-schema.ts"
import * as JsonSchemas from "../json-schema.ts"
import { didYouMean } from "../suggest.ts"
import { isNode, pathOf } from "./ast.ts"
import { celLibrary } from "./cel-library.ts"
import { TypeRegistry, schemaOf, toJson } from "./cel-values.ts"
import * as Functions from "./functions.ts"
import * as Guards from "./guards.ts"
import { type ExpressionFault, type Scope, follow, isFault, lookup, realPath } from "./paths.ts"
import { plainReference } from "./template.ts"

export type { Scope }

/** A type-checked expression. */
export interface Expression {
  readonly source: string
  readonly type: JsonSchema
  /** Paths of the fields that it reads, e.g. `["tasks", "train", "model"]`. */
  readonly references: ReadonlyArray<ReadonlyArray<string>>
  /** Of each reference: what the expression has made certain where it stands. */
  readonly known: ReadonlyArray<Guards.Known>
  /** What is certain where the expression is true. */
  readonly whereTrue: Guards.Known
  /** References that stand inside `has(…)`. */
  readonly guarded: ReadonlyArray<ReadonlyArray<string>>
  /** The value as JSON. Throws when a field is absent or an operation has no result. */
  readonly evaluate: (values: Readonly<Record<string, unknown>>) => unknown
}

/** Longest expression, in characters: its parser goes as deep as it is long. */
const longest = 10_000

const environmentFor = (scope: Scope, roots: ReadonlySet<string>) => {
  const { Environment } = celLibrary()
  const environment = new Environment({ homogeneousAggregateLiterals: false })
  Functions.register(environment)
  const mixed: ReadonlyArray<readonly [string, (a: number, b: number) => number | boolean]> = [
    ["+", (a, b) => a + b],
    ["-", (a, b) => a - b],
    ["*", (a, b) => a * b],
    ["/", (a, b) => a / b],
    ["==", (a, b) => a === b],
  ]
  for (const [operator, apply] of mixed) {
    const handler = (a: bigint | number, b: bigint | number) => apply(Number(a), Number(b))
    const result = operator === "==" ? "bool" : "double"
    environment.registerOperator(`int ${operator} double: ${result}`, handler)
    if (operator !== "==") environment.registerOperator(`double ${operator} int: ${result}`, handler)
  }
  const registry = new TypeRegistry(environment)
  const converters: Record<string, (value: unknown) => unknown> = {}
  for (const root of roots) {
    if (scope[root] === undefined) continue
    const type = registry.register(scope[root])
    environment.registerVariable(root, type.name)
    converters[root] = type.convert
  }
  return { environment, registry, converters }
}

/** Keeps of a scope only what the paths lead through, so that an expression's types are few however many tasks there are. */
const narrow = (schema: JsonSchema, rests: ReadonlyArray<ReadonlyArray<string>>): JsonSchema => {
  if (rests.some((rest) => rest.length === 0) || schema.properties === undefined) return schema
  const kept = new Set(rests.map((rest) => rest[0]))
  const properties = Object.fromEntries(
    [...kept].flatMap((key) => {
      const node = JsonSchemas.field(schema, key)
      if (node === undefined) return []
      return [
        [
          key,
          narrow(
            node,
            rests.filter((rest) => rest[0] === key).map((rest) => rest.slice(1)),
          ),
        ],
      ]
    }),
  )
  return { ...schema, properties }
}

const friendly = (message: string): string => {
  const line = Functions.plain(message.split("\n")[0].trim())
  return line
    .replace(/^No such key: (.*)$/, 'There is no field "$1".')
    .replace(/^Unknown variable: (.*)$/, 'There is no "$1" here.')
    .replace(
      /^no such overload: (\S+ \S+ \S+)$/,
      "$1 is not possible. Make both one type, by string(…), int(…) or double(…).",
    )
}

/** Literal-checks `x == "…"` and `x in ["…"]` where x has an enum: a value that x never has is a mistake. */
const wrongLiteral = (scope: Scope, node: ASTNode): string | undefined => {
  if (node.op !== "==" && node.op !== "!=" && node.op !== "in") return undefined
  const [left, right] = node.args as [ASTNode, ASTNode]
  const pairs: ReadonlyArray<readonly [ASTNode, ASTNode]> =
    node.op !== "in"
      ? [
          [left, right],
          [right, left],
        ]
      : right.op === "list"
        ? (right.args as ReadonlyArray<ASTNode>).map((item) => [left, item])
        : []
  for (const [reference, literal] of pairs) {
    const path = isNode(reference) ? pathOf(reference) : undefined
    if (path === undefined || !isNode(literal) || literal.op !== "value" || typeof literal.args !== "string") continue
    const type = follow(scope, path)
    if (isFault(type) || type.enum === undefined || type.enum.includes(literal.args)) continue
    const known = type.enum.map(String)
    return `${path.join(".")} is never "${literal.args}"; it is one of ${known.join(", ")}.${didYouMean(literal.args, known)}`
  }
  return undefined
}

const nothing: Guards.Known = new Set()

/** Parses and type-checks an expression against a scope. A plain reference needs no CEL and keeps its value as it is. */
export const compile = (source: string, scope: Scope): Expression | ExpressionFault => {
  const plain = plainReference(source)
  if (plain !== undefined && !["true", "false", "null"].includes(source)) {
    const type = follow(scope, plain)
    if (isFault(type)) return type
    const real = realPath(scope, plain, false)
    const [known, whereTrue] = [[nothing], nothing]
    const evaluate = (values: Readonly<Record<string, unknown>>) => lookup(values, real)
    return { source, type, references: [plain], known, whereTrue, guarded: [], evaluate }
  }
  if (source === "") return { message: "The expression is empty.", start: 0, end: 1 }
  if (source.length > longest) {
    return { message: `An expression has at most ${longest} characters. Let a task work it out.`, start: 0, end: 1 }
  }
  let ast: ASTNode
  try {
    const { Environment } = celLibrary()
    ast = new Environment().parse(source).ast
  } catch (error) {
    const range = (error as { range?: { start: number; end: number } }).range ?? { start: 0, end: source.length }
    return { message: `${friendly((error as Error).message)}.`, start: range.start, end: range.end }
  }
  const references: Array<ReadonlyArray<string>> = []
  const known: Array<Guards.Known> = []
  const guarded: Array<ReadonlyArray<string>> = []
  let fault: ExpressionFault | undefined
  /** The source as CEL reads it: of the same length, so that places stay. */
  let read = source
  const reals: Array<ReadonlyArray<string>> = []
  const bound = new Set<string>()
  const durations: Array<number> = []
  Guards.walk(ast, (node, inside, certain) => {
    if (node.op === "rcall" && typeof node.args[0] === "string" && Array.isArray(node.args[2])) {
      const [name, , args] = node.args as [string, ASTNode, ReadonlyArray<ASTNode>]
      if (["map", "filter", "exists", "all", "exists_one"].includes(name) && args[0]?.op === "id") {
        bound.add(String(args[0].args))
      }
      if (name === "matches") {
        fault ??= { message: "matches() is not available: its regular expressions can hang.", ...node.range }
      }
    }
    const literal = wrongLiteral(scope, node) ?? Functions.constantFault(source, node)
    if (literal !== undefined) fault ??= { message: literal, ...node.range }
    const duration = Functions.durationStart(node)
    if (duration !== undefined) durations.push(duration)
    const path = pathOf(node)
    if (path === undefined || bound.has(path[0])) return true
    ;(inside ? guarded : references).push(path)
    if (!inside) known.push(certain)
    const type = follow(scope, path)
    const { end, start } = node.range
    if (isFault(type)) fault ??= { message: type.message, start, end }
    const real = realPath(scope, path, inside)
    reals.push(real)
    if (real !== path) read = `${read.slice(0, start)}${real.join(".").padEnd(end - start)}${read.slice(end)}`
    return false
  })
  if (fault !== undefined) return fault
  const roots = new Set(reals.map((path) => path[0]))
  const narrowed = Object.fromEntries(
    [...roots].map((root) => [
      root,
      narrow(
        scope[root],
        reals.filter((path) => path[0] === root).map((path) => path.slice(1)),
      ),
    ]),
  )
  const { environment, registry, converters } = environmentFor(narrowed, roots)
  const text = Functions.renamed(read, durations)
  const checked = environment.check(text)
  if (!checked.valid) {
    const range = checked.error?.range ?? { start: 0, end: source.length }
    return { message: friendly(checked.error?.message ?? "does not type-check"), start: range.start, end: range.end }
  }
  const parsed = environment.parse(text)
  return {
    source,
    type: schemaOf(String(checked.type), registry.named),
    references,
    known,
    whereTrue: Guards.whereTrue(ast),
    guarded,
    evaluate: (values) => {
      const context = Object.fromEntries(
        Object.entries(converters).map(([root, convert]) => [root, convert(values[root])]),
      )
      return toJson(parsed(context))
    },
  }
}

/** True for what `compile` gives when an expression is wrong. */
export const isExpressionFault = (value: Expression | ExpressionFault): value is ExpressionFault =>
  !("evaluate" in value)
