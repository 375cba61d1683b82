/**
 * The pax interchange format of IEEE Std 1003.1 (pax, "ustar Interchange Format" and "pax Header Block"): what a tar of
 * regular files needs, and nothing more. The same members give the same bytes.
 */

/** A regular file of a tar. `mtime` is seconds since the epoch. */
export interface TarMember {
  readonly path: string
  readonly bytes: number
  readonly mtime: number
}

export const blockBytes = 512
/** What a tar is padded to: the record of tape that every tar reads at once. */
const recordBytes = 20 * blockBytes
/** The largest size that eleven octal digits hold. */
const mostOctal = 8 ** 11 - 1

const encoder = new TextEncoder()
const zeros = (bytes: number) => new Uint8Array(bytes)

/** Zeros that a member's bytes are followed by. */
export const paddingAfter = (bytes: number): Uint8Array => zeros((blockBytes - (bytes % blockBytes)) % blockBytes)

/** The end of a tar whose members, with their headers and paddings, have so many bytes. */
export const endAfter = (bytes: number): Uint8Array => {
  const least = bytes + 2 * blockBytes
  return zeros(Math.ceil(least / recordBytes) * recordBytes - bytes)
}

const octal = (value: number, digits: number) => `${value.toString(8).padStart(digits, "0")}\0`

/** The field that a header's sum does not count: every tar writes it in these eight bytes. */
const checksum = (sum: number) => `${octal(sum, 6)} `

/** Where a path is to be cut into `prefix` and `name`; undefined where it fits in neither way. */
const split = (path: string): readonly [prefix: string, name: string] | undefined => {
  if (/[^\x20-\x7e]/.test(path)) return undefined
  if (path.length <= 100) return ["", path]
  for (let at = path.indexOf("/"); at !== -1 && at <= 155; at = path.indexOf("/", at + 1)) {
    if (at > 0 && path.length - at - 1 <= 100 && at + 1 < path.length) return [path.slice(0, at), path.slice(at + 1)]
  }
  return undefined
}

interface Fields {
  readonly prefix: string
  readonly name: string
  readonly bytes: number
  readonly mtime: number
  readonly type: "0" | "x"
}

const block = ({ bytes, mtime, name, prefix, type }: Fields): Uint8Array => {
  const out = zeros(blockBytes)
  const put = (at: number, text: string) => void out.set(encoder.encode(text), at)
  put(0, name)
  put(100, octal(0o600, 7))
  put(108, octal(0, 7))
  put(116, octal(0, 7))
  put(124, octal(bytes, 11))
  put(136, octal(Math.min(Math.max(mtime, 0), mostOctal), 11))
  put(148, " ".repeat(8))
  put(156, type)
  put(257, "ustar\0")
  put(263, "00")
  put(329, octal(0, 7))
  put(337, octal(0, 7))
  put(345, prefix)
  const sum = out.reduce((total, byte) => total + byte, 0)
  put(148, checksum(sum))
  return out
}

/** A record of a pax header: its own length in decimal digits, then the keyword and the value. */
const record = (keyword: string, value: string): string => {
  const rest = Buffer.byteLength(` ${keyword}=${value}\n`)
  let length = rest + 1
  while (length !== rest + String(length).length) length = rest + String(length).length
  return `${length} ${keyword}=${value}\n`
}

/** What a member's bytes are preceded by: owner 0, mode 0600. A name or a size that ustar cannot hold goes into a pax header. */
export const headerOf = ({ bytes, mtime, path }: TarMember): Uint8Array => {
  const place = split(path)
  const isLarge = bytes > mostOctal
  const [prefix, name] = place ?? ["", path.replace(/[^\x20-\x7e]/g, "_").slice(0, 100)]
  const own = block({ prefix, name, bytes: isLarge ? 0 : bytes, mtime, type: "0" })
  if (place !== undefined && !isLarge) return own
  const text = (place === undefined ? record("path", path) : "") + (isLarge ? record("size", String(bytes)) : "")
  const records = encoder.encode(text)
  const extension = block({ prefix: "", name: "PaxHeader", bytes: records.length, mtime, type: "x" })
  return new Uint8Array(Buffer.concat([extension, records, paddingAfter(records.length), own]))
}

const textOf = (bytes: Uint8Array): string => {
  const end = bytes.indexOf(0)
  return new TextDecoder().decode(end === -1 ? bytes : bytes.subarray(0, end))
}

const numberOf = (bytes: Uint8Array): number => {
  const text = textOf(bytes).trim()
  return /^[0-7]+$/.test(text) ? Number.parseInt(text, 8) : Number.NaN
}

