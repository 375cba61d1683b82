import type { Plan, PlanTask } from "../domain/plan.ts"
import { blocks } from "./definition.ts"
import { type Cell, layout, middle } from "./graph-layers.ts"

/** Pixels of a character of the layout, a line of text, the space between two levels, and around everything. */
const column = 8.4
const row = 20
const between = 44
const padding = 24
const boxPadding = 10

/** Colours for light and dark; nothing comes from elsewhere, so that the drawing can be opened anywhere. */
const style = `
  .dandori { color-scheme: light dark; background: #ffffff; font: 14px ui-monospace, "DejaVu Sans Mono", Menlo, Consolas, monospace; }
  .page { fill: #ffffff; }
  .title { fill: #1c2430; font-weight: 700; font-size: 16px; }
  .block { fill: #5b6675; font-size: 13px; }
  .rule { stroke: #d5dae1; }
  .box { fill: #f6f8fa; stroke: #8b95a3; stroke-width: 1.25; }
  .acts .box { fill: #fff5e6; stroke: #b86a00; }
  .condition .box { stroke-dasharray: 5 3; }
  .id { fill: #1c2430; font-weight: 600; }
  .type { fill: #5b6675; font-size: 12.5px; }
  .edge { fill: none; stroke: #8b95a3; stroke-width: 1.4; }
  .tip { fill: #8b95a3; }
  @media (prefers-color-scheme: dark) {
    .dandori { background: #14181f; }
    .page { fill: #14181f; }
    .title, .id { fill: #e8ecf2; }
    .block, .type { fill: #a3adba; }
    .rule { stroke: #333b47; }
    .box { fill: #1f2630; stroke: #6d7887; }
    .acts .box { fill: #33260f; stroke: #d9962f; }
    .edge { stroke: #6d7887; }
    .tip { fill: #6d7887; }
  }`

const escaped = (text: string): string =>
  text
    .replaceAll("&", "&amp;")
    .replaceAll("<", "&lt;")
    .replaceAll(">", "&gt;")
    .replaceAll('"', "&quot;")
    // Control characters have no form in XML 1.0 (section 2.2).
    // oxlint-disable-next-line no-control-regex
    .replace(/[\u0000-\u0008\u000b\u000c\u000e-\u001f\ufffe\uffff]/g, " ")

const at = (value: number): string => String(Math.round(value * 10) / 10)

const xOf = (cell: Cell): number => padding + (middle(cell) + 0.5) * column
const heightOf = (cell: Cell): number => cell.lines.length * row + boxPadding

/** What a person reads when the pointer rests on a box. */
const hint = (task: PlanTask): string =>
  [
    `${task.id}: ${task.type} version ${task.version}, ${task.effects}`,
    ...(task.needs.length === 0 ? [] : [`needs ${task.needs.join(", ")}`]),
    ...(task.if === undefined ? [] : [`if ${task.if}`]),
  ].join("\n")

const acts = ({ effects }: PlanTask): boolean => effects === "once" || effects === "irreversible"

const box = (cell: Cell, task: PlanTask, top: number): string => {
  const classes = ["task", ...(acts(task) ? ["acts"] : []), ...(task.if === undefined ? [] : ["condition"])]
  const width = cell.width * column
  const [x, middleX] = [xOf(cell) - width / 2, xOf(cell)]
  const lines = cell.lines.map(
    (line, i) =>
      `<text class="${i === 0 ? "id" : "type"}" x="${at(middleX)}" y="${at(top + row * (i + 1) - 1)}" text-anchor="middle">${escaped(line)}</text>`,
  )
  return `<g class="${classes.join(" ")}"><title>${escaped(hint(task))}</title><rect class="box" x="${at(x)}" y="${at(top)}" width="${at(width)}" height="${at(heightOf(cell))}" rx="6"/>${lines.join("")}</g>`
}

