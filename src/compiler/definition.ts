import { wholeSource } from "../domain/expression/plan-scopes.ts"
import type { JsonSchema } from "../domain/json-schema.ts"
import { Audit, type Block, type Concurrency } from "../domain/plan.ts"
import { FieldReader } from "./field-reader.ts"
import { readMatrix } from "./matrix-settings.ts"
import { readApproval, readConcurrency, readLabels, readPauseUntil } from "./start-settings.ts"
import { type Located, type LocatedEntry, type PlacedText, entryOf, get, keysOf, kindOf, toJson } from "./located.ts"
import { type Defaults, readDefaults, readResources, readRetry } from "./task-settings.ts"
import { QuietTask } from "./quiet-task.ts"
import type { Source, Span } from "./source.ts"
import { idPattern, isNoSetting, noSettings, type TaskDefinition, type TaskSettings } from "./task-definition.ts"

/** A pipeline as the author wrote it, shapes checked. */
export interface Definition {
  readonly id: string
  readonly description: string | undefined
  readonly params: ReadonlyMap<string, { readonly schema: JsonSchema; readonly node: Located }>
  readonly env: ReadonlyArray<PlacedText>
  /** Undefined where nothing is said. */
  readonly audit: Audit | undefined
  readonly timeout: number | undefined
  readonly concurrency: Concurrency | undefined
  /** What a pipeline that uses this one sees: one expression each. */
  readonly outputs: ReadonlyMap<string, PlacedText>
  readonly schedule: LocatedEntry | undefined
  readonly on: LocatedEntry | undefined
  /** By id, in file order. */
  readonly tasks: ReadonlyMap<string, TaskDefinition>
}

export const blocks: ReadonlyArray<Block> = ["tasks", "onFailure", "onCancel", "finally"]
const pipelineKeys = [
  "version",
  "id",
  "description",
  "params",
  "env",
  "audit",
  "timeout",
  "schedule",
  "on",
  "concurrency",
  "defaults",
  "outputs",
  ...blocks,
]
const taskKeys = [
  "uses",
  "with",
  "needs",
  "if",
  "retry",
  "timeout",
  "heartbeat",
  "cache",
  "continueOnError",
  "resources",
  "matrix",
  "approval",
  "pauseUntil",
  "labels",
  "priority",
  "description",
]
/** Of a YAML file, and of all that a pipeline uses: what a TypeScript file generates is bounded by its time. */
export const maxTasks = 20_000

const idHint = (id: string): string => {
  if (id === "constructor") return " This one is taken."
  const better = id.replace(/[^A-Za-z0-9_]/g, "_").toLowerCase()
  return idPattern.test(better) && better !== id ? ` Try "${better}".` : ""
}

const none: ReadonlyArray<PlacedText> = []

const readNeeds = (reader: FieldReader, node: Located, path: string): ReadonlyArray<PlacedText> => {
  const needs = get(node, "needs")
  if (needs === undefined) return none
  return needs.kind === "scalar" && typeof needs.value === "string"
    ? [{ text: needs.value, at: needs.at }]
    : reader.texts(node, "needs", path)
}

const readSettings = (
  reader: FieldReader,
  node: Located,
  path: string,
  defaults: Defaults | undefined,
): TaskSettings => {
  const condition = get(node, "if")
  if (
    condition !== undefined &&
    (condition.kind !== "scalar" || (typeof condition.value !== "string" && typeof condition.value !== "boolean"))
  ) {
    reader.report(condition.at, `${path}.if`, `if must be an expression, not ${kindOf(condition)}.`)
  }
  const cache = get(node, "cache")
  const cacheFlag = reader.flag(node, "cache", path)
  return {
    if: condition?.kind === "scalar" ? { text: String(condition.value), at: condition.at } : undefined,
    retry: readRetry(reader, node, path) ?? defaults?.retry,
    timeout: reader.limit(node, "timeout", path),
    heartbeat: reader.limit(node, "heartbeat", path) ?? defaults?.heartbeat,
    cache: cacheFlag === undefined || cache === undefined ? undefined : { value: cacheFlag, at: cache.at },
    continueOnError: reader.flag(node, "continueOnError", path),
    resources: readResources(reader, node, path),
    matrix: readMatrix(reader, node, path),
    approval: readApproval(reader, node, path),
    pauseUntil: readPauseUntil(reader, node, path),
    labels: readLabels(reader, node, path),
    priority: reader.number(node, "priority", path, { min: -1_000, max: 1_000, whole: true }),
  }
}

const isSilent = (node: Located): boolean => node.kind === "map" && keysOf(node).every(isNoSetting)

/** Reads the tasks of one pipeline; most say no more than their type, input and needs, and share their settings. */
const taskReader = (reader: FieldReader, defaults: Defaults | undefined) => {
  const shared: TaskSettings = { ...noSettings, retry: defaults?.retry, heartbeat: defaults?.heartbeat }
  return (entry: LocatedEntry, block: Block): TaskDefinition | undefined => {
    if (entry instanceof QuietTask) return entry.under(shared)
    const { key: id, keyAt, value } = entry
    const path = `${block}.${id}`
    if (!idPattern.test(id)) {
      reader.report(
        keyAt,
        path,
        `"${id}" is no task id: small letters, digits and _ (a dash reads as minus in expressions).${idHint(id)}`,
      )
    }
    const quiet = isSilent(value)
    const node = quiet ? value : reader.map(value, path, `Task ${id}`, taskKeys)
    if (node === undefined) return undefined
    const uses = get(node, "uses")
    if (uses === undefined) return reader.report(keyAt, path, `Task ${id} has no "uses": which task type is it?`)
    if (uses.kind !== "scalar" || typeof uses.value !== "string") {
      return reader.report(uses.at, `${path}.uses`, `uses must name a task type, not ${kindOf(uses)}.`)
    }
    return {
      id,
      at: keyAt,
      path,
      block,
      uses: { text: uses.value, at: uses.at },
      with: get(node, "with"),
      needs: readNeeds(reader, node, path),
      settings: quiet ? shared : readSettings(reader, node, path, defaults),
      written: node,
    }
  }
}