/** The keywords of a pax header; undefined when it is none. */
const recordsOf = (bytes: Uint8Array): ReadonlyMap<string, string> | undefined => {
  const found = new Map<string, string>()
  for (let at = 0; at < bytes.length;) {
    const space = bytes.indexOf(32, at)
    const length = Number(textOf(bytes.subarray(at, space)))
    if (space === -1 || !Number.isInteger(length) || length < 5 || at + length > bytes.length) return undefined
    const text = new TextDecoder().decode(bytes.subarray(space + 1, at + length))
    const equals = text.indexOf("=")
    if (equals === -1 || !text.endsWith("\n")) return undefined
    found.set(text.slice(0, equals), text.slice(equals + 1, -1))
    at += length
  }
  return found
}

/** Takes the members of a tar out of its bytes, in order. */
export interface TarReader {
  /** The next bytes of the tar; what is wrong with them, if anything is. */
  readonly take: (bytes: Uint8Array) => string | undefined
  /** After the last bytes: what is wrong, if anything is. */
  readonly end: () => string | undefined
}

/**
 * Reads a tar that comes in pieces of any length. `begin` is told of each member and answers with what takes its bytes;
 * the last of them come with `isLast`, and of an empty member there are none but those. Only regular files are known:
 * anything else is wrong.
 */
export const reader = (begin: (member: TarMember) => (bytes: Uint8Array, isLast: boolean) => void): TarReader => {
  const header = zeros(blockBytes)
  let filled = 0
  let left = 0
  let padding = 0
  let ended = false
  let wrong: string | undefined
  let take: (bytes: Uint8Array, isLast: boolean) => void = () => {}
  let extended: ReadonlyMap<string, string> = new Map()

  const enter = (bytes: number, next: typeof take) => {
    left = bytes
    padding = paddingAfter(bytes).length
    take = next
    if (bytes === 0) next(zeros(0), true)
  }

  const extension = (bytes: number) => {
    if (bytes > 1 << 20) return "a pax header is too long"
    const pieces: Array<Uint8Array> = []
    enter(bytes, (piece, isLast) => {
      pieces.push(piece.slice())
      if (!isLast) return
      const records = recordsOf(new Uint8Array(Buffer.concat(pieces)))
      if (records === undefined) wrong = "a pax header cannot be read"
      else extended = records
    })
    return wrong
  }

  const atHeader = (): string | undefined => {
    if (header.every((byte) => byte === 0)) {
      ended = true
      return undefined
    }
    const at = (from: number, length: number) => header.subarray(from, from + length)
    const sum = header.reduce((total, byte, index) => total + (index >= 148 && index < 156 ? 32 : byte), 0)
    const summed = Buffer.from(at(148, 8)).toString("latin1") === checksum(sum)
    if (textOf(at(257, 6)) !== "ustar" || !summed) return "a header is damaged"
    const bytes = numberOf(at(124, 12))
    const mtime = numberOf(at(136, 12))
    const type = textOf(at(156, 1))
    if (type === "x" && Number.isInteger(bytes)) return extension(bytes)
    const [prefix, name] = [textOf(at(345, 155)), textOf(at(0, 100))]
    const path = extended.get("path") ?? (prefix === "" ? name : `${prefix}/${name}`)
    const size = Number(extended.get("size") ?? bytes)
    if (!Number.isSafeInteger(size) || size < 0 || !Number.isInteger(mtime)) return "a header is damaged"
    if (type !== "0") return `${path} is no regular file`
    extended = new Map()
    enter(size, begin({ path, bytes: size, mtime }))
    return undefined
  }

  return {
    take: (bytes) => {
      for (let at = 0; at < bytes.length && wrong === undefined;) {
        if (ended) {
          if (bytes.subarray(at).some((byte) => byte !== 0)) wrong = "there is something behind its end"
          break
        }
        if (left > 0) {
          const some = bytes.subarray(at, at + left)
          left -= some.length
          at += some.length
          take(some, left === 0)
        } else if (padding > 0) {
          const some = bytes.subarray(at, at + padding)
          if (some.some((byte) => byte !== 0)) wrong = "there is something between its members"
          padding -= some.length
          at += some.length
        } else {
          const some = bytes.subarray(at, at + blockBytes - filled)
          header.set(some, filled)
          filled += some.length
          at += some.length
          if (filled < blockBytes) break
          filled = 0
          wrong = atHeader()
        }
      }
      return wrong
    },
    end: () => wrong ?? (ended ? undefined : "it is cut off"),
  }
}
