/** A record for people, before it is Markdown or HTML: everything in it is plain text, which the two forms escape. */

/** A piece of a sentence; `code` is shown as it stands, in a fixed width; `alarm` is what went wrong. */
export type Inline = string | { readonly code: string } | { readonly alarm: string }

/** A cell of a table; a number is aligned to the right, a badge is a coloured word, `whole` is not wrapped. */
export type Cell =
  | Inline
  | number
  | ReadonlyArray<Inline>
  | { readonly whole: string }
  | { readonly badge: string; readonly tone: "good" | "warn" | "bad" | "plain" }

/**
 * A part of a section. `people`: what only people can know, under the name that their text is kept by; `hint` says who is
 * to fill it in with what. `more` says what a table leaves out and where it is. `group` is folded where that is possible.
 */
export type Block =
  | { readonly kind: "text"; readonly text: ReadonlyArray<Inline> }
  | { readonly kind: "list"; readonly items: ReadonlyArray<ReadonlyArray<Inline>> }
  | {
      readonly kind: "table"
      readonly heads: ReadonlyArray<string>
      readonly rows: ReadonlyArray<ReadonlyArray<Cell>>
      readonly more?: ReadonlyArray<Inline> | undefined
    }
  | { readonly kind: "group"; readonly title: string; readonly open: boolean; readonly blocks: ReadonlyArray<Block> }
  | { readonly kind: "people"; readonly field: string; readonly hint: string }

export interface Section {
  readonly title: string
  readonly blocks: ReadonlyArray<Block>
}

/** A record: its standing in a word, what it is about in a line, its sections. */
export interface RecordDocument {
  readonly title: string
  readonly badge: { readonly badge: string; readonly tone: "good" | "warn" | "bad" | "plain" }
  readonly about: ReadonlyArray<Inline>
  readonly sections: ReadonlyArray<Section>
}

/** A sentence. */
export const text = (...parts: ReadonlyArray<Inline>): Block => ({ kind: "text", text: parts })

/** The rows that are shown of a table, and what is said of the others: so many more, the whole list in a file. */
export const atMost = <A>(
  rows: ReadonlyArray<A>,
  most: number,
  file: string,
): { readonly shown: ReadonlyArray<A>; readonly more: ReadonlyArray<Inline> | undefined } => ({
  shown: rows.slice(0, most),
  more:
    rows.length <= most
      ? undefined
      : [
          `and ${(rows.length - most).toLocaleString("en-US")} more; the whole list is in `,
          { code: file },
          " in the incident's folder",
        ],
})

// oxlint-disable-next-line no-control-regex
const steering = /[\u0000-\u001f\u007f-\u009f\u2028\u2029\u200e\u200f\u202a-\u202e\u2066-\u2069]/g

/** Text from elsewhere on one line, what would steer a terminal or turn the direction of writing made visible. */
export const visible = (given: string): string =>
  given.toWellFormed().replace(steering, (char) => {
    if (char === "\n" || char === "\r" || char === "\t") return " "
    const code = char.charCodeAt(0).toString(16)
    return code.length > 2 ? `\\u${code}` : `\\x${code.padStart(2, "0")}`
  })
