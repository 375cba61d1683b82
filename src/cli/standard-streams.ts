import { fstatSync, writeSync } from "node:fs"
import * as Effect from "effect/Effect"
import { conceal } from "../services/secret-forms.ts"

/** File descriptors of standard output and standard error. */
export type Descriptor = 1 | 2

const writers = new Map<Descriptor, Bun.FileSink>()

/** The writer of a stream. Once it is made, writing to a slow reader stops nothing: the pipe says so instead. */
const writerOf = (descriptor: Descriptor): Bun.FileSink => {
  const known = writers.get(descriptor)
  if (known !== undefined) return known
  const made = (descriptor === 1 ? Bun.stdout : Bun.stderr).writer()
  writers.set(descriptor, made)
  return made
}

/** Standard error says what went wrong in words of others: no secret goes there. Data are not touched. */
const safe = (descriptor: Descriptor, text: string): string => (descriptor === 2 ? conceal(text) : text)

let sending: Promise<unknown> = Promise.resolve()

/**
 * Writes a text after all that was sent before; the promise is kept when it has left this process, however slow its
 * reader, and broken when the stream cannot be written. `process.stdout` does the same, and takes a command ten
 * milliseconds to be made.
 */
export const send = (descriptor: Descriptor, text: string): Promise<void> => {
  const writing = async () => {
    const writer = writerOf(descriptor)
    await Promise.all([writer.write(safe(descriptor, text)), writer.flush()])
  }
  const written = writing()
  sending = Promise.allSettled([sending, written])
  return written
}

/** Succeeds when all that was sent so far has left this process, or could not. */
export const sent: Effect.Effect<void> = Effect.promise(() => sending.then(() => undefined))

/** Standard output, for those who only ask what it is: a file or a pipe is known without `process.stdout`. */
export const output = {
  get isTTY(): boolean {
    try {
      return fstatSync(1).isCharacterDevice() && process.stdout.isTTY
    } catch {
      return false
    }
  },
}

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
  writerOf(descriptor)
  waiting[descriptor].push(Buffer.from(safe(descriptor, text)))
  if (waiting[descriptor].length === 1) pump(descriptor)
}

/** Succeeds when all readers have got all that was written so far. */
export const flushed: Effect.Effect<void> = Effect.callback<void>((resume) => {
  if (waiting[1].length + waiting[2].length === 0) return resume(Effect.void)
  waiters.push(() => resume(Effect.void))
})
