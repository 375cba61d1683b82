import type { Plan, PlanTask } from "../domain/plan.ts"
import { blocks } from "./definition.ts"

/** Text inside the quotes of a Mermaid label: entities instead of what Mermaid would read. */
const escaped = (text: string): string => text.replace(/[#&"<>\n]/g, (char) => `#${char.charCodeAt(0)};`)

const label = (task: PlanTask): string => {
  const lines = [escaped(task.type === task.id ? task.id : `${task.id} (${task.type})`)]
  if (task.if !== undefined) lines.push(`if ${escaped(task.if)}`)
  return lines.join("<br/>")
}

/** The plan as a Mermaid flowchart: https://mermaid.js.org/syntax/flowchart.html. Blocks are subgraphs. */
export const draw = (plan: Plan): string => {
  const names = new Map(plan.tasks.map((task, i) => [task.id, `n${i}`]))
  const nodes = blocks.flatMap((block) => {
    const own = plan.tasks.filter((task) => (task.block ?? "tasks") === block)
    const lines = own.map((task) => `${names.get(task.id)}["${label(task)}"]`)
    if (own.length === 0 || block === "tasks") return lines.map((line) => `  ${line}`)
    return [`  subgraph ${block}_block["${block}"]`, ...lines.map((line) => `    ${line}`), "  end"]
  })
  const edges = plan.tasks.flatMap((task) => task.needs.map((need) => `  ${names.get(need)} --> ${names.get(task.id)}`))
  return ["flowchart TD", ...nodes, ...edges, ""].join("\n")
}
