import { writeSync } from "node:fs"
import * as Effect from "effect/Effect"

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

/** Texts whose reader is behind, in order. */
const waiting: Readonly<Record<Descriptor, Array<Uint8Array>>> = { 1: [], 2: [] }
let waiters: Array<() => void> = []

/** Writes what can be written now; gives what is left. */
const put = (descriptor: Descriptor, bytes: Uint8Array): Uint8Array => {
  let rest = bytes
  while (rest.length > 0 && !closed.has(descriptor)) {
    const written = attempt(descriptor, rest)
    if (written === 0) return rest
    if (written < 0) closed.add(descriptor)
    else rest = rest.subarray(written)
  }
  return new Uint8Array()
}

const pump = (descriptor: Descriptor): void => {
  const queue = waiting[descriptor]
  while (queue.length > 0) {
    queue[0] = put(descriptor, queue[0])
    if (queue[0].length > 0) return void setTimeout(() => pump(descriptor), 10)
    queue.shift()
  }
  if (waiting[1].length + waiting[2].length > 0) return
  const woken = waiters
  waiters = []
  for (const wake of woken) wake()
}

/**
 * Writes a text at once, where its reader keeps up: `process.stdout` keeps what a pipe does not take, and the end of the
 * process loses it. A reader that is behind or stopped gets it later, in order, and nobody waits for him before
 * `flushed`. When the reader has gone (`| head`), the rest is dropped and the work goes on.
 */
export const write = (descriptor: Descriptor, text: string): void => {
  waiting[descriptor].push(Buffer.from(text))
  if (waiting[descriptor].length === 1) pump(descriptor)
}

/** Succeeds when all readers have got all that was written so far. */
export const flushed: Effect.Effect<void> = Effect.callback<void>((resume) => {
  if (waiting[1].length + waiting[2].length === 0) return resume(Effect.void)
  waiters.push(() => resume(Effect.void))
})
