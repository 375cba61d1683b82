import type { Collection, Comment, Entry } from "./layout.ts"

const pipelineKeys = [
  "version",
  "id",
  "description",
  "params",
  "env",
  "schedule",
  "on",
  "concurrency",
  "audit",
  "timeout",
  "defaults",
  "outputs",
  "tasks",
  "onFailure",
  "onCancel",
  "finally",
]
const taskKeys = [
  "description",
  "uses",
  "if",
  "needs",
  "matrix",
  "with",
  "resources",
  "labels",
  "priority",
  "approval",
  "pauseUntil",
  "retry",
  "timeout",
  "heartbeat",
  "cache",
  "continueOnError",
]
const taskBlocks = new Set(["tasks", "onFailure", "onCancel", "finally"])
const maps = new Set(["params", "schedule", "on", "defaults", "outputs", ...taskBlocks])

/** Sorts known keys; unknown ones keep their order at the end. */
const sort = (collection: Collection, keys: ReadonlyArray<string>): void => {
  const rank = ({ name }: Entry): number => {
    const at = keys.indexOf(name ?? "")
    return at === -1 ? keys.length : at
  }
  collection.entries.sort((a, b) => rank(a) - rank(b))
}

/** True for a map that has a line per key however short it is: the pipeline, its sections, its tasks. */
export const isOpen = (collection: Collection): boolean => {
  const { kind, owner } = collection
  if (kind !== "map" || owner === undefined) return kind === "map"
  const above = owner.parent
  if (above.owner === undefined) return maps.has(owner.name ?? "")
  return above.kind === "map" && above.owner.parent.owner === undefined && taskBlocks.has(above.owner.name ?? "")
}

/** Comments at the top of the file that belong to no key, and whether a blank line ends them. */
export interface Header {
  readonly comments: ReadonlyArray<Comment>
  readonly blankAfter: boolean
}

const isModeline = ({ text }: Comment): boolean => /^#\s*yaml-language-server:/.test(text)

const takeHeader = (root: Collection): Header => {
  const modelines: Array<Comment> = []
  for (const { leading } of root.entries) {
    for (let i = leading.length - 1; i >= 0; i--) if (isModeline(leading[i])) modelines.unshift(...leading.splice(i, 1))
  }
  const [first] = root.entries
  const { leading } = first
  const blankAt = first.blankBefore ? leading.length : leading.findLastIndex(({ blankBefore }) => blankBefore)
  const blankAfter = first.blankBefore || blankAt > 0 || (blankAt === 0 && modelines.length > 0)
  const taken = leading.splice(0, Math.max(0, blankAt))
  if (leading.length === 0) first.blankBefore = false
  else leading[0] = { ...leading[0], blankBefore: false }
  return { comments: [...modelines, ...taken], blankAfter }
}

/**
 * Moves comments that have no place of their own to the lines above their entry: several at the end of one line, those
 * in an empty collection, and those above the first of a list's item, which stands beside the dash.
 */
const settle = ({ entries }: Collection): void => {
  for (const { leading, name, trailing, value } of entries) {
    leading.push(...trailing.splice(0, trailing.length - 1))
    if (value.kind === "text") continue
    settle(value)
    const [first] = value.entries
    if (first === undefined) leading.push(...value.closing.splice(0))
    else if (name === undefined && value.anchor === "") leading.push(...first.leading.splice(0))
  }
}

/** Takes the file's header off, and puts the keys of the pipeline and of each task in their order. */
export const arrange = (root: Collection): Header => {
  settle(root)
  const header = takeHeader(root)
  sort(root, pipelineKeys)
  for (const { name, value } of root.entries) {
    if (value.kind !== "map" || !taskBlocks.has(name ?? "")) continue
    for (const task of value.entries) if (task.value.kind === "map") sort(task.value, taskKeys)
  }
  return header
}
