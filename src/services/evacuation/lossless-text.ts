import { isUtf8 } from "node:buffer"

/** How many bytes the character that begins here has by its first byte. */
const charBytes = (first: number): number => (first < 0xe0 ? 2 : first < 0xf0 ? 3 : 4)

/** Bytes that are no UTF-8, in a text: a half of a surrogate pair that stands alone, U+DC80 to U+DCFF (PEP 383). */
export const stray = /[\udc80-\udcff]/gu

/** Text of bytes of which nothing is lost: UTF-8, and each byte that is none as `stray` finds it. */
export const decode = (bytes: Uint8Array): string => {
  const buffer = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length)
  if (isUtf8(bytes)) return buffer.toString()
  let text = ""
  let begin = 0
  for (let at = 0; at < bytes.length;) {
    const first = bytes[at]
    const size = first < 0x80 ? 1 : charBytes(first)
    if (size === 1 || (at + size <= bytes.length && isUtf8(bytes.subarray(at, at + size)))) at += size
    else {
      text += buffer.toString("utf8", begin, at) + String.fromCharCode(0xdc00 + first)
      begin = ++at
    }
  }
  return text + buffer.toString("utf8", begin)
}

/** The bytes of such a text. */
export const encode = (text: string): Buffer => {
  if (text.isWellFormed()) return Buffer.from(text)
  const parts: Array<Buffer> = []
  let begin = 0
  for (const { 0: half, index } of text.matchAll(stray)) {
    parts.push(Buffer.from(text.slice(begin, index)), Buffer.from([half.charCodeAt(0) - 0xdc00]))
    begin = index + 1
  }
  return Buffer.concat([...parts, Buffer.from(text.slice(begin))])
}
