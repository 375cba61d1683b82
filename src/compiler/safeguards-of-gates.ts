import type { PlanTask } from "../domain/plan.ts"
import { type PlanSide, takes, tasksIn } from "./plan-side.ts"
import { type Pair, type Safeguard, heirs, paired, pairedGates } from "./safeguard.ts"

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
}

const graphOf = ({ plan: { tasks } }: PlanSide): Graph => ({
  waiting: edgesOf(tasks, ({ needs }) => needs),
  data: edgesOf(tasks, takes),
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

/** A gate of both sides, and the acting tasks behind it that both sides have. */
const guarded = (old: PlanSide, next: PlanSide) => {
  const gates = pairedGates(old, next)
  if (gates.length === 0) return []
  const [before, after] = [graphOf(old), graphOf(next)]
  const acting = paired(old, next).filter(({ was }) => acts(was))
  return gates.map(({ was, task }) => {
    const [then, now] = [reach(before.waiting, was.id), reach(after.waiting, task.id)]
    const behind = acting.filter((pair) => then.has(pair.was.id))
    return { was, task, before, after, behind, waits: ({ task: act }: Pair) => now.has(act.id) }
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
      guarded(old, next).flatMap(({ behind, waits, was }) =>
        behind
          .filter((pair) => !waits(pair))
          .map(({ task }) => ({ place: `tasks.${task.id}`, old: `behind ${was.id}` })),
      ),
  },
  {
    name: "gate-bypassed",
    why: "what the gate judges also gets there without it",
    find: (old, next) => {
      const heir = heirs(old, next)
      return guarded(old, next).flatMap(({ after, before, behind, task: gate, waits, was }) =>
        takes(was).flatMap((producer) => {
          const source = heir.get(producer)?.id
          if (source === undefined) return []
          const [then, now] = [reach(before.data, producer, was.id), reach(after.data, source, gate.id)]
          return behind
            .filter((pair) => waits(pair) && !then.has(pair.was.id) && now.has(pair.task.id))
            .map(({ task }) => ({
              place: `tasks.${task.id}`,
              old: `takes ${was.id}`,
              new: `takes ${source} round ${gate.id}`,
            }))
        }),
      )
    },
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
