import * as Effect from "effect/Effect"
import * as Semaphore from "effect/Semaphore"
import type { Entry } from "../domain/event.ts"
import { Bookmarks } from "../services/bookmarks.ts"
import * as Bookmark from "./bookmark.ts"
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
const piece = 1 << 20

const newline = 10

/**
 * Reads a stream from a byte on, at least `least` bytes where there are so many, and not much more; nothing where the stream
 * is not there.
 */
export type BytesFrom<E> = (from: number, least: number) => Effect.Effect<Uint8Array, E>

/** A text of ASCII of its own: one that was cut out of a line keeps the line in memory. */
export const own = <A extends string>(text: A): A => Buffer.from(text, "latin1").toString("latin1") as A

/**
 * Begins before a stream's first entry. `take` is told of each entry once, in order. With a `fold` the first reading begins
 * where another process has left its bookmark: `take` is not told of what comes before.
 */
export const make = <E>(
  stream: string,
  bytesFrom: BytesFrom<E>,
  take: (entry: Entry) => void,
  fold?: Bookmark.Fold,
): StreamTail<E> => {
  let read: Chain.Start = { head: genesis(stream), bytes: 0 }
  /** The last line that was read, which has to be there still. */
  let last = new Uint8Array()
  /** A hash over all that was read, where that is to be kept. */
  let hasher: Bun.CryptoHasher | undefined
  let isBegun = fold === undefined
  /** Bytes that the bookmark stands for. */
  let marked = 0
  const turn = Semaphore.makeUnsafe(1)
  const damaged = (line: number, reason: string) => new StreamDamaged({ stream, line, reason })

  /** What follows, in whole lines unless it is the end of the stream; a line may be longer than a piece. */
  const following = Effect.gen(function* () {
    const from = read.bytes - last.length
    for (let least = last.length + piece; ; least *= 2) {
      const bytes = yield* bytesFrom(from, least)
      if (Buffer.compare(bytes.subarray(0, last.length), last) !== 0) {
        return yield* damaged(read.head.sequence, `line ${read.head.sequence} is not there any more as it was read`)
      }
      const isEnd = bytes.length < least
      const end = isEnd ? bytes.length : bytes.lastIndexOf(newline) + 1
      if (isEnd || end > last.length) return { isEnd, bytes: bytes.subarray(last.length, end) }
    }
  })

  /** Whether all that follows after a fault is what a crash tore; at the end of a stream what was read says so. */
  const isTorn = (chain: Chain.Chain, bytes: Uint8Array, from: number, isEnd: boolean) =>
    isEnd
      ? Effect.succeed(Chain.isTornTail(bytes, chain, from))
      : Effect.map(bytesFrom(chain.validBytes, Infinity), (rest) => Chain.isTornTail(rest, chain, chain.validBytes))

  /** Begins where a bookmark is. */
  const begin = Effect.gen(function* () {
    if (isBegun || fold === undefined) return
    const isKept = (yield* Bookmarks).every < Infinity
    const found = isKept ? yield* Bookmark.load(stream, fold, bytesFrom, piece) : undefined
    // From here to the end nothing comes between: the fold stands where the reading does.
    isBegun = true
    if (isKept) hasher = new Bun.CryptoHasher("sha256")
    if (found === undefined || !fold.fromJson(found.json)) return
    ;({ end: read, hasher, last } = found.read)
    marked = read.bytes
  })

  /** Leaves a bookmark where it pays. */
  const mark = Effect.gen(function* () {
    if (hasher === undefined || fold === undefined || read.bytes - marked < (yield* Bookmarks).every) return
    marked = read.bytes
    yield* Bookmark.save(stream, fold, { end: read, last, hasher })
  })

  const readOn = Effect.gen(function* () {
    yield* begin
    for (;;) {
      const { bytes, isEnd } = yield* following
      const chain = Chain.read(stream, bytes, read)
      for (const entry of chain.entries) take(entry)
      const before = read.bytes
      const valid = chain.validBytes - before
      if (chain.entries.length > 0) last = bytes.slice(bytes.lastIndexOf(newline, valid - 2) + 1, valid)
      hasher?.update(bytes.subarray(0, valid))
      read = { head: chain.head, bytes: chain.validBytes }
      const { fault } = chain
      if (fault !== undefined && !(yield* isTorn(chain, bytes, before, isEnd)))
        return yield* damaged(fault.line, fault.reason)
      if (isEnd || fault !== undefined) {
        yield* mark
        return read
      }
      yield* Effect.yieldNow
    }
  })
  return { readOn: turn.withPermit(readOn) }
}

/** The bytes of a stream of a ledger. */
export const of =
  (ledger: Ledger["Service"], stream: string): BytesFrom<LedgerFailed> =>
  (from, least) =>
    Effect.catchTag(ledger.bytes(stream, from, least), "StreamMissing", () => Effect.succeed(new Uint8Array()))

/** Whole streams are read one after the other: many who ask for that keep the rest of the process waiting no longer than one. */
const wholeTurn = Semaphore.makeUnsafe(1)

/**
 * Tells of each entry of a whole stream, in order, and keeps none: what a crash tore at its end is left out, and a stream
 * that is not there has none.
 */
export const whole = (ledger: Ledger["Service"], stream: string, take: (entry: Entry) => void) =>
  wholeTurn.withPermit(make(stream, of(ledger, stream), take).readOn)
