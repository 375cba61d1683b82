import type { JsonSchema } from "../json-schema.ts"
import * as JsonSchemas from "../json-schema.ts"
import { didYouMean } from "../suggest.ts"

/** What an expression may name, each with its type. */
export type Scope = Readonly<Record<string, JsonSchema>>

/** Why an expression does not compile; `start` and `end` count characters of its source. */
export interface ExpressionFault {
  readonly message: string
  readonly start: number
  readonly end: number
}

/** Roots that no author writes: the status of each task, which is no part of its output, and which tasks have outputs. */
export const statusRoot = "_status"
export const outputRoot = "_out"

/** Where a path leads that an author wrote: `tasks.<id>.status`, and `has(tasks.<id>)`, stand beside the outputs. */
export const realPath = (scope: Scope, path: ReadonlyArray<string>, inHas: boolean): ReadonlyArray<string> => {
  const [root, id, field] = path
  const beside = (name: string) => (JsonSchemas.field(scope[name] ?? {}, id) === undefined ? path : [name, id])
  if (root !== "tasks" || id === undefined) return path
  if (path.length === 3 && field === "status") return beside(statusRoot)
  return inHas && path.length === 2 ? beside(outputRoot) : path
}

/** The value at a path; undefined where there is none. */
export const lookup = (values: unknown, path: ReadonlyArray<string>): unknown => {
  let value: unknown = values
  for (const key of path) {
    if (typeof value !== "object" || value === null || !Object.hasOwn(value, key)) return undefined
    value = (value as Record<string, unknown>)[key]
  }
  return value
}

/** Whether a path leads nowhere. */
export const isFault = (value: JsonSchema | ExpressionFault): value is ExpressionFault =>
  "message" in value && "start" in value

/** The type of what a path names, or why it names nothing. */
export const follow = (scope: Scope, path: ReadonlyArray<string>): JsonSchema | ExpressionFault => {
  const real = realPath(scope, path, false)
  let node: JsonSchema | undefined = Object.hasOwn(scope, path[0]) ? scope[real[0]] : undefined
  let at = path[0].length
  if (node === undefined || path[0].startsWith("_")) {
    const known = Object.keys(scope).filter((root) => !root.startsWith("_"))
    return { message: `There is no "${path[0]}" here.${didYouMean(path[0], known)}`, start: 0, end: at }
  }
  if (real !== path) return JsonSchemas.field(node, real[1]) ?? {}
  for (let i = 1; i < path.length; i++) {
    const found = JsonSchemas.property(node, path[i])
    if (found === undefined) {
      const known = [...JsonSchemas.keys(node), ...(path[0] === "tasks" && i === 2 ? ["status"] : [])]
      const owner = path.slice(0, i).join(".")
      const has = known.length === 0 ? "it has no fields" : `it has ${known.slice(0, 12).join(", ")}`
      const message = `${owner} has no field "${path[i]}"; ${has}.${didYouMean(path[i], known)}`
      return { message, start: at + 1, end: at + 1 + path[i].length }
    }
    node = found.schema
    at += 1 + path[i].length
  }
  return node
}

/** The part of a path that a value need not have: a declared field that is not required. */
export const mayBeAbsent = (scope: Scope, path: ReadonlyArray<string>): ReadonlyArray<string> | undefined => {
  let node = scope[path[0]]
  for (let i = 1; i < path.length; i++) {
    const declared = JsonSchemas.field(node, path[i])
    const found = JsonSchemas.property(node, path[i])
    if (found === undefined) return undefined
    if (declared !== undefined && found.optional && !JsonSchemas.isAny(declared)) return path.slice(0, i + 1)
    node = found.schema
  }
  return undefined
}
