import * as Sha256 from "../../../domain/sha256.ts"

/**
 * What people write into a record that is generated again and again: their text stands between two lines that name the
 * field, and stays. The last line holds the digest of all that is not theirs, so that a change outside of the fields is
 * seen before it is written over.
 *
 *     <!-- dandori:people impact -->
 *     _To be filled in by …_
 *     <!-- dandori:end impact -->
 */
const begin = (field: string) => `<!-- dandori:people ${field} -->`
const end = (field: string) => `<!-- dandori:end ${field} -->`
const seal = /^<!-- dandori:generated ([0-9a-f]{64}) -->$/
const opening = /^<!-- dandori:people ([a-z_]+) -->$/
const placeholder = /^_To be filled in by .*_$/

/** A field: what people wrote, or the line that says who is to fill it in. */
export const field = (name: string, hint: string, kept: ReadonlyMap<string, string>): string =>
  [begin(name), kept.get(name) ?? `_${hintText(hint)}_`, end(name)].join("\n")

/** The line of a field that nobody has filled in. */
export const hintText = (hint: string): string => `To be filled in by ${hint}`

/** What was found in a record that was written before. */
export interface Found {
  /** People's text by field, of those that somebody has filled in. */
  readonly kept: ReadonlyMap<string, string>
  /** Whether all that is not theirs is as it was generated. */
  readonly intact: boolean
}

/** The lines that are not people's, and theirs by field; undefined where a field does not end, or is there twice. */
const split = (lines: ReadonlyArray<string>) => {
  const fields = new Map<string, string>()
  const rest: Array<string> = []
  for (let at = 0; at < lines.length; at++) {
    rest.push(lines[at])
    const name = opening.exec(lines[at])?.[1]
    if (name === undefined) continue
    const close = lines.indexOf(end(name), at)
    if (close === -1 || fields.has(name)) return undefined
    fields.set(
      name,
      lines
        .slice(at + 1, close)
        .join("\n")
        .trim(),
    )
    at = close - 1
  }
  return { fields, rest }
}

const digestOf = (lines: ReadonlyArray<string>) => Sha256.of(lines.join("\n").trimEnd())

/** Reads a record as people have left it. */
export const read = (text: string): Found => {
  const lines = text.replaceAll("\r\n", "\n").trimEnd().split("\n")
  const parts = split(lines.slice(0, -1))
  if (parts === undefined) return { kept: new Map(), intact: false }
  const kept = [...parts.fields].filter(([, theirs]) => theirs !== "" && !placeholder.test(theirs))
  return { kept: new Map(kept), intact: seal.exec(lines.at(-1) ?? "")?.[1] === digestOf(parts.rest) }
}

/** Ends a record with the digest of all that is not people's. */
export const sealed = (text: string): string => {
  const lines = text.trimEnd().split("\n")
  return `${lines.join("\n")}\n\n<!-- dandori:generated ${digestOf(split(lines)?.rest ?? lines)} -->\n`
}
