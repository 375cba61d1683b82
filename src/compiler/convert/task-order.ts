import * as Template from "../../domain/expression/template.ts"
import type { Block } from "../../domain/plan.ts"
import { blocks } from "../definition.ts"

type Document = Readonly<Record<string, unknown>>

/** A task of a document. */
export interface Task {
  readonly id: string
  readonly block: Block
  readonly definition: Document
}

const needsOf = (definition: Document): ReadonlyArray<string> => {
  const { needs } = definition
  return (Array.isArray(needs) ? needs : needs === undefined ? [] : [needs]).map(String)
}

/** The sources of the expressions that stand in a part of a document. */
export const sources = (given: unknown): ReadonlyArray<string> => {
  if (Array.isArray(given)) return given.flatMap(sources)
  if (typeof given === "object" && given !== null) return Object.values(given).flatMap(sources)
  if (typeof given !== "string" || !Template.hasExpression(given)) return []
  const parts = Template.parse(given)
  return "unclosedAt" in parts ? [] : parts.flatMap((part) => (part._tag === "Expression" ? [part.source] : []))
}

/** Ids that a part of a document names after `tasks.`. */
const named = (given: unknown, condition: unknown): ReadonlyArray<string> =>
  [...sources(given), ...(condition === undefined ? [] : [String(condition)])].flatMap((source) =>
    [...source.matchAll(/\btasks\.([a-z][a-z0-9_]*)/g)].map((match) => match[1]),
  )

const readsOf = ({ definition }: Task): ReadonlyArray<string> => {
  const { if: condition, needs: _, description: __, ...rest } = definition
  return [...needsOf(definition), ...named(rest, condition)]
}

/** The tasks of a document, block by block; each stands after those that it needs or reads, else in the file's order. */
export const inOrder = (document: Document): ReadonlyArray<Task> => {
  const all = blocks.flatMap((block) =>
    Object.entries((document[block] ?? {}) as Record<string, Document>).map(([id, definition]): Task => ({
      id,
      block,
      definition,
    })),
  )
  const byId = new Map(all.map((task) => [task.id, task]))
  const placed = new Set<Task>()
  for (const block of blocks) {
    for (const task of all) {
      if (task.block !== block) continue
      const open = [task]
      while (open.length > 0) {
        const at = open[open.length - 1]
        const before = readsOf(at)
          .map((id) => byId.get(id))
          .find((other) => other !== undefined && other !== at && !placed.has(other) && !open.includes(other))
        if (before === undefined) placed.add(open.pop() ?? at)
        else open.push(before)
      }
    }
  }
  return [...placed]
}
