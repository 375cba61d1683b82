import type { Plan, PlanTask } from "../domain/plan.ts"

/** A param as expressions name it; what goes on otherwise may be any of them. A key of that name is none. */
const reference =
  /\bparams\b(?!\\*"\s*:)(?:\s*\.\s*([A-Za-z_][A-Za-z0-9_]*)|\s*\[\s*\\*["']([A-Za-z0-9_-]+)\\*["']\s*\])?/g

/** Whether some texts refer to a param: rather too often than not. */
const refersTo = (texts: ReadonlyArray<string>) => {
  const found = new Set<string | undefined>(
    texts.flatMap((text) => [...text.matchAll(reference)].map(([, dotted, quoted]) => dotted ?? quoted)),
  )
  return (param: string) => found.has(undefined) || found.has(param)
}

type Values = Readonly<Record<string, unknown>>

/** What of a plan is there for other tasks than those of some types. */
export interface PlanNeeds {
  /** Those tasks as they stand in the plan. */
  readonly text: string
  /** Whether a task, or an instance of one, is of those types. */
  readonly isLeftOut: (task: string) => boolean
  /** The params of the run (`""`) or of a sub-pipeline's task, without those that only tasks of those types refer to. */
  readonly params: (group: string, params: Values) => Values
}

/** The id of the task that an instance, or a part of an instance, has in the plan. */
const planned = (id: string): string => id.replace(/\[\d+\]/g, "")

/** The task of the sub-pipeline that a task stands in, as its id begins: `""` or `retrain/`. */
const prefixOf = (id: string): string => id.slice(0, id.lastIndexOf("/") + 1)

/** Takes a plan apart: what its tasks of these types are given, and the rest. */
export const of = (plan: Plan, types: ReadonlyArray<string>): PlanNeeds => {
  const leftOut = new Set(plan.tasks.filter(({ type }) => types.includes(type)).map(({ id }) => id))
  const byPrefix = Map.groupBy(plan.tasks, ({ id }) => prefixOf(id))
  const known = new Map<string, (param: string) => boolean>()

  /** Whether a param of the run or of a sub-pipeline is only for tasks of those types. */
  const isTheirs = (prefix: string): ((param: string) => boolean) => {
    const before = known.get(prefix)
    if (before !== undefined) return before
    const [theirs, others]: [Array<string>, Array<string>] = [[], []]
    for (const { pipeline, with: given, ...rest } of byPrefix.get(prefix) ?? []) {
      const side = leftOut.has(rest.id) ? theirs : others
      side.push(JSON.stringify(rest))
      const isInner = pipeline === undefined ? () => false : isTheirs(`${rest.id}/`)
      for (const [name, value] of Object.entries(given)) (isInner(name) ? theirs : side).push(JSON.stringify({ value }))
    }
    const [forThem, forOthers] = [refersTo(theirs), refersTo(others)]
    const answer = (param: string) => forThem(param) && !forOthers(param)
    known.set(prefix, answer)
    return answer
  }

  const without = (prefix: string, values: Values): Values => {
    const isLeft = isTheirs(prefix)
    return Object.fromEntries(Object.entries(values).filter(([name]) => !isLeft(name)))
  }

  const needed = (task: PlanTask): ReadonlyArray<unknown> => {
    if (leftOut.has(task.id)) return []
    const { pipeline } = task
    if (pipeline === undefined) return [task]
    const prefix = `${task.id}/`
    const params = without(prefix, pipeline.params)
    return [{ ...task, with: without(prefix, task.with), pipeline: { ...pipeline, params } }]
  }

  return {
    text: JSON.stringify(plan.tasks.flatMap(needed)),
    isLeftOut: (task) => leftOut.has(planned(task)),
    params: (group, params) => without(group === "" ? "" : `${planned(group)}/`, params),
  }
}
