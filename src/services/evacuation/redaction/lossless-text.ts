import { isUtf8 } from "node:buffer"

/** Bytes that are no UTF-8, in a text: a half of a surrogate pair that stands alone, U+DC80 to U+DCFF (PEP 383). */
export const stray = /[\udc80-\udcff]/gu
const strayBase = 0xdc00

/** The code point of the character that these bytes are and nothing more; -1 where they are none (RFC 3629, section 4). */
const characterOf = (bytes: Uint8Array, at: number, size: number): number => {
  if (at + size > bytes.length) return -1
  let point = bytes[at] & (0x7f >> size)
  for (let index = 1; index < size; index++) {
    const next = bytes[at + index]
    if ((next & 0xc0) !== 0x80) return -1
    point = (point << 6) | (next & 0x3f)
  }
  if (size === 2) return point >= 0x80 ? point : -1
  if (size === 3) return point >= 0x800 && (point < 0xd800 || point > 0xdfff) ? point : -1
  return point >= 0x10000 && point <= 0x10ffff ? point : -1
}

/** How many bytes a character has that begins with this one, were it one. */
const sizeOf = (first: number): number =>
  first < 0x80 ? 1 : first < 0xc0 || first > 0xf7 ? 0 : first < 0xe0 ? 2 : first < 0xf0 ? 3 : 4

/** How many of these bytes there are without a character at their end that goes on in what comes next. */
export const wholeBytes = (bytes: Uint8Array): number => {
  for (let at = bytes.length - 1; at >= Math.max(0, bytes.length - 3); at--)
    if (bytes[at] >= 0xc0) return at + sizeOf(bytes[at]) > bytes.length ? at : bytes.length
  return bytes.length
}

/** Text of bytes of which nothing is lost: UTF-8, and each byte that is none as `stray` finds it. */
export const decode = (bytes: Uint8Array): string => {
  if (isUtf8(bytes)) return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString()
  const units = new Uint16Array(bytes.length)
  let count = 0
  for (let at = 0; at < bytes.length;) {
    const size = sizeOf(bytes[at])
    const point = size === 1 ? bytes[at] : size === 0 ? -1 : characterOf(bytes, at, size)
    if (point === -1) units[count++] = strayBase + bytes[at]
    else if (point < 0x10000) units[count++] = point
    else {
      units[count++] = 0xd7c0 + (point >> 10)
      units[count++] = strayBase + (point & 0x3ff)
    }
    at += point === -1 ? 1 : size
  }
  return Buffer.from(units.buffer, 0, count * 2).toString("utf16le")
}

/** The bytes of such a text. */
export const encode = (text: string): Buffer => {
  if (text.isWellFormed()) return Buffer.from(text)
  const bytes = Buffer.allocUnsafe(text.length * 3)
  let length = 0
  for (let at = 0; at < text.length; at++) {
    const unit = text.charCodeAt(at)
    if (unit < 0x80) bytes[length++] = unit
    else if (unit >= strayBase + 0x80 && unit <= strayBase + 0xff) bytes[length++] = unit - strayBase
    else {
      const character = String.fromCodePoint(text.codePointAt(at) ?? unit)
      length += bytes.write(character, length)
      at += character.length - 1
    }
  }
  return bytes.subarray(0, length)
}
