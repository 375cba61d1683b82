/** What secrets look like in texts, and where they are in one. */
import * as Result from "effect/Result"

/** Shorter secrets, and shorter parts of one (a line, a password in a URL), would match ordinary text. In characters. */
export const shortest = 6

/** A part of a text: from `from` up to, not including, `to`. */
export interface Span {
  readonly from: number
  readonly to: number
}

const decoded = (text: string): string =>
  Result.getOrElse(
    Result.try(() => decodeURIComponent(text)),
    () => text,
  )

/**
 * Base64 of bytes that stand somewhere in others: the characters that depend on these bytes alone, for each of the three
 * places that they can have in a group of three bytes (RFC 4648, section 4), in the alphabets of sections 4 and 5.
 */
const base64Middles = (bytes: Buffer): ReadonlyArray<string> =>
  [0, 1, 2].flatMap((before) => {
    const padded = Buffer.concat([Buffer.alloc(before), bytes])
    const own = [Math.ceil((before * 8) / 6), Math.floor((padded.length * 8) / 6)] as const
    return [padded.toString("base64").slice(...own), padded.toString("base64url").slice(...own)]
  })

/**
 * The forms of a secret: itself, its lines and the password of a URL, each also in JSON, in a URL, in base64 at any
 * place, and in hex.
 */
export const formsOf = (value: string): ReadonlySet<string> => {
  const url = URL.canParse(value) ? new URL(value) : undefined
  const password = url === undefined ? [] : [url.password, decoded(url.password)]
  const lines = value.split(/\r?\n/).filter((line) => line !== value && !line.startsWith("-----"))
  const parts = [...password, ...lines].filter((part) => part.length >= shortest)
  return new Set(
    [value, ...parts].flatMap((part) => {
      const bytes = Buffer.from(part)
      const hex = bytes.toString("hex")
      return [
        part,
        JSON.stringify(part).slice(1, -1),
        encodeURIComponent(part.toWellFormed()),
        bytes.toString("base64").replace(/=+$/, ""),
        bytes.toString("base64url"),
        ...base64Middles(bytes),
        hex,
        hex.toUpperCase(),
      ]
    }),
  )
}

/** Spans of the text that are a form of a secret, in order; overlapping ones joined under both names. */
export const covered = (
  text: string,
  forms: ReadonlyMap<string, string>,
): ReadonlyArray<Span & { readonly names: ReadonlySet<string> }> => {
  const spans: Array<{ from: number; to: number; names: Set<string> }> = []
  for (const [form, name] of forms) {
    for (let at = text.indexOf(form); at !== -1; at = text.indexOf(form, at + 1)) {
      spans.push({ from: at, to: at + form.length, names: new Set([name]) })
    }
  }
  const joined: typeof spans = []
  for (const span of spans.toSorted((a, b) => a.from - b.from)) {
    const last = joined.at(-1)
    if (last === undefined || span.from >= last.to) joined.push(span)
    else {
      last.to = Math.max(last.to, span.to)
      for (const name of span.names) last.names.add(name)
    }
  }
  return joined
}

/**
 * Where a text can be cut near `at` without cutting a secret: the nearest place before and the nearest after, both `at`
 * where no secret lies across it. Only forms that the text holds whole count. `longest` is that of the longest form.
 */
export const around = (text: string, at: number, forms: ReadonlyMap<string, string>, longest: number): Span => {
  const edge = (side: "from" | "to"): number => {
    for (let place = at; ;) {
      const begin = Math.max(0, place - longest)
      const local = place - begin
      const across = covered(text.slice(begin, place + longest), forms).find(
        ({ from, to }) => from < local && local < to,
      )
      if (across === undefined) return place
      place = begin + across[side]
    }
  }
  return { from: edge("from"), to: edge("to") }
}
