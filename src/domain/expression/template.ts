/** One piece of a string that may hold expressions: text as it stands, or the source between `${{` and `}}`. */
export type Part =
  | { readonly _tag: "Text"; readonly text: string }
  | { readonly _tag: "Expression"; readonly source: string; readonly offset: number }

/** A string cut into its pieces, or where it is not closed. Offsets count characters of the string. */
export const parse = (text: string): ReadonlyArray<Part> | { readonly unclosedAt: number } => {
  const parts: Array<Part> = []
  let from = 0
  while (true) {
    const start = text.indexOf("${{", from)
    if (start === -1) break
    const end = closing(text, start + 3)
    if (end === -1) return { unclosedAt: start }
    if (start > from) parts.push({ _tag: "Text", text: text.slice(from, start) })
    const inner = text.slice(start + 3, end)
    const source = inner.trim()
    parts.push({ _tag: "Expression", source, offset: start + 3 + inner.indexOf(source) })
    from = end + 2
  }
  if (from < text.length || parts.length === 0) parts.push({ _tag: "Text", text: text.slice(from) })
  return parts
}

/** Index of the `}}` that closes an expression: not one inside a string literal, nor of nested braces. */
const closing = (text: string, from: number): number => {
  let depth = 0
  for (let i = from; i < text.length; i++) {
    const char = text[i]
    if (char === '"' || char === "'") {
      let j = i + 1
      while (j < text.length && text[j] !== char) j += text[j] === "\\" ? 2 : 1
      i = j
    } else if (char === "{") depth++
    else if (char === "}") {
      if (depth > 0) depth--
      else if (text[i + 1] === "}") return i
    }
  }
  return -1
}

/** True when the string holds an expression. */
export const hasExpression = (text: string): boolean => text.includes("${{")

/** The string in the one form that plans hold: `${{ source }}` with single spaces at the ends. */
export const normalise = (parts: ReadonlyArray<Part>): string =>
  parts.map((part) => (part._tag === "Text" ? part.text : `\${{ ${part.source} }}`)).join("")

/** The path of a plain reference (`tasks.train.model` is `["tasks", "train", "model"]`), or undefined. */
export const plainReference = (source: string): ReadonlyArray<string> | undefined =>
  /^[A-Za-z_][A-Za-z0-9_]*(\.[A-Za-z_][A-Za-z0-9_]*)*$/.test(source) ? source.split(".") : undefined
