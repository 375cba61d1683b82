import type { PlanTask } from "../domain/plan.ts"
import { type PlanSide, takes, tasksIn } from "./plan-side.ts"
import { type Safeguard, heirs, paired, pairedGates } from "./safeguard.ts"

type Edges = ReadonlyMap<string, ReadonlyArray<string>>

const edgesOf = (tasks: ReadonlyArray<PlanTask>, from: (task: PlanTask) => ReadonlyArray<string>): Edges => {
  const edges = new Map<string, Array<string>>()
  for (const task of tasks) {
    for (const need of from(task)) {
      const known = edges.get(need)
      if (known === undefined) edges.set(need, [task.id])
      else known.push(task.id)
    }
  }
  return edges
}

interface Graph {
  /** From a task to those that wait for it. */
  readonly waiting: Edges
  /** From a task to those that take its output. */
  readonly data: Edges
  readonly byId: ReadonlyMap<string, PlanTask>
}

const graphOf = ({ plan: { tasks } }: PlanSide): Graph => ({
  waiting: edgesOf(tasks, ({ needs }) => needs),
  data: edgesOf(tasks, takes),
  byId: new Map(tasks.map((task) => [task.id, task])),
})

/** All that can be reached from a task without passing another. */
const reach = (edges: Edges, from: string, round?: string): ReadonlySet<string> => {
  const found = new Set<string>()
  const open = [from]
  while (open.length > 0) {
    for (const next of edges.get(open.pop() ?? "") ?? []) {
      if (next === round || found.has(next)) continue
      found.add(next)
      open.push(next)
    }
  }
  return found
}

/** A task whose effect cannot be taken back by running it again: what gates stand before. */
const acts = ({ effects }: PlanTask): boolean => effects === "once" || effects === "irreversible"

/** Each gate of both sides with each acting task behind it that both sides have. */
const guarded = (old: PlanSide, next: PlanSide) => {
  const [before, after] = [graphOf(old), graphOf(next)]
  const heir = heirs(old, next)
  return pairedGates(old, next).flatMap(({ was, task }) => {
    const [then, now] = [reach(before.waiting, was.id), reach(after.waiting, task.id)]
    return old.plan.tasks.flatMap((act) => {
      const acting = heir.get(act.id)
      if (acting === undefined || !acts(act) || !then.has(act.id)) return []
      return [{ gate: was, newGate: task, act, acting, waits: now.has(acting.id), before, after, heir }]
    })
  })
}

/** Rules about where gates stand, and what their verdicts do. */
export const gateSafeguards: ReadonlyArray<Safeguard> = [
  {
    name: "gate-removed",
    why: "the gate is gone",
    find: (old, next) => {
      const heir = heirs(old, next)
      return old.plan.tasks
        .filter(({ id }) => old.gates.has(id) && !next.gates.has(heir.get(id)?.id ?? ""))
        .map(({ id, type }) => {
          const instead = next.plan.tasks.find((task) => task.id === id)
          return { place: `tasks.${id}`, old: type, ...(instead === undefined ? {} : { new: instead.type }) }
        })
    },
  },
  {
    name: "gate-not-awaited",
    why: "the task no longer waits for the gate",
    find: (old, next) =>
      guarded(old, next)
        .filter(({ waits }) => !waits)
        .map(({ acting, gate }) => ({ place: `tasks.${acting.id}`, old: `behind ${gate.id}` })),
  },
  {
    name: "gate-bypassed",
    why: "what the gate judges also gets there without it",
    find: (old, next) =>
      guarded(old, next)
        .filter(({ waits }) => waits)
        .flatMap(({ gate, newGate, act, acting, before, after, heir }) =>
          takes(gate).flatMap((producer) => {
            const source = heir.get(producer)?.id
            if (source === undefined || reach(before.data, producer, gate.id).has(act.id)) return []
            return reach(after.data, source, newGate.id).has(acting.id)
              ? [{ place: `tasks.${acting.id}`, old: `takes ${gate.id}`, new: `takes ${source} round ${newGate.id}` }]
              : []
          }),
        ),
  },
  {
    name: "gate-overruled",
    why: "a condition of its own lets the task start after the gate has failed",
    find: (old, next) => {
      const gates = new Map(pairedGates(old, next).map(({ was, task }) => [was.id, task.id]))
      return paired(old, next).flatMap(({ was, task }) => {
        const condition = task.if
        if (was.if !== undefined || condition === undefined) return []
        return was.needs.flatMap((need) => {
          const gate = gates.get(need)
          return gate === undefined || !task.needs.includes(gate) || tasksIn(condition).includes(gate)
            ? []
            : [{ place: `tasks.${task.id}.if`, new: condition }]
        })
      })
    },
  },
  {
    name: "gate-failure-ignored",
    why: "the pipeline goes on when the gate fails",
    find: (old, next) =>
      pairedGates(old, next)
        .filter(({ was, task }) => was.continueOnError !== true && task.continueOnError === true)
        .map(({ task }) => ({ place: `tasks.${task.id}.continueOnError`, new: true })),
  },
]
