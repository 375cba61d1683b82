/** Private keys in PEM (RFC 7468), OpenSSH's and PGP's alike: the lines between the marks, which stay. */

const begin = /-{4,5} ?BEGIN(?: |\+|%20)[A-Z0-9 +%]*PRIVATE(?: |\+|%20)KEY(?:(?: |\+|%20)BLOCK)? ?-{4,5}/
const end = /-{4,5} ?END(?: |\+|%20)[A-Z0-9 +%]*PRIVATE(?: |\+|%20)KEY(?:(?: |\+|%20)BLOCK)? ?-{4,5}/
const blank = /^\s*$/

/** The last word of base64 in a line, where only quotes, signs and line ends stand after it. */
const lastWord = (line: string): { readonly from: number; readonly to: number } | undefined => {
  let to = line.length
  for (;;) {
    if (to > 0 && /["'`+,;\s\\]/.test(line[to - 1])) to--
    else if (to > 1 && /[nr]/.test(line[to - 1]) && line[to - 2] === "\\") to -= 2
    else break
  }
  let from = to
  while (from > 0 && line[from - 1] === "=") from--
  while (from > 0 && /[A-Za-z0-9+/]/.test(line[from - 1])) from--
  if (from > 0 && line[from - 1] === "=") from--
  return from === to ? undefined : { from, to }
}

/** What can stand between the beginning and the first line of a key, on the same line. */
const filler = /^(?:\\+[nr]|["'`+,;\s\\])*$/
const begun = /^(?:\\+[nr]|["'`+,;\s\\])*[A-Za-z0-9+/]{24}/
/** What stands between the marks on one line, and is no expression of a program. */
const isBody = (text: string) => /(?:[A-Za-z0-9+/]|%2[BF]){24}/.test(text) && !/[(){}$]/.test(text)
const isHex = (text: string) => /^[0-9a-f]+$/i.test(text)

/** Lines with other things before the first one of a key: headers (RFC 1421, section 4.4) and a blank one. */
const mostHeaders = 5
/** The shortest first line of a key. */
const firstLine = 40
/** A key on one line, in characters. */
const longestKey = 32_768
/** No block of a key is longer, in lines. */
const mostLines = 400

/** Where a block has begun: how many lines of it there were, and whether something stands before each. */
export interface Open {
  readonly lines: number
  readonly bodies: number
  readonly prefixed: boolean
}

/** What becomes of a line: the parts of it that are a key's, and the block that is open after it. */
export interface Taken {
  readonly spans: ReadonlyArray<{ readonly from: number; readonly to: number }>
  readonly open: Open | undefined
  /** Whether a key begins here. */
  readonly isNew: boolean
}

const nothing: Taken = { spans: [], open: undefined, isNew: false }

const inside = (line: string, open: Open): Taken => {
  const mark = end.exec(line)
  const found = lastWord(mark === null ? line : line.slice(0, mark.index))
  const isPrefixed = found !== undefined && /[^\s"'`]/.test(line.slice(0, found.from))
  if (mark !== null) {
    const isLast = open.bodies > 0 && found !== undefined && !isPrefixed
    return isLast ? { spans: [found], open: undefined, isNew: false } : nothing
  }
  const later: Taken = { spans: [], open: { ...open, lines: open.lines + 1 }, isNew: false }
  const isFirst = open.bodies === 0
  const isLong = found !== undefined && found.to - found.from >= firstLine && !isHex(line.slice(found.from, found.to))
  if (isFirst && !isLong) return open.lines < mostHeaders ? later : nothing
  if (open.lines > mostLines) return nothing
  if (blank.test(line)) return later
  const prefixed = isFirst ? isPrefixed : open.prefixed
  if (found === undefined || (isPrefixed && !prefixed)) return nothing
  return {
    spans: [found],
    open: { lines: open.lines + 1, bodies: open.bodies + 1, prefixed },
    isNew: isFirst,
  }
}

/** Looks at the next line. Call it for lines in which a block can begin, and for all while one is open. */
export const take = (line: string, open: Open | undefined): Taken => {
  if (open !== undefined && !begin.test(line)) return inside(line, open)
  const spans: Array<{ from: number; to: number }> = []
  for (let at = 0; ;) {
    const mark = begin.exec(line.slice(at))
    if (mark === null) return { spans, open: undefined, isNew: spans.length > 0 }
    at += mark.index + mark[0].length
    const rest = line.slice(at, at + longestKey)
    const closing = end.exec(rest)
    if (closing !== null) {
      if (isBody(rest.slice(0, closing.index))) spans.push({ from: at, to: at + closing.index })
      at += closing.index + closing[0].length
    } else if (begun.test(rest)) {
      spans.push({ from: at, to: line.length })
      return { spans, open: { lines: 0, bodies: 1, prefixed: false }, isNew: true }
    } else if (rest.length < longestKey && filler.test(rest)) {
      return { spans, open: { lines: 0, bodies: 0, prefixed: false }, isNew: spans.length > 0 }
    }
  }
}
