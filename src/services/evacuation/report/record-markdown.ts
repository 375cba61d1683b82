import type { Block, Cell, Inline, RecordDocument } from "./record-document.ts"
import { visible } from "./record-document.ts"
import * as PeopleText from "./people-text.ts"

/** A text as it may stand anywhere in a line of Markdown: no markup, no HTML, no link. */
export const escape = (text: string): string =>
  visible(text)
    .replace(/[\\`*_[\]|~#]/g, (character) => `\\${character}`)
    .replaceAll("&", "&amp;")
    .replaceAll("<", "&lt;")
    .replaceAll(">", "&gt;")
    .replaceAll("://", "&#58;//")
    .replaceAll(/www\./gi, (found) => `${found.slice(0, 3)}&#46;`)
    .replaceAll("@", "&#64;")

/** A text as code: between more backticks than it holds in a row. */
const code = (text: string, inTable: boolean): string => {
  const plain = visible(text)
  const most = Math.max(0, ...[...plain.matchAll(/`+/g)].map(([run]) => run.length))
  const fence = "`".repeat(most + 1)
  const room = plain.startsWith("`") || plain.endsWith("`") || plain.trim() === "" ? " " : ""
  return `${fence}${room}${inTable ? plain.replaceAll("|", "\\|") : plain}${room}${fence}`
}

const inline = (part: Inline, inTable = false): string => {
  if (typeof part === "string") return escape(part)
  return "code" in part ? code(part.code, inTable) : `**${escape(part.alarm.trim())}**`
}

const cell = (value: Cell): string => {
  if (typeof value === "number") return value.toLocaleString("en-US")
  if (typeof value === "string" || "code" in value || "alarm" in value) return inline(value, true)
  if ("whole" in value) return escape(value.whole)
  return "badge" in value ? escape(value.badge) : value.map((part) => inline(part, true)).join("")
}

const row = (cells: ReadonlyArray<string>) => `| ${cells.join(" | ")} |`
const line = (parts: ReadonlyArray<Inline>) => parts.map((part) => inline(part)).join("")

const block = (value: Block, kept: ReadonlyMap<string, string>, depth: number): ReadonlyArray<string> => {
  switch (value.kind) {
    case "text":
      return [line(value.text)]
    case "list":
      return [value.items.map((item) => `- ${line(item)}`).join("\n")]
    case "people":
      return [PeopleText.field(value.field, value.hint, kept)]
    case "group":
      return [
        `${"#".repeat(depth)} ${escape(value.title)}`,
        ...value.blocks.flatMap((inner) => block(inner, kept, depth + 1)),
      ]
    case "table": {
      const right = value.heads.map((_, at) => value.rows.every((cells) => typeof cells[at] === "number"))
      const table = [
        row(value.heads.map(escape)),
        row(right.map((isRight) => (isRight ? "---:" : "---"))),
        ...value.rows.map((cells) => row(cells.map(cell))),
      ]
      return value.more === undefined ? [table.join("\n")] : [table.join("\n"), line(value.more)]
    }
  }
}

/** A record as Markdown (GFM), with what people wrote into an earlier one in its place. */
export const render = (document: RecordDocument, kept: ReadonlyMap<string, string>): string =>
  PeopleText.sealed(
    [
      `# ${escape(document.title)}`,
      `**${escape(document.badge.badge)}** · ${line(document.about)}`,
      ...document.sections.flatMap(({ blocks, title }) => [
        `## ${escape(title)}`,
        ...blocks.flatMap((each) => block(each, kept, 3)),
      ]),
    ].join("\n\n"),
  )