/** From the bottom of one cell to the top of another, straight at both ends. */
const curve = (from: Cell, fromY: number, to: Cell, toY: number, start: number): string => {
  const [x, toX] = [xOf(from), xOf(to)]
  const bend = (toY - start) / 2
  const down = start > fromY ? `V${at(start)}` : ""
  return `<path class="edge" d="M${at(x)} ${at(fromY)}${down}C${at(x)} ${at(start + bend)} ${at(toX)} ${at(toY - bend)} ${at(toX)} ${at(toY)}"/>`
}

const tip = (cell: Cell, y: number): string => `<path class="tip" d="M${at(xOf(cell))} ${at(y)}l-4.5 -8h9z"/>`

interface Part {
  readonly text: ReadonlyArray<string>
  readonly width: number
  readonly bottom: number
}

/** The tasks of one block below `top`. */
const drawBlock = (tasks: ReadonlyArray<PlanTask>, top: number): Part => {
  const { edges, levels } = layout(tasks)
  const byId = new Map(tasks.map((task) => [task.id, task]))
  const heights = levels.map((cells) => Math.max(0, ...cells.map(heightOf)))
  const tops: Array<number> = []
  let y = top
  for (const height of heights) {
    tops.push(y)
    y += height + between
  }
  const lines = edges.flatMap((level, i) =>
    level.flatMap(({ from, to }) => {
      const passes = to.lines.length === 0
      const endY = passes ? tops[i + 1] : tops[i + 1] - 1
      const start = tops[i] + (from.lines.length === 0 ? 0 : heightOf(from))
      const line = curve(from, start, to, passes ? endY : endY - 6, tops[i] + heights[i])
      return passes ? [line] : [line, tip(to, endY)]
    }),
  )
  const boxes = levels.flatMap((cells, i) =>
    cells.flatMap((cell) => {
      const task = byId.get(cell.id)
      return task === undefined ? [] : [box(cell, task, tops[i])]
    }),
  )
  const right = Math.max(0, ...levels.flat().map((cell) => cell.left + cell.width))
  return { text: [...lines, ...boxes], width: right * column + 2 * padding, bottom: y - between }
}

/** What the looks of boxes mean, of those that are there. */
const legendOf = ({ tasks }: Plan): ReadonlyArray<string> => [
  ...(tasks.some(acts) ? ["tinted: acts once, outside"] : []),
  ...(tasks.some((task) => task.if !== undefined) ? ["dashed: has a condition"] : []),
]

/**
 * The plan as an SVG 1.1 drawing that stands for itself: boxes in levels, lines from a task down to those that need it,
 * light or dark as the viewer is. Tasks that act on the outside (once, irreversible) are tinted; a dashed box has a
 * condition. Blocks stand below each other.
 */
export const draw = (plan: Plan): string => {
  const text: Array<string> = []
  let y = padding + 34
  let width = plan.id.length * 10 + 2 * padding
  for (const block of blocks) {
    const own = plan.tasks.filter((task) => (task.block ?? "tasks") === block)
    if (own.length === 0) continue
    if (block !== "tasks") {
      text.push(`<path class="rule" d="M${padding} ${at(y)}H100%"/>`)
      text.push(`<text class="block" x="${padding}" y="${at(y + 24)}">${block}</text>`)
      y += 38
    }
    const part = drawBlock(own, y)
    text.push(...part.text)
    width = Math.max(width, part.width)
    y = part.bottom + padding
  }
  const legend = legendOf(plan)
  legend.forEach((line, i) => text.push(`<text class="block" x="${padding}" y="${at(y + 18 * i + 6)}">${line}</text>`))
  width = Math.max(width, ...legend.map((line) => line.length * 8 + 2 * padding))
  const [w, h] = [Math.ceil(width), Math.ceil(y + 18 * legend.length)]
  const body = text.map((line) => line.replace("H100%", `H${w - padding}`))
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" class="dandori" width="${w}" height="${h}" viewBox="0 0 ${w} ${h}" role="img" aria-label="Tasks of ${escaped(plan.id)}">`,
    `<style>${style}\n</style>`,
    `<rect class="page" width="${w}" height="${h}"/>`,
    `<text class="title" x="${padding}" y="${padding + 14}">${escaped(plan.id)}</text>`,
    ...body,
    "</svg>",
    "",
  ].join("\n")
}
