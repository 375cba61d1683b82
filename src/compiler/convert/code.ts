/** A piece of TypeScript, before it is laid out. */
export type Code =
  | { readonly kind: "raw"; readonly text: string }
  | { readonly kind: "list"; readonly items: ReadonlyArray<Code> }
  | { readonly kind: "object"; readonly entries: ReadonlyArray<readonly [string, Code]> }
  | { readonly kind: "call"; readonly callee: string; readonly args: ReadonlyArray<Code> }

const width = 120
const step = "  "

export const raw = (text: string): Code => ({ kind: "raw", text })
export const list = (items: ReadonlyArray<Code>): Code => ({ kind: "list", items })
export const object = (entries: ReadonlyArray<readonly [string, Code]>): Code => ({ kind: "object", entries })
export const call = (callee: string, ...args: ReadonlyArray<Code>): Code => ({ kind: "call", callee, args })

/** True for a name that stands without quotes. */
export const isName = (text: string): boolean => /^[A-Za-z_$][\w$]*$/.test(text)

const escapes: Readonly<Record<string, string>> = { "\\": "\\\\", "`": "\\`", "${": "\\${" }

/** Text as it stands between backquotes. */
export const templateText = (text: string): string =>
  // oxlint-disable-next-line no-control-regex
  text.replace(/\\|`|\$\{|[\u0000-\u0009\u000b-\u001f\u007f-\u009f\u2028\u2029\ufeff]/g, (found) => {
    return escapes[found] ?? `\\u${found.charCodeAt(0).toString(16).padStart(4, "0")}`
  })

/** A string literal: lines as lines, else with the quotes that need fewer escapes. */
export const string = (text: string): string => {
  if (/\n./s.test(text)) return `\`${templateText(text)}\``
  const double = JSON.stringify(text)
  const count = (char: string) => text.split(char).length
  if (count('"') <= count("'")) return double
  return `'${double.slice(1, -1).replaceAll('\\"', '"').replaceAll("'", "\\'")}'`
}

const keyOf = (key: string): string => {
  if (key === "__proto__") return '["__proto__"]'
  return isName(key) ? key : string(key)
}

const inline = (code: Code): string => {
  if (code.kind === "raw") return code.text
  if (code.kind === "list") return `[${code.items.map(inline).join(", ")}]`
  if (code.kind === "call") return `${code.callee}(${code.args.map(inline).join(", ")})`
  if (code.entries.length === 0) return "{}"
  return `{ ${code.entries.map(([key, item]) => pair(key, inline(item))).join(", ")} }`
}

const pair = (key: string, value: string): string =>
  key === value && isName(key) && !/^(true|false|null)$/.test(key) ? key : `${keyOf(key)}: ${value}`

const broken = (open: string, items: ReadonlyArray<string>, close: string, indent: string): string =>
  items.length === 0
    ? open + close
    : `${open}\n${items.map((item) => `${indent}${step}${item},\n`).join("")}${indent}${close}`

/** The text of a piece that begins at a column of a line with this indentation, and is followed by `after` characters. */
export const print = (code: Code, indent: string, column: number, after = 0): string => {
  const line = inline(code)
  if (code.kind === "raw" || (!line.includes("\n") && column + line.length + after <= width)) return line
  const inner = indent + step
  const item = (part: Code) => print(part, inner, inner.length, 1)
  if (code.kind === "list") return broken("[", code.items.map(item), "]", indent)
  if (code.kind === "object") {
    const pairs = code.entries.map(([key, value]) => {
      const lead = inner.length + keyOf(key).length + 2
      const printed = print(value, inner, lead, 1)
      const below =
        keyOf(key).length > 4 && value.kind === "raw" && /^["'][^\n]*$/.test(printed) && lead + printed.length >= width
      return below ? `${keyOf(key)}:\n${inner}${step}${printed}` : pair(key, printed)
    })
    return broken("{", pairs, "}", indent)
  }
  const last = code.args.at(-1)
  const others = code.args.slice(0, -1)
  const head = `${code.callee}(${others.map((arg) => `${inline(arg)}, `).join("")}`
  const hugs = last?.kind === "object" && !others.some(({ kind }) => kind === "object") && !head.includes("\n")
  if (hugs && column + head.length < width) return `${head}${print(last, indent, width)})`
  return broken(`${code.callee}(`, code.args.map(item), ")", indent)
}
