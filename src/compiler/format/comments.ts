import { Lexer } from "yaml"
import type * as Source from "../source.ts"
import { position } from "../source.ts"
import { type Collection, type Comment, type Entry, columnOf, isEmpty } from "./layout.ts"

const markers = new Set(["\u0002", "\u0018", "\u001f"])

/** All comments of a text, in order. */
export const read = (source: Source.Source): ReadonlyArray<Comment> => {
  const comments: Array<Comment> = []
  let offset = 0
  let before = ""
  for (const lexeme of new Lexer().lex(source.text)) {
    if (lexeme.startsWith("#") && before !== "\u001f") {
      const { column, line } = position(source, offset)
      const start = source.lineStarts[line - 1]
      const ownLine = source.text.slice(start, offset).trim() === ""
      const previous = source.text.slice(source.lineStarts[line - 2] ?? start, start)
      comments.push({
        text: lexeme.trimEnd(),
        offset,
        column: column - 1,
        ownLine,
        blankBefore: ownLine && line > 1 && previous.trim() === "",
      })
    }
    if (!markers.has(lexeme)) offset += lexeme.length
    before = lexeme
  }
  return comments
}

/** All entries, in file order. */
const flatten = (collection: Collection, into: Array<Entry>): ReadonlyArray<Entry> => {
  for (const entry of collection.entries) {
    into.push(entry)
    if (entry.value.kind !== "text") flatten(entry.value, into)
  }
  return into
}

const contains = (collection: Collection, offset: number): boolean =>
  collection.flow && collection.start < offset && offset < collection.end

/** The innermost braces or brackets around an offset. */
const flowAround = (root: Collection, last: Entry | undefined, offset: number): Collection | undefined => {
  if (last !== undefined && last.value.kind !== "text" && contains(last.value, offset)) return last.value
  for (let at: Collection | undefined = last?.parent ?? root; at !== undefined; at = at.owner?.parent) {
    if (contains(at, offset)) return at
  }
  return undefined
}

const inFlow = (comment: Comment, flow: Collection): void => {
  const after = flow.entries.find(({ start }) => start > comment.offset)
  const before = flow.entries.findLast(({ start }) => start < comment.offset)
  if (!comment.ownLine && before !== undefined) before.trailing.push(comment)
  else (after?.leading ?? flow.closing).push(comment)
}

const inBlock = (comment: Comment, root: Collection, last: Entry | undefined, next: Entry | undefined): void => {
  let entry = last
  while (entry?.parent.flow === true && entry.parent.owner !== undefined) entry = entry.parent.owner
  if (entry === undefined || entry.parent.flow) {
    return void (entry === undefined ? (next?.leading ?? root.closing) : root.closing).push(comment)
  }
  const { value } = entry
  const opens = value.kind !== "text" && !value.flow && value.start > comment.offset
  if (!comment.ownLine) {
    return void (opens && entry.name === undefined ? entry.leading : entry.trailing).push(comment)
  }
  if (opens && next !== undefined) return void next.leading.push(comment)
  if (value.start > comment.offset) return void entry.leading.push(comment)
  const outside = next?.column ?? -1
  if (comment.column > outside) {
    if (isEmpty(value) && comment.column > entry.column) return void entry.below.push(comment)
    for (let at: Collection | undefined = entry.parent; at !== undefined; at = at.owner?.parent) {
      const column = columnOf(at)
      if (column > outside && column <= comment.column) return void at.closing.push(comment)
    }
  }
  ;(next?.leading ?? root.closing).push(comment)
}

/**
 * Gives every comment to the entry or collection that it speaks of: on a line of its own to what follows at its depth,
 * else to the end of the block that it is indented like; at the end of a line to what stands there.
 */
export const attach = (root: Collection, comments: ReadonlyArray<Comment>): void => {
  const entries = flatten(root, [])
  let at = 0
  for (const comment of comments) {
    while (at < entries.length && entries[at].start < comment.offset) at++
    const last = entries[at - 1]
    const flow = flowAround(root, last, comment.offset)
    if (flow === undefined) inBlock(comment, root, last, entries[at])
    else inFlow(comment, flow)
  }
}
