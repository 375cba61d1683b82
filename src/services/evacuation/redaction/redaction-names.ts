/** Secrets that are known by their name: `password=…`, `"token": "…"`, `--api-key …`. */
import * as Values from "./redaction-values.ts"

const words =
  /pass(?:words?|wd|phrase|code|key)?|pwd|secret|token|api[_-]?key|(?:access|secret|private|encryption|signing|account|auth|master|shared|storage|license|session|deploy)[_-]?(?:access[_-]?)?key|credentials?/giu

const suffix = /(?:[_-]?(?:value|base64|b64|plain|text|old|new|base|\d{1,2}))?/iy
const closing = /\\*["'`]?\]?/y
const assigned = /[ \t]*(=>|:=|=|:)(?![=:>~])[ \t]*/y
const spaced = /[ \t]+/y
const listed = /[ \t]*,[ \t]*(?=\\*["'])/y

/** A value in a text, and the name that it has. */
export interface Named {
  readonly from: number
  readonly to: number
}

const endOfLine = (text: string, from: number): number => {
  const rest = text.slice(from)
  const comment = /\s+#\s.*$/.exec(rest)
  return from + rest.slice(0, comment?.index ?? rest.length).trimEnd().length
}

const unquoted = (
  text: string,
  name: {
    readonly own: string
    readonly isVariable: boolean
    /** Quoted, as in JSON. */
    readonly isKey: boolean
    readonly isLeading: boolean
    readonly before: string
    readonly isStrong: boolean
    readonly isFlow: boolean
  },
  sign: string,
  at: number,
): number | undefined => {
  const isTight = !/\s/.test(sign)
  const run = name.isKey
    ? at + (Values.sticky(Values.jsonWord, text, at)?.[0].length ?? 0)
    : Values.endOfRun(text, at, /[?&]/.test(name.before))
  const word = text.slice(at, run)
  if (
    Values.isHarmless(word, name.isVariable && sign === "=") ||
    Values.expression.test(text.slice(at, at + 256)) ||
    word.toLowerCase().endsWith(`.${name.own}`)
  )
    return undefined
  if (/^\d{1,9}(\.\d+)?$/.test(word) && !isTight) return undefined
  if (name.isLeading && (!isTight || sign.includes("="))) {
    const to = endOfLine(text, at)
    const value = text.slice(at, to)
    if (isTight) return /\s(?:[-./]|[A-Za-z_]\w*=)/.test(value) || Values.isProse(value) ? run : to
    if (Values.isProse(value) || /[,{[(;|&?]$|^[[{(]/.test(value) || / (?:[|&?=+]+|=>) /.test(value))
      return Values.isMixed(word) ? run : undefined
    return to
  }
  if (sign.includes("=") && isTight) return /^[\w-]+\(?$/.test(word) && /^[({[]/.test(text.slice(run)) ? undefined : run
  if (name.isFlow && /^[^\s"'()[\]<>=|]+$/.test(word) && /^[,;]?\s*[,}]/.test(text.slice(run))) return run
  return Values.isMixed(word, name.isStrong ? 6 : 8) ? run : undefined
}

/** All of a value that was only looked at. */
const wholeOf = (text: string, from: number, to: number): number =>
  to - from < Values.glance || /\s/.test(text[to - 1])
    ? to
    : to + (Values.sticky(Values.wholeRun, text, to)?.[0].length ?? 0)

const valueAt = (text: string, from: number, seen: number) => {
  const to = wholeOf(text, from, seen)
  return { from, to, next: to }
}

/** Where the first value is that a secret's name gives away, at or after `from`; none: undefined. */
const find = (text: string, from: number): (Named & { readonly next: number }) | undefined => {
  words.lastIndex = from
  for (let match = words.exec(text); match !== null; match = words.exec(text)) {
    let start = match.index
    while (start > 0 && match.index - start < 64 && /[\w.-]/.test(text[start - 1])) start--
    const short = /^(pass|pwd)$/i.test(match[0])
    const isStrong = /^(pass|pwd|secret$)/i.test(match[0])
    if (short && match.index > start && /[A-Za-z0-9]/.test(text[match.index - 1])) continue
    let at = words.lastIndex + (Values.sticky(suffix, text, words.lastIndex)?.[0].length ?? 0)
    const isVariable = /^[A-Z][A-Z0-9_]+$/.test(text.slice(start, at))
    const closed = Values.sticky(closing, text, at)?.[0] ?? ""
    at += closed.length
    const isFlag = text[start] === "-"
    const before = text.slice(Math.max(0, start - 64), start)
    const quote = /\\*["'`]$/.exec(before)?.[0]
    const sign =
      Values.sticky(assigned, text, at) ??
      (isFlag ? (Values.sticky(listed, text, at) ?? Values.sticky(spaced, text, at)) : null)
    if (sign === null) continue
    if (sign[1] === undefined && closed !== "" && !sign[0].includes(",")) continue
    at += sign[0].length
    if (at >= text.length || text.startsWith("[redacted ", at)) continue
    const quoted = Values.sticky(Values.opening, text, at)
    if (quoted !== null) {
      const begin = at + quoted[0].length
      const to = Values.endOfQuoted(text, begin, quoted[1])
      const value = text.slice(begin, to)
      const isSaid = sign[0] === "=" || closed !== ""
      if (!Values.isHarmless(value, isVariable && sign[0] === "=") && (isSaid || !Values.isProse(value)))
        return { from: begin, to, next: to }
      continue
    }
    if (sign[1] === undefined) {
      const to = Values.endOfRun(text, at, false)
      const value = text.slice(at, to)
      if (value.startsWith("-") || Values.isHarmless(value) || Values.commonWord.test(value)) continue
      return valueAt(text, at, to)
    }
    if (quote !== undefined && closed === "") {
      // `"NAME=value"`: the quote that opens before the name closes after the value.
      const to = Values.endOfQuoted(text, at, quote)
      const value = text.slice(at, to)
      const isSaid = sign[0] === "=" || !/\s/.test(value)
      if (isSaid && !Values.isHarmless(value, isVariable && sign[0] === "=")) return { from: at, to, next: to }
      continue
    }
    const to = unquoted(
      text,
      {
        own: match[0].toLowerCase(),
        isVariable,
        isKey: closed !== "",
        isLeading:
          start <= 64 && /^[\s"'\\]*(?:- +)?(?:export +|set +|env +|declare +-x +)?["'\\]*$/i.test(before) && !isFlag,
        before: before.slice(-1),
        isStrong,
        isFlow: isStrong && /\{[^}]*$/.test(text.slice(Math.max(0, start - 512), start)),
      },
      sign[0],
      at,
    )
    if (to !== undefined) return valueAt(text, at, to)
    if (closed !== "" && isStrong) {
      const number = /^\d{4,}/.exec(text.slice(at))
      if (number !== null) return { from: at, to: at + number[0].length, next: at + number[0].length }
    }
  }
  return undefined
}

/** `name: DB_PASSWORD, value: …`, as manifests of containers have variables; on one line, or the value on the next. */
const named = /name\\*["']?\s*[:=]\s*\\*["']?([\w.-]{1,128})\\*["']?/giy
const besides = /\s*,\s*\\*["']?value\\*["']?\s*[:=]\s*/iy
const nextField = /^\s*(?:- +)?["']?value["']?\s*:\s*/i

/** The value that begins at a place: quoted, or up to where it ends. */
const valueFrom = (text: string, at: number): Named | undefined => {
  const quoted = Values.sticky(Values.opening, text, at)
  const from = at + (quoted?.[0].length ?? 0)
  const to = quoted === null ? Values.endOfRun(text, from, false) : Values.endOfQuoted(text, from, quoted[1])
  return Values.isHarmless(text.slice(from, to), true) ? undefined : { from, to }
}

/** The values in a line whose name stands beside them, in order. */
export const pairsIn = (line: string): ReadonlyArray<Named> => {
  const found: Array<Named> = []
  for (let at = line.search(/name/i); at !== -1 && at < line.length;) {
    const match = Values.sticky(named, line, at)
    const next = match === null ? null : Values.sticky(besides, line, at + match[0].length)
    const value =
      match === null || next === null || !isSecretName(match[1])
        ? undefined
        : valueFrom(line, at + match[0].length + next[0].length)
    if (value !== undefined) found.push(value)
    const on = value?.to ?? at + 4
    const step = line.slice(on).search(/name/i)
    at = step === -1 ? -1 : on + step
  }
  return found
}

/** The values in a line that a secret's name gives away, in order. */
export const valuesIn = (line: string): ReadonlyArray<Named> => {
  const found: Array<Named> = []
  for (let next = find(line, 0); next !== undefined; next = find(line, next.next)) found.push(next)
  return found
}

/** What the names of secrets have in them, in lower case; of a key, with what is before it. */
export const hints = [
  "pass",
  "pwd",
  "secret",
  "token",
  "credential",
  ...[..."_-isdtenghry"].map((before) => `${before}key`),
]

/** Whether something of this name is a secret. */
export const isSecretName = (name: string): boolean => find(`${name}=aB3dE5gH7jK9`, 0) !== undefined

const awaits =
  /(?:^|[\s"'[,])--?[\w-]*(?:pass(?:word|wd|phrase)?|secret|token|api-?key|access-key|secret-key)\\*["']?,?\s*$/i
const awaitsBlock =
  /^(\s*)(?:- +)?["']?[\w.-]*(?:pass(?:word|wd|phrase)?|secret|token|api[_-]?key|private[_-]?key)["']?:\s*[|>][+-]?\d?\s*$/i

const awaitsField = /name["']?\s*:\s*["']?([\w.-]+)["']?,?\s*$/i

/** What a line says of the next ones: that the first value there is a secret, or all that is indented deeper than `block`. */
export type Awaited =
  | { readonly _tag: "Value" }
  | { readonly _tag: "Field" }
  | { readonly _tag: "Block"; readonly indent: number }

export const awaitedAfter = (line: string): Awaited | undefined => {
  const block = line.length > 256 ? null : awaitsBlock.exec(line)
  if (block !== null) return { _tag: "Block", indent: block[1].length }
  const end = line.slice(-128)
  if (awaits.test(end)) return { _tag: "Value" }
  const name = awaitsField.exec(end)
  return name !== null && isSecretName(name[1]) ? { _tag: "Field" } : undefined
}

/** The value of a line that is the field `value`. */
export const fieldValue = (line: string): Named | undefined => {
  const match = nextField.exec(line)
  if (match === null) return undefined
  const at = match[0].length
  if (Values.sticky(Values.opening, line, at) !== null) return valueFrom(line, at)
  const to = endOfLine(line, at)
  return to <= at || Values.isHarmless(line.slice(at, to), true) ? undefined : { from: at, to }
}

/** The first value of a line of a list. */
export const firstValue = (line: string): Named | undefined => {
  const start = /^\s*(?:- +)?(\\*["'])?(?=\S)/.exec(line)
  if (start === null) return undefined
  const from = start[0].length
  const to = start[1] === undefined ? Values.endOfRun(line, from, false) : Values.endOfQuoted(line, from, start[1])
  const value = line.slice(from, to)
  return value.startsWith("-") || Values.isHarmless(value) || /\s/.test(value) ? undefined : { from, to }
}
