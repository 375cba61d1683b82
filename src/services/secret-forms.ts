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

const json = (text: string) => JSON.stringify(text).slice(1, -1)
/** As programs write it that keep to ASCII. */
const ascii = (text: string) =>
  json(text).replace(/[^ -~]/g, (unit) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, "0")}`)
const entities: Readonly<Record<string, string>> = {
  "&": "&amp;",
  "<": "&lt;",
  ">": "&gt;",
  '"': "&quot;",
  "'": "&#39;",
}
const html = (text: string) => text.replace(/[&<>"']/g, (character) => entities[character])
/** As programs write it that leave what closes no tag. */
const looseHtml = (text: string) => text.replace(/[&<"']/g, (character) => entities[character])
const form = (text: string) => new URLSearchParams([["", text]]).toString().slice(1)

/** A text as it stands in JSON, in JSON within JSON, in URLs, in forms and in HTML. */
const written = (text: string): ReadonlyArray<string> => [
  text,
  json(text),
  json(json(text)),
  json(text).replaceAll("/", "\\/"),
  ascii(text),
  json(ascii(text)),
  encodeURIComponent(text.toWellFormed()),
  form(text.toWellFormed()),
  ...[text, json(text)].flatMap((each) => [html(each), looseHtml(each)]),
]

/** The bytes of a text in base64, at any place, and in hex. */
const encoded = (text: string): ReadonlyArray<string> => {
  const bytes = Buffer.from(text)
  const hex = bytes.toString("hex")
  return [
    bytes.toString("base64").replace(/=+$/, ""),
    bytes.toString("base64url"),
    ...base64Middles(bytes),
    hex,
    hex.toUpperCase(),
  ]
}

/** Shorter segments of a path are words, longer ones are what a webhook is known by. In characters. */
const longSegment = 16

/** What of a URL is a secret alone: its password; of one of the web its path too, as a webhook's is. */
const partsOfUrl = (url: URL): ReadonlyArray<string> => {
  const path = url.pathname + url.search
  const web = /^https?:$/.test(url.protocol)
  const ofPath = web ? [path, ...path.split(/[/?&=]/).filter((segment) => segment.length >= longSegment)] : []
  return [url.password, decoded(url.password), ...ofPath]
}

/**
 * The forms of a secret: itself, its lines and what of a URL is a secret alone, each also in JSON, in a URL, in HTML, in
 * base64 at any place, and in hex.
 */
export const formsOf = (value: string): ReadonlySet<string> => {
  const ofUrl = URL.canParse(value) ? partsOfUrl(new URL(value)) : []
  const lines = value.split(/\r?\n/).filter((line) => line !== value && !line.startsWith("-----"))
  const parts = [...ofUrl, ...lines].filter((part) => part.length >= shortest)
  return new Set(
    [value, ...parts].flatMap((part) => [...written(part), ...[part, json(part)].flatMap((each) => encoded(each))]),
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

/** A text with each form of a secret as `[secret NAME]`. */
export const replaced = (text: string, forms: ReadonlyMap<string, string>): string => {
  let safe = ""
  let at = 0
  for (const { from, names, to } of covered(text, forms)) {
    safe += `${text.slice(at, from)}${[...names].map((name) => `[secret ${name}]`).join("")}`
    at = to
  }
  return safe + text.slice(at)
}

/** Forms of all that this process has read, by whatever `Secrets`. */
const known = new Map<string, string>()

/** Keeps a form in mind for `conceal`. */
export const remember = (form: string, name: string): void => void (known.has(form) || known.set(form, name))

/**
 * A text without any secret that this process has read: for what is said to people of something that went wrong, which
 * may repeat what a server has said, whoever has asked it.
 */
export const conceal = (text: string): string => (known.size === 0 ? text : replaced(text, known))

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
