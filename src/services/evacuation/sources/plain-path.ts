import * as Sha256 from "../../../domain/sha256.ts"
import { keyProblem } from "../../object-store-key.ts"
import * as LosslessText from "../redaction/lossless-text.ts"

/** How many bytes a name on most file systems may have, and a path in the bundle. */
const nameBytes = 255
const pathBytes = 900

const slash = 0x2f
const longName = "long"
/** What people cannot see, XML cannot hold or is no UTF-8, and what paths are written with. */
const unplain = /[\p{Cc}\p{Cf}\p{Cs}\p{Zl}\p{Zp}\ufffe\uffff%\\]/gu

const escaped = (bytes: Uint8Array): string => {
  let text = ""
  for (const byte of bytes) text += `%${byte.toString(16).toUpperCase().padStart(2, "0")}`
  return text
}

/** Text of a path for people: what is no UTF-8 as `\xNN`. */
export const shown = (path: Uint8Array): string =>
  LosslessText.decode(path).replace(LosslessText.stray, (half) => `\\x${LosslessText.encode(half).toString("hex")}`)

/**
 * A name of a file made plain, whatever its bytes: what is no UTF-8, control and format characters, `%` and backslashes
 * become `%XX` for each byte; so does the first byte of a name that means something to a file system or to us. The name
 * comes back by reading each `%XX` as its byte.
 */
export const plainName = (name: Uint8Array): string => {
  const plain = LosslessText.decode(name).replace(unplain, (character) => escaped(LosslessText.encode(character)))
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
