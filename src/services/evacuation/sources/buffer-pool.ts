/** Buffers that are used again, so that what is read does not wait for the garbage collector. */
export interface BufferPool {
  /** A buffer for at least so many bytes, of at most `most`. What is in it is what was. */
  readonly take: (bytes: number, most: number) => Uint8Array
  readonly give: (buffer: Uint8Array) => void
}

const smallest = 16 << 10

/** A pool that keeps buffers of at most so many bytes together. */
export const make = (keptBytes: number): BufferPool => {
  const free = new Map<number, Array<Uint8Array>>()
  let kept = 0
  return {
    take: (bytes, most) => {
      const size = Math.min(Math.max(smallest, 2 ** Math.ceil(Math.log2(Math.max(bytes, 1)))), Math.max(most, bytes))
      const buffer = free.get(size)?.pop()
      if (buffer === undefined) return new Uint8Array(size)
      kept -= size
      return buffer
    },
    give: (buffer) => {
      if (kept + buffer.length > keptBytes) return
      kept += buffer.length
      const same = free.get(buffer.length)
      if (same === undefined) free.set(buffer.length, [buffer])
      else same.push(buffer)
    },
  }
}
