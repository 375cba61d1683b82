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

/** Sets the cells of a level beside each other, each as near below its parents as the ones before it allow. */
const place = (cells: Array<Cell>, parents: ReadonlyMap<Cell, ReadonlyArray<Cell>>): void => {
  const wanted = (cell: Cell): number | undefined => {
    const above = parents.get(cell) ?? []
    if (above.length === 0) return undefined
    return above.reduce((sum, parent) => sum + middle(parent), 0) / above.length
  }
  const keyed = cells.map((cell) => ({ cell, at: wanted(cell) }))
  keyed.sort((a, b) => (a.at ?? Infinity) - (b.at ?? Infinity) || 0)
  const widths = keyed.reduce((sum, { cell }) => sum + cell.width + gap, -gap)
  const centre = keyed.reduce((sum, { at, cell }) => sum + (at ?? 0) * cell.width, 0) / Math.max(1, widths)
  let from = Math.max(0, Math.round(centre - widths / 2))
  if (keyed.length === 1) from = 0
  keyed.forEach(({ cell, at }, i) => {
    const best = at === undefined ? from : Math.round(at) - Math.floor(cell.width / 2)
    cell.left = Math.max(i === 0 ? Math.min(from, Math.max(0, best)) : from, keyed.length === 1 ? best : Math.min(best, from), 0)
    from = cell.left + cell.width + gap
  })
  cells.splice(0, cells.length, ...keyed.map(({ cell }) => cell))
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
  return { levels, edges }
}
