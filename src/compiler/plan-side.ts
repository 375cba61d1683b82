import * as Effect from "effect/Effect"
import { parse } from "yaml"
import { Catalog } from "../domain/catalog.ts"
import * as Template from "../domain/expression/template.ts"
import { type JsonSchema, ofSchema } from "../domain/json-schema.ts"
import { holdsFiles, namedFiles, namingFields } from "../domain/named-files.ts"
import type { Plan, PlanTask } from "../domain/plan.ts"
import { of } from "../domain/sha256.ts"
import { isFields } from "./value-diff.ts"

/** One side of a comparison: a plan, and what decides about its tasks beside it. */
export interface PlanSide {
  readonly plan: Plan
  /** Ids of the tasks that are gates. */
  readonly gates: ReadonlySet<string>
  /** Sections of the configuration that each task type reads. */
  readonly reads: ReadonlyMap<string, ReadonlyArray<string>>
  /** Files that tasks name, literally or by the default of a param. */
  readonly names: ReadonlyMap<string, ReadonlyArray<string>>
  /** The resolved configuration by section; secrets are references. */
  readonly config: Readonly<Record<string, unknown>>
  /** What stands in the files by path: the value of YAML and JSON, else `sha256:…`. Missing and large ones are left out. */
  readonly files: ReadonlyMap<string, unknown>
}

const byIds = new WeakMap<Plan, ReadonlyMap<string, PlanTask>>()

/** The tasks of a plan by id: made once, as much in a comparison asks for it. */
export const tasksById = (plan: Plan): ReadonlyMap<string, PlanTask> => {
  const known = byIds.get(plan)
  if (known !== undefined) return known
  const made = new Map<string, PlanTask>()
  for (const task of plan.tasks) made.set(task.id, task)
  byIds.set(plan, made)
  return made
}

/** What a comparison has to know of a task type. */
interface Traits {
  readonly gate: boolean
  readonly config: ReadonlyArray<string>
  readonly input: JsonSchema
  /** Whether its input may name files. */
  readonly files: boolean
}

/** The traits of the task types that a plan names, as this program knows them. */
const traitsOf = Effect.fnUntraced(function* (plan: Plan) {
  const catalog = yield* Catalog
  const traits = new Map<string, Traits>()
  for (const type of new Set(plan.tasks.map((task) => task.type))) {
    const found = yield* catalog.load(type)
    if (found === undefined) continue
    const input = ofSchema(found.input)
    const [gate, files] = [found.gate !== undefined, holdsFiles(input)]
    traits.set(type, { gate, config: found.config ?? [], input, files })
  }
  return traits
})

/** An input's value; of one that is a param as a whole its default, which a run may replace. */
export const usualValue = (plan: Plan, value: unknown): unknown => {
  if (typeof value === "string") {
    const name = /^\$\{\{ params\.([a-z][a-z0-9_]*) \}\}$/.exec(value)?.[1]
    return name === undefined ? value : (plan.params[name]?.default ?? value)
  }
  if (Array.isArray(value)) return value.map((item) => usualValue(plan, item))
  if (!isFields(value)) return value
  return Object.fromEntries(Object.entries(value).map(([key, item]) => [key, usualValue(plan, item)]))
}

const named = (plan: Plan, task: PlanTask, { input }: Traits): ReadonlyArray<string> => {
  const fields = namingFields(task.with, input)
  if (fields === undefined) return []
  return [...new Set(namedFiles(usualValue(plan, fields), input))].filter((path) => !Template.hasExpression(path))
}

/** A plan with what this program's task types say of its tasks; the configuration and the files are filled in. */
export const make = Effect.fnUntraced(function* (
  plan: Plan,
  config: PlanSide["config"],
): Effect.fn.Return<PlanSide, Effect.Error<ReturnType<typeof traitsOf>>, Catalog> {
  const traits = yield* traitsOf(plan)
  const gates = new Set<string>()
  const names = new Map<string, ReadonlyArray<string>>()
  for (const task of plan.tasks) {
    const known = traits.get(task.type)
    if (known?.gate === true) gates.add(task.id)
    const paths = known?.files === true ? named(plan, task, known) : []
    if (paths.length > 0) names.set(task.id, paths)
  }
  const reads = new Map([...traits].map(([type, { config: sections }]) => [type, sections]))
  return { plan, gates, reads, names, config, files: new Map() }
})

const valueOf = (bytes: Uint8Array, asYaml: boolean): unknown => {
  if (!asYaml) return `sha256:${of(bytes)}`
  try {
    return parse(new TextDecoder().decode(bytes), { maxAliasCount: 100, logLevel: "error" }) as unknown
  } catch {
    return `sha256:${of(bytes)}`
  }
}

/** The files that the gates of a side name as `expectations`. */
const expectationsOf = ({ gates, plan }: PlanSide): ReadonlySet<unknown> =>
  new Set(plan.tasks.filter(({ id }) => gates.has(id)).map((task) => usualValue(plan, task.with.expectations)))

/**
 * The side with what stands in its files. Expectations that list no checks get the usual ones, as the gate does.
 */
export const withFiles = (
  side: PlanSide,
  files: ReadonlyMap<string, Uint8Array>,
  usualChecks: ReadonlyArray<unknown>,
): PlanSide => {
  const expectations = expectationsOf(side)
  const read = ([path, bytes]: readonly [string, Uint8Array]): readonly [string, unknown] => {
    const value = valueOf(bytes, /\.(ya?ml|json)$/.test(path) || expectations.has(path))
    const bare = expectations.has(path) && isFields(value) && value.checks === undefined
    return [path, bare ? { ...value, checks: usualChecks } : value]
  }
  return { ...side, files: new Map([...files].map(read)) }
}

/** Ids of the tasks whose outputs a value's expressions name, as the expressions write them. */
export const referencesIn = (value: unknown): ReadonlySet<string> => {
  const found = new Set<string>()
  const open: Array<unknown> = [value]
  while (open.length > 0) {
    const item = open.pop()
    if (typeof item === "string" && Template.hasExpression(item)) {
      const parts = Template.parse(item)
      if ("unclosedAt" in parts) continue
      for (const part of parts) if (part._tag === "Expression") for (const id of tasksIn(part.source)) found.add(id)
    } else if (typeof item === "object" && item !== null) open.push(...Object.values(item))
  }
  return found
}

/** Ids that an expression names as `tasks.<id>`. */
export const tasksIn = (source: string): ReadonlyArray<string> =>
  [...source.matchAll(/(?<![\w.])tasks\.([a-z][a-z0-9_]*)/g)].map(([, id]) => id)

/** The id without what a sub-pipeline or a matrix adds: what expressions call it. */
export const baseOf = (id: string): string => id.replace(/[/[].*$/, "")

/** Ids of the tasks whose outputs a task takes. */
export const takes = (task: PlanTask): ReadonlyArray<string> => {
  if (task.needs.length === 0) return []
  const references = referencesIn(task.with)
  return task.needs.filter((need) => references.has(need) || references.has(baseOf(need)))
}
