import type { JsonSchema } from "../json-schema.ts"
import type { Block } from "../plan.ts"
import { type Scope, outputRoot, statusRoot } from "./paths.ts"

/** What a pipeline's expressions can name: the schemas of its params and of its tasks' outputs, and declared variables. */
export interface Names {
  readonly params: Readonly<Record<string, JsonSchema>>
  /** Asked for once, when an expression names a task. */
  readonly outputs: () => ReadonlyMap<string, JsonSchema>
  readonly env: ReadonlyArray<string>
}

const taskStatus: JsonSchema = {
  type: "string",
  enum: ["succeeded", "warned", "failed", "skipped", "cancelled", "timed_out", "lost"],
}
const runStatus: JsonSchema = {
  type: "string",
  enum: ["succeeded", "warned", "failed", "cancelled", "timed_out", "lost"],
}

/** A record of which no field is ever absent. */
export const record = (properties: Readonly<Record<string, JsonSchema>>): JsonSchema => ({
  type: "object",
  properties,
  required: Object.keys(properties),
})

/** The type of `run` in expressions; its status is known only once `tasks` has ended, that is in the handlers. */
const runType = (block: Block): JsonSchema =>
  record({
    id: { type: "string" },
    pipeline: { type: "string" },
    env: { type: "string", enum: ["dev", "stg", "prod"] },
    created: { type: "string", description: "RFC 3339, UTC" },
    ...(block === "tasks" ? {} : { status: runStatus }),
  })

/** The type of `tasks.<id>` of a matrix: the outputs of its instances; null for those that may fail. */
export const listOf = (output: JsonSchema, mayFail: boolean): JsonSchema => ({
  type: "array",
  items: mayFail ? { anyOf: [output, { type: "null" }] } : output,
})

/** The type of `tasks.<id>`: its output. */
const taskType = (output: JsonSchema): JsonSchema =>
  output.type === "array" ? output : { ...output, "x-name": output["x-name"] ?? "output" }

/** The roots that have a field for every task. */
const taskRoots = (outputs: ReadonlyMap<string, JsonSchema>) => {
  const ids = [...outputs.keys()]
  const have: JsonSchema = {
    type: "object",
    properties: Object.fromEntries(ids.map((id) => [id, { type: "boolean" }])),
  }
  return {
    tasks: record(Object.fromEntries([...outputs].map(([id, output]) => [id, taskType(output)]))),
    [statusRoot]: record(Object.fromEntries(ids.map((id) => [id, taskStatus]))),
    [outputRoot]: have,
  }
}

/** What expressions of each block may name, with types. What grows with the tasks is made for the first that asks. */
export const build = (names: Names): Readonly<Record<Block, Scope>> => {
  const params = record(names.params)
  const env = record(Object.fromEntries(names.env.map((name) => [name, { type: "string" }])))
  let made: ReturnType<typeof taskRoots> | undefined
  const roots = () => (made ??= taskRoots(names.outputs()))
  const scope = (block: Block): Scope => ({
    params,
    run: runType(block),
    get tasks() {
      return roots().tasks
    },
    env,
    get [statusRoot]() {
      return roots()[statusRoot]
    },
    get [outputRoot]() {
      return roots()[outputRoot]
    },
  })
  return {
    tasks: scope("tasks"),
    onFailure: scope("onFailure"),
    onCancel: scope("onCancel"),
    finally: scope("finally"),
  }
}
