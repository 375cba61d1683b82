import * as Html from "../../html-page.ts"
import * as PeopleText from "./people-text.ts"
import { type Block, type Cell, type Inline, type RecordDocument, visible } from "./record-document.ts"

const inline = (part: Inline): string => {
  if (typeof part === "string") return Html.escape(visible(part))
  return "code" in part
    ? `<code>${Html.escape(visible(part.code))}</code>`
    : `<strong class="alarm">${Html.escape(visible(part.alarm))}</strong>`
}
const line = (parts: ReadonlyArray<Inline>) => parts.map(inline).join("")

const cell = (value: Cell): Html.Cell => {
  if (typeof value === "number") return value
  if (typeof value === "string" || "code" in value || "alarm" in value) return { html: inline(value) }
  if ("whole" in value) return { html: `<span class="nowrap">${Html.escape(visible(value.whole))}</span>` }
  return { html: "badge" in value ? Html.badge(value.badge, value.tone) : line(value) }
}

/** People's text: their lines as they wrote them. */
const people = (text: string): string =>
  `<div class="people">${text
    .split("\n")
    .map((each) => Html.escape(visible(each)))
    .join("\n")}</div>`

const block = (value: Block, kept: ReadonlyMap<string, string>): string => {
  switch (value.kind) {
    case "text":
      return `<p>${line(value.text)}</p>`
    case "list":
      return `<ul>${value.items.map((item) => `<li>${line(item)}</li>`).join("\n")}</ul>`
    case "people": {
      const theirs = kept.get(value.field)
      return theirs === undefined
        ? `<p class="notice"><em>${Html.escape(PeopleText.hintText(value.hint))}</em></p>`
        : people(theirs)
    }
    case "group":
      return `<details${value.open ? " open" : ""}><summary>${Html.escape(visible(value.title))}</summary>${value.blocks.map((inner) => block(inner, kept)).join("\n")}</details>`
    case "table": {
      const table = Html.table(
        value.heads,
        value.rows.map((cells) => cells.map(cell)),
      )
      return value.more === undefined ? table : `${table}<p class="soft">${line(value.more)}</p>`
    }
  }
}

const style = `<style>
.people { white-space: pre-wrap; overflow-wrap: anywhere; border-left: 4px solid #2f8f5f; background: var(--shade); padding: 8px 12px; margin: 14px 0; }
.alarm { color: #c23b3b; font-weight: 600; } @media (prefers-color-scheme: dark) { .alarm { color: #ef7d7d; } }
.wide { margin: 0 0 14px; } td { overflow-wrap: break-word; } summary { font-weight: 600; padding: 4px 0; } li { overflow-wrap: anywhere; } p { overflow-wrap: anywhere; }
</style>`

/** A record as a page of its own, with what people wrote into its Markdown. */
export const render = (document: RecordDocument, kept: ReadonlyMap<string, string>): string =>
  Html.page(
    document.title,
    `${style}<p>${Html.badge(document.badge.badge, document.badge.tone)} <span class="soft">${line(document.about)}</span></p>`,
    document.sections.map(({ blocks, title }) =>
      Html.section(title, blocks.map((each) => block(each, kept)).join("\n")),
    ),
  )
