/** An output stream of a worker, cut into one stream for each of its jobs. */
export interface JobOutput {
  /** What comes until the line `end`, or until the worker ends. One at a time. Read only as fast as it is taken. */
  readonly until: (end: string) => ReadableStream<Uint8Array>
  /** Whether the line that ends the last job has come. */
  readonly met: () => boolean
  /** Whether nothing has come after that line. */
  readonly quiet: () => boolean
  /** Resolves when something comes, or the worker ends, while it has no job. */
  readonly stirred: () => Promise<unknown>
  /** Reads no more. */
  readonly letGo: () => void
}

/** How many of the last bytes of `bytes` may be the beginning of `mark`. */
const begun = (bytes: Buffer, mark: Buffer): number => {
  for (let length = Math.min(bytes.length, mark.length - 1); length > 0; length--) {
    if (bytes.subarray(bytes.length - length).equals(mark.subarray(0, length))) return length
  }
  return 0
}

/** The cuts of a worker's stream. */
export const make = (stream: ReadableStream<Uint8Array>): JobOutput => {
  const reader = stream.getReader()
  let met = false
  let quiet = true
  let reading: Promise<Uint8Array | undefined> | undefined
  const read = () =>
    (reading ??= reader.read().then(
      ({ value }) => {
        quiet = false
        return value
      },
      () => undefined,
    ))
  return {
    until: (end) => {
      const mark = Buffer.from(`${end}\n`)
      let held = Buffer.alloc(0)
      met = false
      const pull = async (controller: ReadableStreamDefaultController<Uint8Array>): Promise<void> => {
        for (;;) {
          const bytes = await read()
          reading = undefined
          if (bytes === undefined) {
            if (held.length > 0) controller.enqueue(held)
            return controller.close()
          }
          held = Buffer.concat([held, bytes])
          const at = held.indexOf(mark)
          const ready = at < 0 ? held.length - begun(held, mark) : at
          if (ready > 0) controller.enqueue(held.subarray(0, ready))
          held = held.subarray(at < 0 ? ready : at + mark.length)
          if (at >= 0) {
            met = true
            quiet = held.length === 0
            return controller.close()
          }
          if (ready > 0) return
        }
      }
      return new ReadableStream({ pull }, { highWaterMark: 0 })
    },
    met: () => met,
    quiet: () => quiet,
    stirred: read,
    letGo: () => void reader.cancel().catch(() => undefined),
  }
}
