import type { Redaction } from "../../../domain/collected.ts"
import * as LosslessText from "./lossless-text.ts"
import type { Redactor } from "./redaction.ts"

/** Bytes that go through the redaction rules as they come. */
export interface RedactedBytes {
  /** What is ready now that these came after the others; they may be used again. */
  readonly push: (bytes: Uint8Array) => Uint8Array
  /** What is left. */
  readonly end: () => Uint8Array
  readonly counts: () => ReadonlyArray<Redaction>
}

const newline = 10
/** A line of more bytes goes to the redactor in parts. */
const longLine = 256 << 10
const nothing = new Uint8Array()

const isFirstHalf = (unit: number): boolean => unit >= 0xd800 && unit < 0xdc00

/** Sends bytes through a redactor that has seen nothing; whatever is not replaced comes out as it went in. */
export const of = (redactor: Redactor, most = longLine): RedactedBytes => {
  let pending: Uint8Array = nothing
  /** Parts of the line that `pending` goes on were given to the redactor. */
  let isInLine = false
  /** The first half of a surrogate pair whose other half comes next. */
  let half = ""

  const part = (bytes: Uint8Array, ends: boolean): Uint8Array => {
    const text = half + redactor.part(LosslessText.decode(bytes), ends)
    half = !ends && isFirstHalf(text.charCodeAt(text.length - 1)) ? text.slice(-1) : ""
    isInLine = !ends
    return LosslessText.encode(half === "" ? text : text.slice(0, -1))
  }
  const lines = (bytes: Uint8Array): Uint8Array => {
    if (bytes.length === 0) return bytes
    const before = LosslessText.decode(bytes)
    const after = redactor.text(before)
    return after === before ? bytes : LosslessText.encode(after)
  }
  return {
    push: (bytes) => {
      const out: Array<Uint8Array> = []
      const end = bytes.lastIndexOf(newline) + 1
      let whole = end === 0 ? nothing : Buffer.concat([pending, bytes.subarray(0, end)])
      pending = end === 0 ? Buffer.concat([pending, bytes]) : Buffer.from(bytes.subarray(end))
      if (isInLine && whole.length > 0) {
        const next = whole.indexOf(newline) + 1
        out.push(part(whole.subarray(0, next), true))
        whole = whole.subarray(next)
      }
      out.push(lines(whole))
      if (pending.length > most) {
        const characters = LosslessText.wholeBytes(pending)
        out.push(part(pending.subarray(0, characters), false))
        pending = pending.subarray(characters)
      }
      return Buffer.concat(out)
    },
    end: () => {
      const rest = pending
      pending = nothing
      return isInLine ? part(rest, true) : lines(rest)
    },
    counts: redactor.counts,
  }
}
