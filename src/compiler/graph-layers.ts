import type { PlanTask } from "../domain/plan.ts"

/** A box of the drawing; without lines it is a place where a long edge passes a level. */
export interface Cell {
  readonly id: string
  readonly lines: ReadonlyArray<string>
  readonly width: number
  left: number
}

/** Boxes by level, and the edges from each level to the next. */
export interface Layers {
  readonly levels: ReadonlyArray<ReadonlyArray<Cell>>
  readonly edges: ReadonlyArray<ReadonlyArray<{ readonly from: Cell; readonly to: Cell }>>
}

const gap = 2

/** Column of a cell's middle. */
export const middle = (cell: Cell): number => cell.left + Math.floor(cell.width / 2)

const linesOf = (task: PlanTask): ReadonlyArray<string> => {
  const name = task.if === undefined ? task.id : `${task.id} ?`
  return task.type === task.id ? [name] : [name, task.type]
}

const levelsOf = (tasks: ReadonlyArray<PlanTask>): ReadonlyMap<string, number> => {
  const level = new Map<string, number>()
  for (const task of tasks) {
    level.set(task.id, Math.max(0, ...task.needs.map((need) => (level.get(need) ?? -1) + 1)))
  }
  return level
}

/** Non-decreasing whole numbers nearest to the given ones: pool adjacent violators. */
const nearestRising = (wanted: ReadonlyArray<number>): ReadonlyArray<number> => {
  const pools: Array<{ sum: number; count: number }> = []
  for (const one of wanted) {
    let pool = { sum: one, count: 1 }
    for (
      let last = pools.at(-1);
      last !== undefined && last.sum / last.count > pool.sum / pool.count;
      last = pools.at(-1)
    ) {
      pools.pop()
      pool = { sum: pool.sum + last.sum, count: pool.count + last.count }
    }
    pools.push(pool)
  }
  return pools.flatMap(({ sum, count }) => Array.from({ length: count }, () => Math.round(sum / count)))
}

/** Sets the cells of a level beside each other, each as near below the middle of its parents as all allow. */
const place = (cells: Array<Cell>, parents: ReadonlyMap<Cell, ReadonlyArray<Cell>>): void => {
  const wanted = (cell: Cell): number => {
    const above = parents.get(cell) ?? []
    return above.reduce((sum, parent) => sum + middle(parent), 0) / Math.max(1, above.length)
  }
  const sorted = cells.map((cell) => ({ cell, at: wanted(cell) })).toSorted((a, b) => a.at - b.at)
  let offset = 0
  const offsets = sorted.map(({ cell }) => {
    const own = offset
    offset += cell.width + gap
    return own
  })
  const lefts = nearestRising(sorted.map(({ cell, at }, i) => at - Math.floor(cell.width / 2) - offsets[i]))
  sorted.forEach(({ cell }, i) => {
    cell.left = lefts[i] + offsets[i]
  })
  cells.splice(0, cells.length, ...sorted.map(({ cell }) => cell))
}

/** Assigns tasks in topological order to levels and columns; edges over several levels pass through empty cells. */
export const layout = (tasks: ReadonlyArray<PlanTask>): Layers => {
  const level = levelsOf(tasks)
  const depth = Math.max(-1, ...level.values()) + 1
  const levels: Array<Array<Cell>> = Array.from({ length: depth }, () => [])
  const edges: Array<Array<{ from: Cell; to: Cell }>> = Array.from({ length: depth }, () => [])
  const cells = new Map<string, Cell>()
  const passing = new Map<string, Cell>()
  for (const task of tasks) {
    const lines = linesOf(task)
    const cell: Cell = { id: task.id, lines, width: Math.max(...lines.map((line) => line.length)) + 4, left: 0 }
    const own = level.get(task.id) ?? 0
    cells.set(task.id, cell)
    levels[own].push(cell)
    for (const need of task.needs) {
      let from = cells.get(need)
      if (from === undefined) continue
      for (let at = (level.get(need) ?? 0) + 1; at < own; at++) {
        const key = `${need}@${at}`
        let pass = passing.get(key)
        if (pass === undefined) {
          pass = { id: key, lines: [], width: 1, left: 0 }
          passing.set(key, pass)
          levels[at].push(pass)
          edges[at - 1].push({ from, to: pass })
        }
        from = pass
      }
      edges[own - 1].push({ from, to: cell })
    }
  }
  levels.forEach((row, i) => {
    const parents = new Map<Cell, Array<Cell>>()
    for (const { from, to } of edges[i - 1] ?? []) parents.set(to, [...(parents.get(to) ?? []), from])
    place(row, parents)
  })
  const left = Math.min(0, ...levels.flat().map((cell) => cell.left))
  for (const cell of levels.flat()) cell.left -= left
  return { levels, edges }
}
