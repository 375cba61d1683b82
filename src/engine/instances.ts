import * as Matrices from "../domain/matrix.ts"
import { type TaskStatus, matrixAt, taskOf } from "./run-state.ts"
import type { RunFacts } from "./run-facts.ts"

const matrixOf = ({ state }: RunFacts, id: string) => matrixAt(state, state.plan.indexOf.get(id) ?? -1)

/** The ids of the instances that a matrix has, in order; none for another task, and before they are known. */
export const idsOf = (facts: RunFacts, id: string): ReadonlyArray<string> =>
  Array.from({ length: matrixOf(facts, id)?.count ?? 0 }, (_, n) => `${id}[${n}]`)

/** What the instances of a matrix are made of, in their order; none where the values are too large for the ledger. */
export const combinationsOf = (facts: RunFacts, id: string): ReadonlyArray<Matrices.Combination> => {
  const matrix = facts.plan.tasks.find((task) => task.id === id)?.matrix
  const open = matrixOf(facts, id)
  if (matrix === undefined || open === undefined || open.valuesArtifact !== undefined) return []
  return Matrices.combinations(matrix, Matrices.filledValues(matrix, open.values ?? {}))
}

const words: ReadonlyArray<readonly [string, ReadonlyArray<TaskStatus>]> = [
  ["failed", ["failed", "timed_out", "lost"]],
  ["unknown", ["unknown"]],
  ["warned", ["warned"]],
  ["skipped", ["skipped"]],
  ["cancelled", ["cancelled"]],
]

/** How many instances a matrix has, and how many of them did not just succeed: `300 instances, 2 failed`. */
export const told = (facts: RunFacts, id: string): string => {
  const matrix = matrixOf(facts, id)
  if (matrix === undefined) return ""
  const statuses = idsOf(facts, id).map((instance) => taskOf(facts.state, instance).status)
  const parts = words.flatMap(([word, of]) => {
    const count = statuses.filter((status) => of.includes(status)).length
    return count === 0 ? [] : [`${count.toLocaleString("en-US")} ${word}`]
  })
  const all = `${matrix.count.toLocaleString("en-US")} ${matrix.count === 1 ? "instance" : "instances"}`
  return [all, ...parts].join(", ")
}
