import type { Plan, PlanTask } from "../domain/plan.ts"
import { blocks } from "./definition.ts"
import { type Cell, type Layers, layout, middle } from "./graph-layers.ts"

/** More tasks than this, or a drawing wider than this, are shown as a list. */
const maxTasks = 50
const maxWidth = 160

const up = 1
const down = 2
const left = 4
const right = 8
const strokes = " ╵╷│╴┘┐┤╶└┌├─┴┬┼"

type Nets = ReadonlyMap<Cell, ReadonlyArray<Cell>>

/** Order of the nets' rows: one that comes down right above a foreign cell turns off before that cell's line begins. */
const ordered = (nets: Nets): ReadonlyArray<Cell> => {
  const waiting = [...nets.keys()]
  const blocked = (cell: Cell) =>
    waiting.some((other) => {
      const foreign = (to: Cell) => middle(to) === middle(other) && nets.get(other)?.includes(to) === false
      return other !== cell && nets.get(cell)?.some(foreign) === true
    })
  const out: Array<Cell> = []
  while (waiting.length > 0) {
    const next = Math.max(
      0,
      waiting.findIndex((cell) => !blocked(cell)),
    )
    out.push(...waiting.splice(next, 1))
  }
  return out
}

/**
 * Lines between two levels: a net per upper cell, each with a row of its own, joined where they meet a lower cell. A
 * line that only crosses another keeps its stroke, so that a corner or a tee is always a join.
 */
const channel = (edges: Layers["edges"][number], width: number): ReadonlyArray<string> => {
  const nets = new Map<Cell, Array<Cell>>()
  for (const { from, to } of edges) nets.set(from, [...(nets.get(from) ?? []), to])
  const straight = (from: Cell) => nets.get(from)?.every((to) => middle(to) === middle(from)) === true
  const bent = ordered(new Map([...nets].filter(([from]) => !straight(from))))
  const rows = Math.max(1, bent.length)
  const grid = Array.from({ length: rows }, () => new Uint8Array(width))
  for (const [from, to] of nets) {
    const turn = Math.max(0, bent.indexOf(from))
    for (let row = 0; row <= turn; row++) grid[row][middle(from)] |= row < turn ? up | down : up
    for (const cell of to) {
      for (let row = turn; row < rows; row++) grid[row][middle(cell)] |= row > turn ? up | down : down
    }
  }
  bent.forEach((from, row) => {
    const columns = new Set([from, ...(nets.get(from) ?? [])].map(middle))
    const [low, high] = [Math.min(...columns), Math.max(...columns)]
    for (let x = low; x <= high; x++) {
      if (grid[row][x] === 0 || columns.has(x)) grid[row][x] |= (x > low ? left : 0) | (x < high ? right : 0)
    }
  })
  return grid.map((row) => [...row].map((stroke) => strokes[stroke]).join(""))
}

const put = (line: Array<string>, at: number, text: string) => {
  for (let i = 0; i < text.length; i++) line[at + i] = text[i]
}

const boxes = (
  cells: ReadonlyArray<Cell>,
  width: number,
  above: ReadonlySet<Cell>,
  below: ReadonlySet<Cell>,
): ReadonlyArray<string> => {
  const height = Math.max(1, ...cells.map((cell) => cell.lines.length + 2))
  const rows = Array.from({ length: height }, () => Array.from({ length: width }, () => " "))
  for (const cell of cells) {
    if (cell.lines.length === 0) {
      for (const row of rows) row[cell.left] = "│"
      continue
    }
    const bar = "─".repeat(cell.width - 2)
    put(rows[0], cell.left, `┌${bar}┐`)
    cell.lines.forEach((line, i) => put(rows[i + 1], cell.left, `│ ${line.padEnd(cell.width - 4)} │`))
    put(rows[cell.lines.length + 1], cell.left, `└${bar}┘`)
    if (above.has(cell)) rows[0][middle(cell)] = "┴"
    if (!below.has(cell)) continue
    rows[cell.lines.length + 1][middle(cell)] = "┬"
    for (let row = cell.lines.length + 2; row < height; row++) rows[row][middle(cell)] = "│"
  }
  return rows.map((row) => row.join(""))
}

const drawing = (tasks: ReadonlyArray<PlanTask>): ReadonlyArray<string> | undefined => {
  const { levels, edges } = layout(tasks)
  const width = Math.max(0, ...levels.flat().map((cell) => cell.left + cell.width))
  if (tasks.length > maxTasks || width > maxWidth) return undefined
  return levels.flatMap((cells, i) => {
    const above = new Set((edges[i - 1] ?? []).map(({ to }) => to))
    const below = new Set(edges[i].map(({ from }) => from))
    return [...boxes(cells, width, above, below), ...(i < levels.length - 1 ? channel(edges[i], width) : [])]
  })
}

const list = (tasks: ReadonlyArray<PlanTask>): ReadonlyArray<string> =>
  tasks.map((task) => {
    const type = task.type === task.id ? "" : ` (${task.type})`
    const needs = task.needs.length === 0 ? "" : ` ← ${task.needs.join(", ")}`
    return `${task.id}${type}${task.if === undefined ? "" : " ?"}${needs}`
  })

/**
 * The plan as text: boxes in levels, lines from a task down to those that need it; `?` marks a task with a condition.
 * A plan that is too large to draw is a list with what each task needs.
 */
export const draw = (plan: Plan): string => {
  const parts = blocks.flatMap((block) => {
    const own = plan.tasks.filter((task) => (task.block ?? "tasks") === block)
    if (own.length === 0) return []
    const lines = drawing(own) ?? list(own)
    return [...(block === "tasks" ? [] : ["", `${block}:`]), ...lines]
  })
  return `${parts.map((line) => line.trimEnd()).join("\n")}\n`
}
