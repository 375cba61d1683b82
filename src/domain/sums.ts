import type { Sha256 } from "./sha256.ts"

/** A line of `SHA256SUMS`. */
export interface Sum {
  readonly path: string
  readonly sha256: Sha256
}

const escapes: Readonly<Record<string, string>> = { "\\": "\\\\", "\n": "\\n", "\r": "\\r" }
const unescapes = new Map(Object.entries(escapes).map(([plain, escaped]) => [escaped, plain]))

/** The order of paths in a bundle: that of their bytes. */
export const inOrder = (a: { readonly path: string }, b: { readonly path: string }): number =>
  Buffer.compare(Buffer.from(a.path), Buffer.from(b.path))

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
