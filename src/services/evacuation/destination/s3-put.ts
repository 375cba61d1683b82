import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import type { Sha256 } from "../../../domain/sha256.ts"
import { composite } from "../../s3-upload.ts"
import type { Bandwidth } from "./bandwidth.ts"
import { type Confirmed, DestinationFailed, type PutRequest } from "./destination.ts"
import type { PiecePermits } from "./piece-permits.ts"
import type { Piece, Reading } from "../sources/reading.ts"
import { compare, create, type Lock, settle } from "./s3-objects.ts"
import * as Parts from "./s3-parts.ts"
import type { Requests } from "./s3-requests.ts"

/** What sending to a bucket needs to know. */
export interface Sending {
  readonly requests: Requests
  readonly pieceBytes: number
  readonly permits: PiecePermits
  readonly bandwidth: Bandwidth
  readonly lock: Lock | undefined
  /** `read` where the server's word about digests is worth nothing. */
  readonly how: "ask" | "read"
  /** Keys that are there, as far as that is known. */
  readonly there: Set<string>
  /** Ids of the uploads under way, by key. */
  readonly uploads: Map<string, ReadonlyArray<string>>
}

/** Bytes that were sent for an object, over all of its readings. */
interface Counted {
  sent: number
}

/** A source that changes is read so often; what was read last is kept. */
const readings = 3

type End = Effect.Success<Reading["end"]>

/** What became of one reading: an object, or nothing since the source changed meanwhile. */
type Tried = Confirmed | "changed"

/** Sends a source that fits into a piece, when it is sure that it did not change. */
const whole = Effect.fnUntraced(function* (
  sending: Sending,
  { key, lock }: PutRequest,
  reading: Reading,
  piece: Piece | undefined,
  isLast: boolean,
  counted: Counted,
) {
  const bytes = piece?.bytes ?? new Uint8Array()
  const sha256 = new Bun.CryptoHasher("sha256").update(bytes).digest("hex") as Sha256
  const end: End = yield* reading.end
  if (end.changed && !isLast) return "changed" as const
  const object = { key, bytes: bytes.length, sha256 }
  if (sending.there.has(key)) {
    yield* settle(sending.requests, object, sending.how, "conflict")
    return { ...object, sent: counted.sent, end }
  }
  // It was larger when an earlier try began to send it.
  yield* Effect.forEach(sending.uploads.get(key) ?? [], (id) => Parts.abort(sending.requests, key, id))
  sending.uploads.delete(key)
  yield* sending.bandwidth(bytes.length)
  const request = { key, bytes, sha256, lock: lock ? sending.lock : undefined }
  counted.sent += yield* create(sending.requests, request, sending.how)
  sending.there.add(key)
  return { ...object, sent: counted.sent, end }
})

/** Sends a source piece by piece, as many at a time as there are permits; not those that the server has. */
const inParts = Effect.fnUntraced(function* (
  sending: Sending,
  { key, lock }: PutRequest,
  reading: Reading,
  first: Piece,
  permits: Effect.Success<PiecePermits["ofObject"]>,
  isLast: boolean,
  counted: Counted,
) {
  const { bandwidth, pieceBytes, requests, uploads } = sending
  if (reading.seen.bytes > Parts.mostParts * pieceBytes) {
    const reason = `it is larger than ${Parts.mostParts} parts of ${pieceBytes} bytes: raise part_size of the server's s3 section`
    const { location } = requests
    return yield* new DestinationFailed({ location, operation: "store", key, reason, transient: false, refused: false })
  }
  const upload = sending.there.has(key)
    ? undefined
    : yield* Parts.begin(requests, key, lock ? sending.lock : undefined, uploads.get(key) ?? [])
  if (upload !== undefined) uploads.set(key, [upload.id])
  else sending.there.add(key)
  const hasher = new Bun.CryptoHasher("sha256")
  const sizes: Array<number> = []
  const checksums: Array<string> = []
  const broken = Deferred.makeUnsafe<never, DestinationFailed>()
  const fibers: Array<Fiber.Fiber<void, DestinationFailed>> = []
  const send = (piece: Piece, number: number, sha256: string) =>
    upload === undefined
      ? Effect.void
      : Effect.andThen(
          bandwidth(piece.bytes.length),
          Parts.send(requests, key, upload, { number, bytes: piece.bytes, sha256 }),
        ).pipe(Effect.tap(() => Effect.sync(() => (counted.sent += piece.bytes.length))))
  const loop = Effect.gen(function* () {
    let piece: Piece | undefined = first
    while (piece !== undefined) {
      const current: Piece = piece
      const number = sizes.length + 1
      hasher.update(current.bytes)
      const sha256 = new Bun.CryptoHasher("sha256").update(current.bytes).digest("base64")
      sizes.push(current.bytes.length)
      checksums.push(sha256)
      const done = Effect.andThen(Effect.sync(current.release), permits.give)
      if (upload === undefined || upload.parts.get(number)?.sha256 === sha256) yield* done
      else {
        const sending = send(current, number, sha256).pipe(
          Effect.tapError((error) => Deferred.fail(broken, error)),
          Effect.ensuring(done),
        )
        fibers.push(yield* Effect.forkScoped(sending, { startImmediately: true }))
      }
      yield* permits.take
      piece = yield* reading.next
    }
    yield* permits.give
    yield* Fiber.joinAll(fibers)
  })
  yield* Effect.raceFirst(loop, Deferred.await(broken))
  const end: End = yield* reading.end
  if (end.changed && !isLast) return "changed" as const
  const bytes = sizes.reduce((sum, size) => sum + size, 0)
  const { sent } = counted
  const object = { key, bytes, sha256: hasher.digest("hex") as Sha256, parts: sizes }
  if (upload === undefined) {
    const checksum = composite(checksums.map((sha256) => ({ sha256 })))
    const found = yield* compare(requests, { ...object, checksum }, sending.how).pipe(
      Effect.mapError(requests.failed("confirm", key)),
    )
    if (found.confirmed) return { ...object, checksum, sent, end }
    // It may have been sent in other parts, or is another file.
    const { bytes, sha256 } = object
    yield* settle(requests, { key, bytes, sha256 }, "read", "conflict")
    return { key, bytes, sha256, sent, end }
  }
  const checksum = yield* Parts.complete(requests, object, upload, sending.how).pipe(
    Effect.tapError((error) => (error.transient ? Effect.void : Parts.abort(requests, key, upload.id))),
  )
  uploads.delete(key)
  sending.there.add(key)
  return { ...object, checksum, sent, end }
})

/** Takes an object: a `Destination`'s `put`. */
export const put = (sending: Sending, request: PutRequest) => {
  const counted: Counted = { sent: 0 }
  const once = (isLast: boolean) =>
    Effect.gen(function* () {
      const permits = yield* sending.permits.ofObject
      const reading = yield* request.open
      yield* permits.take
      const piece = yield* reading.next
      // What is small takes no room worth counting.
      if (piece === undefined || piece.bytes.length < sending.pieceBytes / 32) yield* permits.give
      if (piece !== undefined && piece.bytes.length === sending.pieceBytes) {
        return yield* inParts(sending, request, reading, piece, permits, isLast, counted)
      }
      const tried: Tried = yield* whole(sending, request, reading, piece, isLast, counted).pipe(
        Effect.ensuring(Effect.sync(() => piece?.release())),
      )
      return tried
    }).pipe(Effect.scoped)
  return Effect.gen(function* () {
    for (let reading = 1; ; reading++) {
      const tried: Tried = yield* once(reading === readings)
      if (tried !== "changed") return tried
    }
  })
}
