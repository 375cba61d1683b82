import type { PlanTask } from "../domain/plan.ts"
import { type PlanSide, takes, tasksById } from "./plan-side.ts"
import { isFields, same } from "./value-diff.ts"

/** A task that has run and was remembered, and will have to run again. */
export interface StaleCache {
  readonly task: string
  readonly why: string
}

/** Names of the params that a task's input names. */
const paramsIn = (task: PlanTask): ReadonlyArray<string> =>
  [...JSON.stringify(task.with).matchAll(/(?<![\w.])params\.([a-z][a-z0-9_]*)/g)].map(([, name]) => name)

const defaultOf = ({ plan }: PlanSide, name: string): unknown => {
  const param = plan.params[name]
  return isFields(param) ? param.default : undefined
}

/** Why a task's key is another one by itself; undefined where it is not. */
const ownReason = (old: PlanSide, next: PlanSide, was: PlanTask, task: PlanTask): string | undefined => {
  if (was.type !== task.type) return `it is a ${task.type} now`
  if (was.version !== task.version) return `${task.type} has version ${task.version} now`
  if (!same(was.with, task.with)) return "its input changed"
  const sections = new Set([...(old.reads.get(task.type) ?? []), ...(next.reads.get(task.type) ?? [])])
  const section = [...sections].find((name) => !same(old.config[name], next.config[name]))
  if (section !== undefined) return `the configuration's ${section} changed`
  const file = (next.names.get(task.id) ?? []).find(
    (path) => old.files.has(path) && !same(old.files.get(path), next.files.get(path)),
  )
  if (file !== undefined) return `${file} changed`
  const param = paramsIn(task).find((name) => !same(defaultOf(old, name), defaultOf(next, name)))
  return param === undefined ? undefined : `the default of param ${param} changed`
}

/**
 * Cached tasks of both plans whose remembered outputs no longer answer: their key is another one (type, version, input,
 * configuration, named files), or they take the output of a task of which that is so.
 */
export const staleCaches = (old: PlanSide, next: PlanSide): ReadonlyArray<StaleCache> => {
  const before = tasksById(old.plan)
  const cached = next.plan.tasks.filter(({ cache, id }) => cache === true && before.get(id)?.cache === true)
  if (cached.length === 0) return []
  const touched = new Map<string, string>()
  for (const task of next.plan.tasks) {
    const was = before.get(task.id)
    const through = takes(task).find((need) => touched.has(need) || !before.has(need))
    const own = was === undefined ? undefined : ownReason(old, next, was, task)
    if (own !== undefined) touched.set(task.id, own)
    else if (through !== undefined) touched.set(task.id, `it takes the output of ${through}`)
  }
  return cached.flatMap(({ id }) => {
    const why = touched.get(id)
    return why === undefined ? [] : [{ task: id, why }]
  })
}
