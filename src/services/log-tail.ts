/** The end of a text that goes on: its last bytes, in memory that does not grow. */
export interface LogTail {
  /** Adds a text of so many bytes (UTF-8). */
  readonly write: (text: string, bytes: number) => void
  /** The last lines, none of them cut unless it alone is too long, and how many bytes came before them. */
  readonly end: () => { readonly kept: Uint8Array; readonly dropped: number }
}

const newline = 10
/** Of UTF-8, a byte that does not begin a character. */
const isContinuation = (byte: number): boolean => (byte & 0xc0) === 0x80

/** Where the first whole line of bytes begins that were cut somewhere, or, where none ends, the first whole character. */
const firstWhole = (bytes: Uint8Array): number => {
  const line = bytes.indexOf(newline) + 1
  return line > 0 && line < bytes.length ? line : bytes.findIndex((byte) => !isContinuation(byte))
}

/** Keeps at most `size` bytes. */
export const make = (size: number): LogTail => {
  const ring = Buffer.alloc(size)
  let total = 0
  const put = (bytes: Uint8Array) => {
    const at = total % size
    const before = bytes.subarray(0, size - at)
    ring.set(before, at)
    ring.set(bytes.subarray(before.length), 0)
    total += bytes.length
  }
  return {
    write: (text, bytes) => {
      const at = total % size
      if (bytes <= size - at) {
        ring.write(text, at)
        total += bytes
        return
      }
      const whole = Buffer.from(text)
      total += Math.max(0, whole.length - size)
      put(whole.subarray(Math.max(0, whole.length - size)))
    },
    end: () => {
      if (total <= size) return { kept: ring.subarray(0, total), dropped: 0 }
      const at = total % size
      const all = Buffer.concat([ring.subarray(at), ring.subarray(0, at)])
      const kept = all.subarray(firstWhole(all))
      return { kept, dropped: total - kept.length }
    },
  }
}
