import { writeSync } from "node:fs"

/** File descriptors of standard output and standard error. */
type Descriptor = 1 | 2

const closed = new Set<Descriptor>()

/** Writes some bytes; 0 when the reader is behind, -1 when nobody reads any more. */
const attempt = (descriptor: Descriptor, bytes: Uint8Array): number => {
  try {
    return writeSync(descriptor, bytes)
  } catch (error) {
    const code = error instanceof Error && "code" in error ? error.code : ""
    if (code === "EAGAIN" || code === "EINTR") return 0
    return -1
  }
}

/**
 * Writes all of a text before it returns: `process.stdout` keeps what a pipe does not take at once, and the end of the
 * process loses it. When the reader has gone (`| head`), the rest is dropped and the work goes on.
 */
export const write = (descriptor: Descriptor, text: string): void => {
  let rest = Buffer.from(text)
  while (rest.length > 0 && !closed.has(descriptor)) {
    const written = attempt(descriptor, rest)
    if (written < 0) closed.add(descriptor)
    else if (written === 0) Bun.sleepSync(1)
    else rest = rest.subarray(written)
  }
}
