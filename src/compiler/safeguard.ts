import type { PlanTask } from "../domain/plan.ts"
import type { PlanSide } from "./plan-side.ts"

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

const pairing = (old: PlanSide, next: PlanSide): ReadonlyMap<string, PlanTask> => {
  const after = new Map(next.plan.tasks.map((task) => [task.id, task]))
  const found = new Map<string, PlanTask>()
  const taken = new Set<string>()
  for (const { id, type } of old.plan.tasks) {
    const task = after.get(id)
    if (task?.type !== type) continue
    found.set(id, task)
    taken.add(id)
  }
  const byType = (tasks: ReadonlyArray<PlanTask>) => Map.groupBy(tasks, ({ type }) => type)
  const gone = byType(old.plan.tasks.filter(({ id }) => !found.has(id)))
  const fresh = byType(next.plan.tasks.filter(({ id }) => !taken.has(id)))
  for (const [type, [was, ...others]] of gone) {
    const [task, ...more] = fresh.get(type) ?? []
    if (was !== undefined && task !== undefined && others.length + more.length === 0) found.set(was.id, task)
  }
  return found
}

interface Paired {
  readonly heirs: ReadonlyMap<string, PlanTask>
  readonly pairs: ReadonlyArray<Pair>
}

const known = new WeakMap<PlanSide, WeakMap<PlanSide, Paired>>()

/** Worked out once for two sides: every rule asks. */
const pairedOnce = (old: PlanSide, next: PlanSide): Paired => {
  const found = known.get(old)?.get(next)
  if (found !== undefined) return found
  const heirs = pairing(old, next)
  const pairs = old.plan.tasks.flatMap((was): ReadonlyArray<Pair> => {
    const task = heirs.get(was.id)
    return task === undefined ? [] : [{ was, task }]
  })
  const byNext = known.get(old) ?? new WeakMap<PlanSide, Paired>()
  known.set(old, byNext.set(next, { heirs, pairs }))
  return { heirs, pairs }
}

/** What became of each old task: the one of the same id and type, else the only one left of its type (it was renamed). */
export const heirs = (old: PlanSide, next: PlanSide): ReadonlyMap<string, PlanTask> => pairedOnce(old, next).heirs

/** The tasks that both sides have. */
export const paired = (old: PlanSide, next: PlanSide): ReadonlyArray<Pair> => pairedOnce(old, next).pairs

/** The gates that both sides have. */
export const pairedGates = (old: PlanSide, next: PlanSide): ReadonlyArray<Pair> =>
  paired(old, next).filter(({ was, task }) => old.gates.has(was.id) && next.gates.has(task.id))
