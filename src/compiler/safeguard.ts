import type { PlanTask } from "../domain/plan.ts"
import { type PlanSide, tasksById } from "./plan-side.ts"

/** Where a safeguard is weaker than it was. `old` or `new` is left out where there is none. */
export interface Weakness {
  readonly place: string
  readonly old?: unknown
  readonly new?: unknown
}

/** A rule about one kind of safeguard: pure, over the two sides. */
export interface Safeguard {
  readonly name: string
  /** Why a finding of this rule is weaker. */
  readonly why: string
  readonly find: (old: PlanSide, next: PlanSide) => ReadonlyArray<Weakness>
}

/** A task of the old side and what became of it. */
export interface Pair {
  readonly was: PlanTask
  readonly task: PlanTask
}

/** What became of each old task, by its id. */
interface Heirs {
  readonly get: (id: string) => PlanTask | undefined
}

interface Paired {
  readonly heirs: Heirs
  readonly pairs: ReadonlyArray<Pair>
}

const byType = (tasks: ReadonlyArray<PlanTask>) => Map.groupBy(tasks, ({ type }) => type)

/** The tasks of which one of their type went and one came. */
const renamed = (
  gone: ReadonlyArray<PlanTask>,
  before: ReadonlyMap<string, PlanTask>,
  next: PlanSide,
): ReadonlyMap<string, PlanTask> => {
  const found = new Map<string, PlanTask>()
  if (gone.length === 0) return found
  const fresh = byType(next.plan.tasks.filter(({ id, type }) => before.get(id)?.type !== type))
  for (const [type, [was, ...others]] of byType(gone)) {
    const [task, ...more] = fresh.get(type) ?? []
    if (was !== undefined && task !== undefined && others.length + more.length === 0) found.set(was.id, task)
  }
  return found
}

const pair = (old: PlanSide, next: PlanSide): Paired => {
  const [before, after] = [tasksById(old.plan), tasksById(next.plan)]
  const kept = (was: PlanTask | undefined): PlanTask | undefined => {
    const task = was === undefined ? undefined : after.get(was.id)
    return task?.type === was?.type ? task : undefined
  }
  const gone = old.plan.tasks.filter((was) => kept(was) === undefined)
  const others = renamed(gone, before, next)
  const pairs: Array<Pair> = []
  for (const was of old.plan.tasks) {
    const task = kept(was) ?? others.get(was.id)
    if (task !== undefined) pairs.push({ was, task })
  }
  return { heirs: { get: (id) => kept(before.get(id)) ?? others.get(id) }, pairs }
}

const known = new WeakMap<PlanSide, WeakMap<PlanSide, Paired>>()

/** Worked out once for two sides: every rule asks. */
const pairedOnce = (old: PlanSide, next: PlanSide): Paired => {
  const found = known.get(old)?.get(next)
  if (found !== undefined) return found
  const made = pair(old, next)
  const byNext = known.get(old) ?? new WeakMap<PlanSide, Paired>()
  known.set(old, byNext.set(next, made))
  return made
}

/** What became of each old task: the one of the same id and type, else the only one left of its type (it was renamed). */
export const heirs = (old: PlanSide, next: PlanSide): Heirs => pairedOnce(old, next).heirs

/** The tasks that both sides have. */
export const paired = (old: PlanSide, next: PlanSide): ReadonlyArray<Pair> => pairedOnce(old, next).pairs

/** The gates that both sides have. */
export const pairedGates = (old: PlanSide, next: PlanSide): ReadonlyArray<Pair> =>
  paired(old, next).filter(({ was, task }) => old.gates.has(was.id) && next.gates.has(task.id))
