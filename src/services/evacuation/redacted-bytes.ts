import type { Redaction } from "../../domain/collected.ts"
import * as LosslessText from "./lossless-text.ts"

/** The redaction rules at work on one file, which is given line by line. */
export interface Redactor {
  readonly text: (line: string) => string
  readonly counts: () => ReadonlyArray<Redaction>
}

/** Bytes that go through the redaction rules as they come. */
export interface RedactedBytes {
  /** What is ready now that these came after the others; they may be used again. */
  readonly push: (bytes: Uint8Array) => Uint8Array
  /** What is left. */
  readonly end: () => Uint8Array
  readonly counts: () => ReadonlyArray<Redaction>
}

const newline = 10
/** A line of more than `window` bytes is cut; a secret of at most `secret` characters is whole on one side of the cut. */
const usual = { window: 256 << 10, secret: 8192 }
/** A line that offers no place for a cut grows to so many windows before it is cut where it is. */
const mostWindows = 16
const nothing = new Uint8Array()

const isHalfPair = (text: string, at: number): boolean => {
  const before = text.charCodeAt(at - 1)
  const after = text.charCodeAt(at)
  return before >= 0xd800 && before < 0xdc00 && after >= 0xdc00 && after < 0xe000
}

/**
 * Where a line that has not ended can be cut so that its halves lose what the whole does: no secret lies across. `fresh`
 * makes a redactor that has seen nothing. Undefined where no such place is found.
 */
const cutOf = (text: string, secret: number, fresh: () => Redactor): number | undefined => {
  const whole = fresh().text(text)
  for (let back = 0, last = text.length - secret; last - back > text.length / 4; back = back * 2 + 16) {
    const at = isHalfPair(text, last - back) ? last - back - 1 : last - back
    if (fresh().text(text.slice(0, at)) + fresh().text(text.slice(at)) === whole) return at
  }
  return undefined
}

/** Sends bytes through the redactor that `make` makes; whatever is not replaced comes out as it went in. */
export const of = (make: () => Redactor, { secret, window } = usual): RedactedBytes => {
  const redactor = make()
  let pending: Uint8Array = nothing
  let patience = window

  const line = (text: string) => (text.endsWith("\r") ? `${redactor.text(text.slice(0, -1))}\r` : redactor.text(text))
  /** Whole lines, and what comes after the last. */
  const redacted = (bytes: Uint8Array): Uint8Array => {
    const text = LosslessText.decode(bytes)
    const lines = text.split("\n")
    const last = lines.pop() ?? ""
    const done = [...lines.map(line), last === "" ? "" : line(last)].join("\n")
    return done === text ? bytes : LosslessText.encode(done)
  }
  /** Gives out the beginning of a line that is too long. */
  const cut = (): Uint8Array => {
    const text = LosslessText.decode(pending)
    const found = cutOf(text, secret, make)
    if (found === undefined && patience < window * mostWindows) {
      patience *= 2
      return nothing
    }
    const begin = text.slice(0, found ?? Math.max(1, text.length - secret))
    pending = pending.subarray(LosslessText.encode(begin).length)
    patience = window
    return LosslessText.encode(redactor.text(begin))
  }
  return {
    push: (bytes) => {
      const end = bytes.lastIndexOf(newline) + 1
      const out: Array<Uint8Array> = []
      if (end > 0) {
        out.push(redacted(Buffer.concat([pending, bytes.subarray(0, end)])))
        pending = Buffer.from(bytes.subarray(end))
        patience = window
      } else pending = Buffer.concat([pending, bytes])
      while (pending.length > patience) {
        const part = cut()
        if (part.length > 0) out.push(part)
      }
      return out.length === 1 ? out[0] : Buffer.concat(out)
    },
    end: () => {
      const rest = pending
      pending = nothing
      return rest.length === 0 ? rest : redacted(rest)
    },
    counts: redactor.counts,
  }
}
