/** Secrets that are known by their name: `password=…`, `"token": "…"`, `--api-key …`. */

const words =
  /pass(?:words?|wd|phrase|code|key)?|pwd|secret|token|api[_-]?key|(?:access|secret|private|encryption|signing|account|auth|master|shared|storage|license|session|deploy)[_-]?(?:access[_-]?)?key|credentials?/giu

const suffix = /(?:[_-]?(?:value|base64|b64|plain|text|old|new|base|\d{1,2}))?/iy
const closing = /\\*["'`]?\]?/y
const assigned = /[ \t]*(=>|:=|=|:)(?![=:>~])[ \t]*/y
const spaced = /[ \t]+/y
const listed = /[ \t]*,[ \t]*(?=\\*["'])/y
const opening = /(?:[bufr]{1,2}(?=["']))?(\\*["'`])/iy

/** What stands for a value, is a type or a state, or is no secret that anybody has. */
const ordinary =
  /^(null|none|nil|undefined|true|false|yes|no|on|off|string|str|bytes?|number|integer|int|float|boolean|bool|any|unknown|object|void|never|text|required|optional|redacted|hidden|masked|removed|empty|unset|set|missing|invalid|expired|wrong|incorrect|ok|prompt|stdin|file|env|n\/a|await|new|yield\*?|async|function|lambda|typeof|const|let|return|not|expected|unexpected|password|passwd|token|secret|key|value|name)$/i
/** What of it is no value of a variable either. */
const nothing = /^(null|none|nil|undefined|true|false|yes|no)$/i
const reference =
  /^\\*(\$\{|\$\(|\$\$?[A-Z_][A-Z0-9_]*\W*$|\$\d\W*$|<[^>]*>?|\{\{|%\(|%[sdv]\W*$|\{[\w.:!-]*\}|\[(redacted|secret) |!(?:env|vault|secret|Ref|Sub|GetAtt|reference)\b|arn:aws|op:\/\/|vault:|file:|\.\.?\/|~\/|\/(?:run|etc|var|home|root|tmp|opt|usr|mnt|srv|proc|dev|data|secrets?|app)\/)/
const mask = /^[*•.x_#-]+$/i
/** An expression of a program: a call, or a member of something that has members. */
const expression =
  /^(?:[A-Za-z_$][\w$.]*\([^()]*\)|(?:self|this|os|process|env|config|settings|args|options|request|req|input|params|cfg|ctx|context|section|row|Schema|Redacted|Secrets?|Effect|Option|SecretForms|github|inputs|steps|each|var|local|module|data)\.[A-Za-z_])/
const commonWord =
  /(?:^|\s)(?:the|a|an|is|are|was|of|to|and|or|for|that|which|with|it|in|on|as|by|not|must|cannot|has|have|at|from|this|when|be|no|may|if|its|you|your)(?=[\s,.;:]|$)/i

/** A value that names or hides a secret, or is none. */
const isHarmless = (value: string, isSure = false): boolean =>
  value.length < 2 ||
  value.startsWith("[redacted ") ||
  reference.test(value) ||
  mask.test(value) ||
  (value.length < 32 && (isSure ? nothing : ordinary).test(value.replace(/[,;.)\]}]+$/, "")))

const isProse = (value: string): boolean => value.trim().split(/\s+/).length > 2 && commonWord.test(value)

/** No word of a language: digits among letters, or capitals inside, or a sign that words do not have. */
const isMixed = (value: string, shortest = 8): boolean =>
  value.length >= shortest &&
  ((/\d/.test(value) && /[A-Za-z]/.test(value)) ||
    (/[a-z][A-Z]/.test(value) && value.length >= 16) ||
    /\w[!@#$%^&*+=~?]+\w/.test(value)) &&
  !/^v?\d+(\.\d+)+([-.+]\w+)?$/.test(value) &&
  !/^\d{4}-\d\d-\d\d/.test(value)

/** Where the quoted text that begins at `from` ends: at the same quote, as deep in backslashes. */
const endOfQuoted = (text: string, from: number, quote: string): number => {
  const depth = quote.length - 1
  const mark = quote.at(-1)
  for (let at = from; at < text.length; at++) {
    let slashes = 0
    while (text[at] === "\\") {
      slashes++
      at++
    }
    if (text[at] !== mark) continue
    // `\\"` in a text of depth 0 is a backslash and the end; deeper, each level doubles them.
    if (depth === 0 ? slashes % 2 === 0 : slashes <= depth) return at - (depth === 0 ? 0 : Math.min(slashes, depth))
  }
  return text.length
}

const sticky = (pattern: RegExp, text: string, at: number): RegExpExecArray | null => {
  pattern.lastIndex = at
  return pattern.exec(text)
}

/** What is looked at to see what a value is, in characters: it may be longer. */
const glance = 1_024
const shortRun = /\S{0,1024}/y
const wholeRun = /\S*/y

/** Without blanks around it a value ends at a blank, or where the next assignment begins. */
const endOfRun = (text: string, from: number, isQuery: boolean): number => {
  const found = sticky(shortRun, text, from)?.[0] ?? ""
  const next = found.search(isQuery ? /[&#]/ : /(?:[,;&](?=[\w.-]+[=:])|[,;]$|[,;]["'}\])]*$)/)
  const value = next === -1 ? found : found.slice(0, next)
  if (value.length === glance) return from + glance
  const stray = /["'`\\]*[)\]}]*["'`]*[,;.]?$/.exec(value.slice(-32))?.[0] ?? ""
  const inner = value.slice(0, value.length - stray.length)
  const closes = /["'`)\]}]/.exec(stray)?.[0]
  const opens = closes === undefined ? undefined : ({ ")": "(", "]": "[", "}": "{" }[closes] ?? closes)
  return from + (opens === undefined || inner.includes(opens) ? value.length : inner.length)
}

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
    readonly isLeading: boolean
    readonly before: string
    readonly isStrong: boolean
    readonly isFlow: boolean
  },
  sign: string,
  at: number,
): number | undefined => {
  const isTight = !/\s/.test(sign)
  const run = endOfRun(text, at, /[?&]/.test(name.before))
  const word = text.slice(at, run)
  if (
    isHarmless(word, name.isVariable && sign === "=") ||
    expression.test(text.slice(at, at + 256)) ||
    word.toLowerCase().endsWith(`.${name.own}`)
  )
    return undefined
  if (/^\d{1,9}(\.\d+)?$/.test(word) && !isTight) return undefined
  if (name.isLeading && (!isTight || sign.includes("="))) {
    const to = endOfLine(text, at)
    const value = text.slice(at, to)
    if (isTight) return /\s(?:[-./]|[A-Za-z_]\w*=)/.test(value) || isProse(value) ? run : to
    if (isProse(value) || /[,{[(;|&?]$|^[[{(]/.test(value) || / (?:[|&?=+]+|=>) /.test(value))
      return isMixed(word) ? run : undefined
    return to
  }
  if (sign.includes("=") && isTight) return /^[\w-]+\(?$/.test(word) && /^[({[]/.test(text.slice(run)) ? undefined : run
  if (name.isFlow && /^[^\s"'()[\]<>=|]+$/.test(word) && /^[,;]?\s*[,}]/.test(text.slice(run))) return run
  return isMixed(word, name.isStrong ? 6 : 8) ? run : undefined
}

/** All of a value that was only looked at. */
const wholeOf = (text: string, from: number, to: number): number =>
  to - from < glance || /\s/.test(text[to - 1]) ? to : to + (sticky(wholeRun, text, to)?.[0].length ?? 0)

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
    let at = words.lastIndex + (sticky(suffix, text, words.lastIndex)?.[0].length ?? 0)
    const isVariable = /^[A-Z][A-Z0-9_]+$/.test(text.slice(start, at))
    const closed = sticky(closing, text, at)?.[0] ?? ""
    at += closed.length
    const isFlag = text[start] === "-"
    const before = text.slice(Math.max(0, start - 64), start)
    const quote = /\\*["'`]$/.exec(before)?.[0]
    const sign = sticky(assigned, text, at) ?? (isFlag ? (sticky(listed, text, at) ?? sticky(spaced, text, at)) : null)
    if (sign === null) continue
    if (sign[1] === undefined && closed !== "" && !sign[0].includes(",")) continue
    at += sign[0].length
    if (at >= text.length || text.startsWith("[redacted ", at)) continue
    const quoted = sticky(opening, text, at)
    if (quoted !== null) {
      const begin = at + quoted[0].length
      const to = endOfQuoted(text, begin, quoted[1])
      const value = text.slice(begin, to)
      const isSaid = sign[0] === "=" || closed !== ""
      if (!isHarmless(value, isVariable && sign[0] === "=") && (isSaid || !isProse(value)))
        return { from: begin, to, next: to }
      continue
    }
    if (sign[1] === undefined) {
      const to = endOfRun(text, at, false)
      const value = text.slice(at, to)
      if (value.startsWith("-") || isHarmless(value) || commonWord.test(value)) continue
      return valueAt(text, at, to)
    }
    if (quote !== undefined && closed === "") {
      // `"NAME=value"`: the quote that opens before the name closes after the value.
      const to = endOfQuoted(text, at, quote)
      const value = text.slice(at, to)
      if (sign[0] === "=" && !isHarmless(value, isVariable)) return { from: at, to, next: to }
      continue
    }
    const to = unquoted(
      text,
      {
        own: match[0].toLowerCase(),
        isVariable,
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
export const isSecretName = (name: string): boolean => valuesIn(`${name}=aB3dE5gH7jK9`).length > 0

const awaits =
  /(?:^|[\s"'[,])--?[\w-]*(?:pass(?:word|wd|phrase)?|secret|token|api-?key|access-key|secret-key)\\*["']?,?\s*$/i
const awaitsBlock =
  /^(\s*)(?:- +)?["']?[\w.-]*(?:pass(?:word|wd|phrase)?|secret|token|api[_-]?key|private[_-]?key)["']?:\s*[|>][+-]?\d?\s*$/i

/** What a line says of the next ones: that the first value there is a secret, or all that is indented deeper than `block`. */
export type Awaited = { readonly _tag: "Value" } | { readonly _tag: "Block"; readonly indent: number }

export const awaitedAfter = (line: string): Awaited | undefined => {
  const block = line.length > 256 ? null : awaitsBlock.exec(line)
  if (block !== null) return { _tag: "Block", indent: block[1].length }
  return awaits.test(line.slice(-128)) ? { _tag: "Value" } : undefined
}

/** The first value of a line of a list. */
export const firstValue = (line: string): Named | undefined => {
  const start = /^\s*(?:- +)?(\\*["'])?(?=\S)/.exec(line)
  if (start === null) return undefined
  const from = start[0].length
  const to = start[1] === undefined ? endOfRun(line, from, false) : endOfQuoted(line, from, start[1])
  const value = line.slice(from, to)
  return value.startsWith("-") || isHarmless(value) || /\s/.test(value) ? undefined : { from, to }
}
