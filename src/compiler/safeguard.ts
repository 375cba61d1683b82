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

/** The one of the same id and type, else the only one left of its type. */
const heirsOf = (old: PlanSide, next: PlanSide): Heirs => {
  const [before, after] = [tasksById(old.plan), tasksById(next.plan)]
  const left = ({ plan }: PlanSide, others: ReadonlyMap<string, PlanTask>) =>
    Map.groupBy(
      plan.tasks.filter(({ id, type }) => others.get(id)?.type !== type),
      ({ type }) => type,
    )
  const fresh = left(next, before)
  const renamed = new Map<string, PlanTask>()
  for (const [type, [was, ...others]] of left(old, after)) {
    const [task, ...more] = fresh.get(type) ?? []
    if (was !== undefined && task !== undefined && others.length + more.length === 0) renamed.set(was.id, task)
  }
  return {
    get: (id) => {
      const task = after.get(id)
      return task !== undefined && task.type === before.get(id)?.type ? task : renamed.get(id)
    },
  }
}

interface Paired {
  readonly heirs: Heirs
  readonly pairs: ReadonlyArray<Pair>
}

const known = new WeakMap<PlanSide, WeakMap<PlanSide, Paired>>()

/** Worked out once for two sides: every rule asks. */
const pairedOnce = (old: PlanSide, next: PlanSide): Paired => {
  const found = known.get(old)?.get(next)
  if (found !== undefined) return found
  const heirs = heirsOf(old, next)
  const pairs: Array<Pair> = []
  for (const was of old.plan.tasks) {
    const task = heirs.get(was.id)
    if (task !== undefined) pairs.push({ was, task })
  }
  const byNext = known.get(old) ?? new WeakMap<PlanSide, Paired>()
  known.set(old, byNext.set(next, { heirs, pairs }))
  return { heirs, pairs }
}

/** What became of each old task: the one of the same id and type, else the only one left of its type (it was renamed). */
export const heirs = (old: PlanSide, next: PlanSide): Heirs => pairedOnce(old, next).heirs

/** The tasks that both sides have. */
export const paired = (old: PlanSide, next: PlanSide): ReadonlyArray<Pair> => pairedOnce(old, next).pairs

/** The gates that both sides have. */
export const pairedGates = (old: PlanSide, next: PlanSide): ReadonlyArray<Pair> =>
  paired(old, next).filter(({ was, task }) => old.gates.has(was.id) && next.gates.has(task.id))
