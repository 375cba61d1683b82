import type { Sha256 } from "./sha256.ts"

/** A line of `SHA256SUMS`. */
export interface Sum {
  readonly path: string
  readonly sha256: Sha256
}

const escapes: Readonly<Record<string, string>> = { "\\": "\\\\", "\n": "\\n", "\r": "\\r" }
const unescapes = new Map(Object.entries(escapes).map(([plain, escaped]) => [escaped, plain]))

/** Code units in the order of their code points: halves of pairs come after all that stand alone. */
const ranked = (unit: number) => (unit < 0xd800 ? unit : unit < 0xe000 ? unit + 0x2000 : unit - 0x800)

/** The order of paths in a bundle: that of their bytes in UTF-8, which is that of their code points. */
export const inOrder = ({ path: a }: { readonly path: string }, { path: b }: { readonly path: string }): number => {
  const shorter = Math.min(a.length, b.length)
  for (let at = 0; at < shorter; at++) {
    const [x, y] = [a.charCodeAt(at), b.charCodeAt(at)]
    if (x !== y) return ranked(x) - ranked(y)
  }
  return a.length - b.length
}

const lineOf = ({ path, sha256 }: Sum): string => {
  const escaped = path.replace(/[\\\n\r]/g, (char) => escapes[char])
  return `${escaped === path ? "" : "\\"}${sha256}  ${escaped}\n`
}

/**
 * What `sha256sum -c` of coreutils checks, sorted: a name with a backslash or a line's end is escaped, and its line begins
 * with a backslash.
 */
export const encode = (sums: ReadonlyArray<Sum>): string => sums.toSorted(inOrder).map(lineOf).join("")

/** The lines of such a text; undefined where one of them cannot be read. */
export const parse = (text: string): ReadonlyArray<Sum> | undefined => {
  const lines = text.split("\n")
  if (lines.pop() !== "") return undefined
  const sums: Array<Sum> = []
  for (const line of lines) {
    const found = /^(\\?)([0-9a-f]{64}) {2}([\s\S]+)$/.exec(line)
    if (found === null) return undefined
    const [, mark = "", sha256 = "", name = ""] = found
    let isKnown = true
    const path =
      mark === ""
        ? name
        : name.replace(/\\[\s\S]?/g, (pair) => {
            const plain = unescapes.get(pair)
            isKnown &&= plain !== undefined
            return plain ?? pair
          })
    if (!isKnown) return undefined
    sums.push({ path, sha256: sha256 as Sha256 })
  }
  return sums
}
