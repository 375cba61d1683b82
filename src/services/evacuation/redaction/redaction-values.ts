/** What values look like in texts, where they end, and what is no secret although it stands where one could. */

/** A quote before a value, however deep it is escaped; a letter before it as Python has them. */
export const opening = /(?:[bufr]{1,2}(?=["']))?(\\*["'`])/iy

/** What stands for a value, is a type or a state, or is no secret that anybody has. */
const ordinary =
  /^(null|none|nil|undefined|true|false|yes|no|on|off|string|str|bytes?|number|integer|int|float|boolean|bool|any|unknown|object|void|never|text|required|optional|redacted|hidden|masked|removed|empty|unset|set|missing|invalid|expired|wrong|incorrect|ok|prompt|stdin|file|env|n\/a|await|new|yield\*?|async|function|lambda|typeof|const|let|return|not|expected|unexpected|password|passwd|token|secret|key|value|name)$/i
/** What of it is no value of a variable either. */
const nothing = /^(null|none|nil|undefined|true|false|yes|no)$/i
const reference =
  /^\\*(\$\{|\$\(|\$\$?[A-Z_][A-Z0-9_]*\W*$|\$\d\W*$|<[A-Za-z][A-Za-z _-]*(?:>|$)|\{\{|%\(|%[sdv]\W*$|\{[\w.:!-]*\}|\[(redacted|secret) |!(?:env|vault|secret|Ref|Sub|GetAtt|reference)\b|arn:aws|op:\/\/|vault:|file:|\.\.?\/|~\/|\/(?:run|etc|var|home|root|tmp|opt|usr|mnt|srv|proc|dev|data|secrets?|app)\/)/
const mask = /^[*•.x_#-]+$/i
/** An expression of a program: a call, or a member of something that has members. */
export const expression =
  /^(?:[A-Za-z_$][\w$.]*\([^()]*\)|(?:self|this|os|process|env|config|settings|args|options|request|req|input|params|cfg|ctx|context|section|row|Schema|Redacted|Secrets?|Effect|Option|SecretForms|github|inputs|steps|each|var|local|module|data)\.[A-Za-z_])/
/** A word that every English sentence has. */
export const commonWord =
  /(?:^|\s)(?:the|a|an|is|are|was|of|to|and|or|for|that|which|with|it|in|on|as|by|not|must|cannot|has|have|at|from|this|when|be|no|may|if|its|you|your)(?=[\s,.;:]|$)/i

/** A value that names or hides a secret, or is none. */
export const isHarmless = (value: string, isSure = false): boolean =>
  value.length < 2 ||
  value.startsWith("[redacted ") ||
  reference.test(value) ||
  mask.test(value) ||
  (value.length < 32 && (isSure ? nothing : ordinary).test(value.replace(/[,;.)\]}]+$/, "")))

/** Words of a sentence. */
export const isProse = (value: string): boolean => value.trim().split(/\s+/).length > 2 && commonWord.test(value)

/** No word of a language: digits among letters, or capitals inside, or a sign that words do not have. */
export const isMixed = (value: string, shortest = 8): boolean =>
  value.length >= shortest &&
  ((/\d/.test(value) && /[A-Za-z]/.test(value)) ||
    (/[a-z][A-Z]/.test(value) && value.length >= 16) ||
    /\w[!@#$%^&*+=~?]+\w/.test(value)) &&
  !/^v?\d+(\.\d+)+([-.+]\w+)?$/.test(value) &&
  !/^\d{4}-\d\d-\d\d/.test(value)

/** Where the quoted text that begins at `from` ends: at the same quote, as deep in backslashes. */
export const endOfQuoted = (text: string, from: number, quote: string): number => {
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

/** What a sticky expression matches at a place. */
export const sticky = (pattern: RegExp, text: string, at: number): RegExpExecArray | null => {
  pattern.lastIndex = at
  return pattern.exec(text)
}

/** What is looked at to see what a value is, in characters: it may be longer. */
export const glance = 1_024
const shortRun = /\S{0,1024}/y
/** All of it, up to a blank. */
export const wholeRun = /\S*/y
/** A number or a word of JSON. */
export const jsonWord = /[^\s,}\]]{0,1024}/y

/** Without blanks around it a value ends at a blank, or where the next assignment begins. */
export const endOfRun = (text: string, from: number, isQuery: boolean): number => {
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
