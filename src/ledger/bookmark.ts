import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Schema from "effect/Schema"
import { Sha256 } from "../domain/sha256.ts"
import { Bookmarks } from "../services/bookmarks.ts"
import { CodeDigest } from "../services/code-digest.ts"
import type * as Chain from "./chain.ts"

/** What the entries of a stream amount to, in a form that can be kept. */
export interface Fold {
  /** The name under which it is kept. */
  readonly name: string
  /** As JSON has it. */
  readonly toJson: () => unknown
  /** Takes up what the same code made; false where it cannot. */
  readonly fromJson: (json: unknown) => boolean
}

/** How far a stream was read: where that ends, its last line, and a hash over all of the bytes. */
export interface Read {
  readonly end: Chain.Start
  readonly last: Uint8Array
  readonly hasher: Bun.CryptoHasher
}

const Kept = Schema.fromJsonString(
  Schema.Struct({
    code: Sha256,
    stream: Schema.String,
    sequence: Schema.Int,
    hash: Sha256,
    bytes: Schema.Int,
    lastBytes: Schema.Int,
    digest: Sha256,
    fold: Schema.Unknown,
  }),
)
const decode = Schema.decodeUnknownOption(Kept)
const encode = Schema.encodeSync(Kept)

const digestOf = (hasher: Bun.CryptoHasher) => hasher.copy().digest("hex") as Sha256

/** Keeps what was read of a stream. */
export const save = Effect.fnUntraced(function* (stream: string, fold: Fold, { end, hasher, last }: Read) {
  const { bytes, head } = end
  const code = (yield* CodeDigest)()
  const kept = { code, stream, ...head, bytes, lastBytes: last.length, digest: digestOf(hasher), fold: fold.toJson() }
  yield* (yield* Bookmarks).write(fold.name, encode(kept))
})

/**
 * What was kept of a stream, with the fold's JSON, where the same code kept it and the stream begins with the very bytes that
 * were verified then; undefined otherwise: then it is to be read from its first line.
 */
export const load = Effect.fnUntraced(function* <E>(
  stream: string,
  fold: Fold,
  bytesFrom: (from: number, least: number) => Effect.Effect<Uint8Array, E>,
  piece: number,
) {
  const found = Option.getOrUndefined(decode(yield* (yield* Bookmarks).read(fold.name)))
  if (found === undefined || found.stream !== stream || found.code !== (yield* CodeDigest)()) return undefined
  const hasher = new Bun.CryptoHasher("sha256")
  for (let at = 0; at < found.bytes;) {
    const bytes = (yield* bytesFrom(at, Math.min(piece, found.bytes - at))).subarray(0, found.bytes - at)
    if (bytes.length === 0) return undefined
    hasher.update(bytes)
    at += bytes.length
    yield* Effect.yieldNow
  }
  if (digestOf(hasher) !== found.digest) return undefined
  const { bytes, hash, lastBytes, sequence } = found
  const last = new Uint8Array(yield* bytesFrom(bytes - lastBytes, lastBytes)).slice(0, lastBytes)
  return { read: { end: { head: { sequence, hash }, bytes }, last, hasher } satisfies Read, json: found.fold }
})
