import type { Plan, PlanTask } from "../domain/plan.ts"
import { blocks } from "./definition.ts"

const quoted = (text: string): string => `"${text.replace(/[\\"]/g, "\\$&").replaceAll("\n", "\\n")}"`

const label = (task: PlanTask): string => {
  const first = task.type === task.id ? task.id : `${task.id}\n${task.type}`
  return task.if === undefined ? first : `${first}\nif ${task.if}`
}

/** The plan as a Graphviz digraph: https://graphviz.org/doc/info/lang.html. Blocks are clusters. */
export const draw = (plan: Plan): string => {
  const nodes = blocks.flatMap((block) => {
    const own = plan.tasks.filter((task) => (task.block ?? "tasks") === block)
    const lines = own.map((task) => `${quoted(task.id)} [label=${quoted(label(task))}];`)
    if (own.length === 0 || block === "tasks") return lines.map((line) => `  ${line}`)
    const head = [`  subgraph ${quoted(`cluster_${block}`)} {`, `    label=${quoted(block)};`]
    return [...head, ...lines.map((line) => `    ${line}`), "  }"]
  })
  const edges = plan.tasks.flatMap((task) => task.needs.map((need) => `  ${quoted(need)} -> ${quoted(task.id)};`))
  return [`digraph ${quoted(plan.id)} {`, "  rankdir=TB;", "  node [shape=box];", ...nodes, ...edges, "}", ""].join(
    "\n",
  )
}
