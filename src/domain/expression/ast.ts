import type { ASTNode } from "@marcbachmann/cel-js"

/** Whether a value is a node of a syntax tree. */
export const isNode = (value: unknown): value is ASTNode => typeof value === "object" && value !== null && "op" in value

/** The path that a node names, e.g. `["tasks", "train", "model"]`; undefined for any other node. */
export const pathOf = (node: ASTNode): ReadonlyArray<string> | undefined => {
  if (node.op === "id") return [String(node.args)]
  if (node.op === ".") {
    const [object, field] = node.args as [ASTNode, string]
    const path = pathOf(object)
    return path === undefined ? undefined : [...path, field]
  }
  return undefined
}

/** The nodes right below a node. */
export const nodesBelow = ({ args }: ASTNode): ReadonlyArray<ASTNode> => {
  const found: Array<ASTNode> = []
  const add = (value: unknown): void => {
    if (Array.isArray(value)) value.forEach(add)
    else if (isNode(value)) found.push(value)
  }
  add(args)
  return found
}
