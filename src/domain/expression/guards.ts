import type { ASTNode } from "@marcbachmann/cel-js"
import { isNode, nodesBelow, pathOf } from "./ast.ts"

/** Paths that have a value, as far as that is certain: `tasks.train`, `matrix.extra`. */
export interface Known {
  readonly has: (path: string) => boolean
}

/** `never`: what leads there does not happen, so anything is certain. */
type Facts = ReadonlySet<string> | "never"

const nothing: ReadonlySet<string> = new Set()

const both = (a: Facts, b: Facts): Facts =>
  a === "never" || b === "never" ? "never" : a.size === 0 ? b : b.size === 0 ? a : new Set([...a, ...b])

const either = (a: Facts, b: Facts): Facts =>
  a === "never" ? b : b === "never" ? a : new Set([...a].filter((path) => b.has(path)))

const isText = (node: ASTNode | undefined, text: string): boolean => node?.op === "value" && node.args === text

/** The task whose success a comparison with `"succeeded"` asks for. */
const succeeded = (status: ASTNode, isSucceeded: boolean): Facts => {
  const path = isSucceeded ? pathOf(status) : undefined
  return path?.length === 3 && path[0] === "tasks" && path[2] === "status" ? new Set([`tasks.${path[1]}`]) : nothing
}

/** Everything that a path leads through. */
const prefixes = (path: ReadonlyArray<string>): ReadonlySet<string> =>
  new Set(path.slice(1).map((_, i) => path.slice(0, i + 2).join(".")))

/** What is certain where a condition has this outcome. */
const certain = (node: ASTNode, outcome: boolean): Facts => {
  const [first, second, third] = nodesBelow(node)
  switch (node.op) {
    case "value":
      return node.args === !outcome ? "never" : nothing
    case "!_":
      return certain(first, !outcome)
    case "&&":
    case "||":
      return (outcome === (node.op === "&&") ? both : either)(certain(first, outcome), certain(second, outcome))
    case "?:":
      return either(
        both(certain(first, true), certain(second, outcome)),
        both(certain(first, false), certain(third, outcome)),
      )
    case "==":
    case "!=":
      if (outcome !== (node.op === "==")) return nothing
      return both(succeeded(first, isText(second, "succeeded")), succeeded(second, isText(first, "succeeded")))
    case "in": {
      const only = second.op === "list" && nodesBelow(second).every((item) => isText(item, "succeeded"))
      return outcome ? succeeded(first, only) : nothing
    }
    case "call": {
      const path = outcome && node.args[0] === "has" && isNode(first) ? pathOf(first) : undefined
      return path === undefined ? nothing : prefixes(path)
    }
    default:
      return nothing
  }
}

const known = (facts: Facts): Known => (facts === "never" ? { has: () => true } : facts)

/** What is certain where a condition holds. */
export const whereTrue = (condition: ASTNode): Known => known(certain(condition, true))

/**
 * Visits the nodes of an expression from above, each with whether it stands inside `has(…)` and with what is certain where
 * its value counts; `visit` says whether to go below. An error on one side of `&&` counts only where the other is true,
 * whichever comes first, and of `||` where it is false.
 */
export const walk = (ast: ASTNode, visit: (node: ASTNode, inHas: boolean, known: Known) => boolean): void => {
  const go = (node: ASTNode, inHas: boolean, facts: Facts): void => {
    if (!visit(node, inHas, known(facts))) return
    const below = nodesBelow(node)
    const [first, second, third] = below
    if (node.op === "&&" || node.op === "||") {
      const outcome = node.op === "&&"
      go(first, inHas, both(facts, certain(second, outcome)))
      return go(second, inHas, both(facts, certain(first, outcome)))
    }
    if (node.op === "?:") {
      go(first, inHas, facts)
      go(second, inHas, both(facts, certain(first, true)))
      return go(third, inHas, both(facts, certain(first, false)))
    }
    const within = inHas || (node.op === "call" && node.args[0] === "has")
    for (const child of below) go(child, within, facts)
  }
  go(ast, false, nothing)
}