const readOutputs = (reader: FieldReader, document: Located): Definition["outputs"] => {
  const outputs = new Map<string, PlacedText>()
  const node = get(document, "outputs")
  if (node === undefined) return outputs
  if (node.kind !== "map") {
    reader.report(node.at, "outputs", `outputs must be a map of expressions by name, not ${kindOf(node)}.`)
    return outputs
  }
  for (const { key, keyAt, value } of node.entries) {
    const path = `outputs.${key}`
    if (!idPattern.test(key))
      reader.report(keyAt, path, `"${key}" is no output name: small letters, digits and _.${idHint(key)}`)
    if (key === "status")
      reader.report(keyAt, path, "Every task has a status of its own. Call this output something else.")
    if (value.kind === "scalar" && typeof value.value === "string" && wholeSource(value.value) !== undefined) {
      outputs.set(key, { text: value.value, at: value.at })
    } else reader.report(value.at, path, "An output is one expression: '${{ tasks.<id>.<field> }}'.")
  }
  return outputs
}

const readParams = (reader: FieldReader, document: Located): Definition["params"] => {
  const params = new Map<string, { schema: JsonSchema; node: Located }>()
  const node = get(document, "params")
  if (node === undefined) return params
  if (node.kind !== "map") {
    reader.report(node.at, "params", `params must be a map of JSON Schemas, not ${kindOf(node)}.`)
    return params
  }
  for (const { key, keyAt, value } of node.entries) {
    if (!idPattern.test(key))
      reader.report(keyAt, `params.${key}`, `"${key}" is no param name: small letters, digits and _.${idHint(key)}`)
    if (value.kind !== "map") {
      reader.report(value.at, `params.${key}`, `A param is a JSON Schema, like { type: string }, not ${kindOf(value)}.`)
      continue
    }
    params.set(key, { schema: toJson(value) as JsonSchema, node: value })
  }
  return params
}

/** Reads the shape of a pipeline document. Every mistake goes to the reader; undefined when there is nothing to go on with. */
export const read = (reader: FieldReader, document: Located): Definition | undefined => {
  const node = reader.map(document, "", "A pipeline", pipelineKeys)
  if (node === undefined) return undefined
  const top: Span = { start: document.at.start, end: document.at.start + 1 }
  const version = get(node, "version")
  if (version === undefined) reader.report(top, "version", "The first key of a pipeline is: version: 1")
  else if (version.kind !== "scalar" || version.value !== 1) reader.report(version.at, "version", "version must be 1.")
  const id = reader.text(node, "id", "")
  if (get(node, "id") === undefined) reader.report(top, "id", "The pipeline has no id. Give it one: id: my-pipeline")
  const idNode = get(node, "id")
  if (id !== undefined && !/^[a-z][a-z0-9_-]{0,63}$/.test(id)) {
    reader.report(idNode?.at ?? top, "id", `"${id}" is no pipeline id: small letters, digits, - and _, at most 64.`)
  }
  const defaultsNode = get(node, "defaults")
  const defaults = defaultsNode === undefined ? undefined : readDefaults(reader, defaultsNode)
  const readTask = taskReader(reader, defaults)
  const tasks = new Map<string, TaskDefinition>()
  const unreadable = new Map<string, Block>()
  for (const block of blocks) {
    const part = get(node, block)
    if (part === undefined) continue
    if (part.kind !== "map") {
      reader.report(part.at, block, `${block} must be a map of tasks by id, not ${kindOf(part)}.`)
      continue
    }
    for (const entry of part.entries) {
      const before = tasks.get(entry.key)?.block ?? unreadable.get(entry.key)
      if (before !== undefined) {
        reader.report(
          entry.keyAt,
          `${block}.${entry.key}`,
          `The task id "${entry.key}" is taken by one in ${before}. Rename one of them.`,
        )
        continue
      }
      const task = readTask(entry, block)
      if (task === undefined) unreadable.set(entry.key, block)
      else tasks.set(entry.key, task)
    }
  }
  const tasksNode = get(node, "tasks")
  if (tasksNode === undefined || (tasksNode.kind === "map" && tasksNode.entries.length === 0)) {
    reader.report(tasksNode?.at ?? top, "tasks", "The pipeline has no tasks.")
  }
  if (tasks.size > maxTasks && !reader.source.file.endsWith(".ts")) {
    reader.report(top, "tasks", `A file holds at most ${maxTasks} tasks. Generate more in TypeScript.`)
  }
  return {
    id: id ?? "",
    description: reader.text(node, "description", ""),
    params: readParams(reader, node),
    env: reader.texts(node, "env", ""),
    audit: reader.choice(node, "audit", "", Audit.literals),
    timeout: reader.limit(node, "timeout", ""),
    concurrency: readConcurrency(reader, node),
    outputs: readOutputs(reader, node),
    schedule: entryOf(node, "schedule"),
    on: entryOf(node, "on"),
    tasks,
  }
}

/** A reader for a source. */
export const reader = (source: Source): FieldReader => new FieldReader(source)
