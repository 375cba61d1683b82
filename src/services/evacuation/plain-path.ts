import { isUtf8 } from "node:buffer"
import * as Sha256 from "../../domain/sha256.ts"
import { keyProblem } from "../object-store-key.ts"

/** How many bytes a name on most file systems may have, and a path in the bundle. */
const nameBytes = 255
const pathBytes = 900

const slash = 0x2f
const longName = "long"
/** What people cannot see or XML cannot hold, and what paths are written with. */
const unplain = /[\p{Cc}\p{Cf}\p{Zl}\p{Zp}\ufffe\uffff%\\]/u

const escaped = (bytes: Uint8Array): string => {
  let text = ""
  for (const byte of bytes) text += `%${byte.toString(16).toUpperCase().padStart(2, "0")}`
  return text
}

/** How many bytes the character that begins here has by its first byte. */
const charBytes = (first: number): number => (first < 0x80 ? 1 : first < 0xe0 ? 2 : first < 0xf0 ? 3 : 4)

/** Text of bytes, with what is no UTF-8 as `bad` writes it and the rest as `good` does. */
const decoded = (
  bytes: Uint8Array,
  bad: (byte: Uint8Array) => string,
  good: (character: string, bytes: Uint8Array) => string,
): string => {
  let text = ""
  for (let at = 0; at < bytes.length;) {
    const character = bytes.subarray(at, at + charBytes(bytes[at]))
    const isGood = isUtf8(character)
    const taken = isGood ? character : bytes.subarray(at, at + 1)
    text += isGood ? good(Buffer.from(taken).toString(), taken) : bad(taken)
    at += taken.length
  }
  return text
}

/** Text of a path for people: what is no UTF-8 as `\xNN`. */
export const shown = (path: Uint8Array): string =>
  isUtf8(path)
    ? Buffer.from(path).toString()
    : decoded(
        path,
        ([byte]) => `\\x${byte.toString(16).padStart(2, "0")}`,
        (character) => character,
      )

/**
 * A name of a file made plain, whatever its bytes: what is no UTF-8, control and format characters, `%` and backslashes
 * become `%XX` for each byte; so does the first byte of a name that means something to a file system or to us. The name
 * comes back by reading each `%XX` as its byte.
 */
export const plainName = (name: Uint8Array): string => {
  const text = isUtf8(name) ? Buffer.from(name).toString() : undefined
  const plain =
    text !== undefined && !unplain.test(text)
      ? text
      : decoded(name, escaped, (character, bytes) => (unplain.test(character) ? escaped(bytes) : character))
  return keyProblem(plain) === undefined ? plain : `${escaped(name.subarray(0, 1))}${plain.slice(1)}`
}

/** The names of a `/`-separated path. */
export const namesOf = (path: Uint8Array): ReadonlyArray<Uint8Array> => {
  const names: Array<Uint8Array> = []
  let begin = 0
  for (let at = path.indexOf(slash); at !== -1; at = path.indexOf(slash, begin)) {
    if (at > begin) names.push(path.subarray(begin, at))
    begin = at + 1
  }
  if (begin < path.length) names.push(path.subarray(begin))
  return names
}

/**
 * Where the file at a path below a collector's root lies in the bundle. No two files of a collector get the same; one
 * whose name or path would be too long is `<collector>/long/<SHA-256 of the path's bytes>`.
 */
export const placeOf = (collector: string, path: Uint8Array): string => {
  const names = namesOf(path).map(plainName)
  // Nothing else may come to lie among those whose paths are too long.
  if (names[0] === longName) names[0] = `%6C${longName.slice(1)}`
  const place = `${collector}/${names.join("/")}`
  const isLong = names.some((name) => Buffer.byteLength(name) > nameBytes) || Buffer.byteLength(place) > pathBytes
  return isLong ? `${collector}/${longName}/${Sha256.of(path)}` : place
}
