/** A comment of the file. `column` counts from 0; `ownLine`: nothing but space stands before it. */
export interface Comment {
  readonly text: string
  readonly offset: number
  readonly column: number
  readonly ownLine: boolean
  readonly blankBefore: boolean
}

/** A pair of a map (with `key`) or an item of a list, and the comments that go where it goes. */
export interface Entry {
  readonly name: string | undefined
  /** The key as it is written in braces. */
  readonly flowName: string | undefined
  readonly start: number
  readonly column: number
  readonly parent: Collection
  value: Value
  blankBefore: boolean
  readonly leading: Array<Comment>
  /** On its line, after it. */
  readonly trailing: Array<Comment>
  /** Deeper than an entry that has no value: what was commented out there. */
  readonly below: Array<Comment>
}

/** A map or a list, in the order in which it is printed. */
export interface Collection {
  readonly kind: "map" | "list"
  readonly flow: boolean
  readonly start: number
  readonly end: number
  readonly owner: Entry | undefined
  readonly anchor: string
  readonly entries: Array<Entry>
  /** After the last entry. */
  readonly closing: Array<Comment>
}

/** A scalar or an alias. */
export interface Text {
  readonly kind: "text"
  readonly start: number
  readonly anchor: string
  /** On one line, between other keys of a block; undefined when it has no such form. */
  readonly block: string | undefined
  /** On one line, in braces or brackets. */
  readonly flow: string | undefined
  /** The author's lines, without their indentation: of a text over several lines. */
  readonly lines: ReadonlyArray<string>
  /** A literal or folded block: its header (`|-`). */
  readonly header: string | undefined
}

export type Value = Collection | Text

/** The column that a block collection's entries stand in. */
export const columnOf = (collection: Collection): number => collection.entries[0]?.column ?? 0

/** True for an entry without a value. */
export const isEmpty = (value: Value): boolean => value.kind === "text" && value.block === ""

const hasOwn = ({ leading, trailing, below }: Entry): boolean => leading.length + trailing.length + below.length > 0

/** True when a comment stands somewhere within the value. */
export const hasComments = (value: Value): boolean =>
  value.kind !== "text" &&
  (value.closing.length > 0 || value.entries.some((entry) => hasOwn(entry) || hasComments(entry.value)))
