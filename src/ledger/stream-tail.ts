import * as Effect from "effect/Effect"
import * as Semaphore from "effect/Semaphore"
import type { Entry } from "../domain/event.ts"
import * as Chain from "./chain.ts"
import { type LedgerFailed, StreamDamaged } from "./errors.ts"
import type { Ledger } from "./ledger.ts"
import { genesis } from "./sealing.ts"

/** The end of a stream that grows: what is added is read, verified against what was before, and not kept. */
export interface StreamTail<E> {
  /** Reads what was added since the last time, and gives the end of it. What a crash tore at the end is left out. */
  readonly readOn: Effect.Effect<Chain.Start, E | StreamDamaged>
}

/** Bytes that are read at once; after so many others have their turn. */
const most = 1 << 20

const newline = 10

/** The end of the piece of `bytes` from `at` on that has whole lines and at most `most` bytes, or one line; else of all. */
const endOf = (bytes: Uint8Array, at: number): number => {
  if (bytes.length - at <= most) return bytes.length
  const last = bytes.lastIndexOf(newline, at + most - 1)
  const end = last >= at ? last : bytes.indexOf(newline, at)
  return end === -1 ? bytes.length : end + 1
}

/**
 * Begins before a stream's first entry. `bytesFrom` reads the stream from a byte on, nothing where it is not there; `take`
 * is told of each entry once, in order.
 */
export const make = <E>(
  stream: string,
  bytesFrom: (from: number) => Effect.Effect<Uint8Array, E>,
  take: (entry: Entry) => void,
): StreamTail<E> => {
  let read: Chain.Start = { head: genesis(stream), bytes: 0 }
  /** The last line that was read, which has to be there still. */
  let last = new Uint8Array()
  const turn = Semaphore.makeUnsafe(1)
  const damaged = (line: number, reason: string) => new StreamDamaged({ stream, line, reason })

  const readOn = Effect.gen(function* () {
    const from = read.bytes - last.length
    const bytes = yield* bytesFrom(from)
    if (Buffer.compare(bytes.subarray(0, last.length), last) !== 0) {
      return yield* damaged(read.head.sequence, `line ${read.head.sequence} is not there any more as it was read`)
    }
    for (let at = last.length; at < bytes.length;) {
      const end = endOf(bytes, at)
      const piece = bytes.subarray(at, end)
      const chain = Chain.read(stream, piece, read)
      for (const entry of chain.entries) take(entry)
      const valid = chain.validBytes - from
      if (chain.entries.length > 0) last = bytes.slice(bytes.lastIndexOf(newline, valid - 2) + 1, valid)
      const before = read.bytes
      read = { head: chain.head, bytes: chain.validBytes }
      if (chain.fault !== undefined) {
        if (Chain.isTornTail(bytes.subarray(at), chain, before)) break
        return yield* damaged(chain.fault.line, chain.fault.reason)
      }
      at = end
      if (at < bytes.length) yield* Effect.yieldNow
    }
    return read
  })
  return { readOn: turn.withPermit(readOn) }
}

/** The bytes of a stream of a ledger from one on, nothing where the stream is not there. */
export const of =
  (ledger: Ledger["Service"], stream: string) =>
  (from: number): Effect.Effect<Uint8Array, LedgerFailed> =>
    Effect.catchTag(ledger.bytes(stream, from), "StreamMissing", () => Effect.succeed(new Uint8Array()))
