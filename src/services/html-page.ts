/** Self-contained HTML pages for reports: no script, no font, no request; light and dark. Everything given as text is escaped. */

/** A text as it may stand in HTML, between tags and in quoted attributes. */
export const escape = (text: string): string => text.replace(/[&<>"']/g, (character) => `&#${character.charCodeAt(0)};`)

/** A cell: text, or HTML that is safe already. */
export type Cell = string | number | { readonly html: string }

const cell = (value: Cell) => (typeof value === "object" ? value.html : escape(String(value)))

/** A table; columns whose every cell is a number are aligned to the right. */
export const table = (heads: ReadonlyArray<string>, rows: ReadonlyArray<ReadonlyArray<Cell>>): string => {
  const right = heads.map((_, column) => rows.length > 0 && rows.every((row) => typeof row[column] === "number"))
  const row = (tag: string, cells: ReadonlyArray<Cell>) =>
    `<tr>${cells.map((value, column) => `<${tag}${right[column] ? ' class="number"' : ""}>${cell(value)}</${tag}>`).join("")}</tr>`
  return `<div class="wide"><table><thead>${row("th", heads)}</thead><tbody>${rows.map((cells) => row("td", cells)).join("\n")}</tbody></table></div>`
}

/** A verdict or state as a coloured word. */
export const badge = (text: string, tone: "good" | "warn" | "bad" | "plain"): string =>
  `<span class="badge ${tone}">${escape(text)}</span>`

/** A section with a heading; `body` is HTML. */
export const section = (title: string, body: string): string => `<section><h2>${escape(title)}</h2>\n${body}</section>`

const style = `
:root { color-scheme: light dark; --ink: #1d2126; --soft: #5c6670; --paper: #ffffff; --line: #dfe3e8; --shade: #f5f7f9; }
@media (prefers-color-scheme: dark) { :root { --ink: #e4e7eb; --soft: #9aa4af; --paper: #15181c; --line: #2d333a; --shade: #1c2026; } }
* { box-sizing: border-box; }
body { margin: 0 auto; max-width: 1180px; padding: 28px 24px 64px; background: var(--paper); color: var(--ink); font: 14px/1.5 system-ui, sans-serif; }
h1 { font-size: 22px; margin: 0 0 4px; } h2 { font-size: 16px; margin: 32px 0 10px; }
.soft { color: var(--soft); } code, .mono { font: 12px/1.5 ui-monospace, monospace; overflow-wrap: anywhere; }
.wide { overflow-x: auto; } table { border-collapse: collapse; width: 100%; }
th, td { text-align: left; vertical-align: top; padding: 5px 12px 5px 0; border-bottom: 1px solid var(--line); } th { color: var(--soft); font-weight: 600; }
.nowrap { white-space: nowrap; } .number { text-align: right; font-variant-numeric: tabular-nums; }
.badge { display: inline-block; padding: 0 8px; border-radius: 9px; font-size: 12px; font-weight: 600; white-space: nowrap; color: #fff; background: #6b7480; }
.good { background: #2f8f5f; } .warn { background: #b7791f; } .bad { background: #c23b3b; }
.notice { border-left: 4px solid #b7791f; background: var(--shade); padding: 8px 12px; margin: 14px 0; }
.charts { display: flex; flex-wrap: wrap; gap: 12px; } .charts img { max-width: 100%; height: auto; background: var(--shade); border-radius: 6px; }
details { margin: 6px 0; } summary { cursor: pointer; }`

/** A whole page; `head` and the parts are HTML, `title` is text. */
export const page = (title: string, head: string, parts: ReadonlyArray<string>): string => `<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; img-src data:; style-src 'unsafe-inline'">
<title>${escape(title)}</title><style>${style}</style></head>
<body><h1>${escape(title)}</h1>
${head}
${parts.join("\n")}
</body></html>
`
