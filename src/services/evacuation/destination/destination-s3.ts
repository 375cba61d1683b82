import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import type * as Scope from "effect/Scope"
import type { S3Section } from "../../../domain/config/storage.ts"
import { parseSize } from "../../../domain/quantity.ts"
import * as S3Client from "../../s3-client.ts"
import { optional } from "../../s3-read.ts"
import * as Bandwidth from "./bandwidth.ts"
import { type Destination, DestinationFailed } from "./destination.ts"
import { keyProblem } from "./destination-key.ts"
import * as PiecePermits from "./piece-permits.ts"
import * as S3Pointer from "./s3-pointer.ts"
import { compare, copy } from "./s3-objects.ts"
import * as S3Parts from "./s3-parts.ts"
import * as S3Put from "./s3-put.ts"
import * as S3Requests from "./s3-requests.ts"
import * as S3Trial from "./s3-trial.ts"

/** A bucket as a rung of the ladder. */
export interface Place {
  readonly name: string
  readonly bucket: string
  readonly prefix: string
  readonly away: boolean
  readonly section: S3Section
  readonly profile?: string
  /** Bytes a second. */
  readonly bandwidth?: number
  readonly lock?: S3Trial.WantedLock
}

/** The object that a place is tried with, or what was seen when it was tried before. */
export type Tried =
  | { readonly probe: { readonly key: string; readonly bytes: Uint8Array } }
  | { readonly trial: S3Trial.Trial }

const usualPieceBytes = 8 << 20
/** What pieces take in all: with the program, the SDK and what sockets hold it stays below 300 MiB. */
const memoryBytes = 40 << 20
const keyBytes = 1024

const page = (requests: S3Requests.Requests, start: string, token: string | undefined) =>
  requests.call({
    operation: "list objects",
    send: (s3, http) =>
      s3.listObjectsV2(
        {
          Bucket: requests.bucket,
          Prefix: requests.fullKey(start),
          ...(token === undefined ? {} : { ContinuationToken: token }),
        },
        http,
      ),
  })

const listAll = (requests: S3Requests.Requests, start: string) =>
  Effect.gen(function* () {
    const keys: Array<string> = []
    let token: string | undefined
    do {
      const { Contents, NextContinuationToken } = yield* page(requests, start, token)
      for (const { Key = "" } of Contents ?? []) keys.push(requests.relative(Key))
      token = NextContinuationToken
    } while (token !== undefined)
    return keys.toSorted()
  })

/**
 * Opens a bucket and tries it, unless it was tried before. `prefixes` are those that objects will be put below: what
 * an earlier try left there is looked up once, and not sent again.
 */
export const open = (
  place: Place,
  tried: Tried,
  prefixes: ReadonlyArray<string>,
): Effect.Effect<Destination & { readonly trial: S3Trial.Trial }, DestinationFailed, Scope.Scope> =>
  Effect.gen(function* () {
    const { away, name, profile, section } = place
    const client = yield* S3Client.make(section, { digested: true, ...(profile === undefined ? {} : { profile }) })
    const requests = S3Requests.make(client, place, yield* S3Requests.UsualPatience)
    const pieceBytes = parseSize(section.part_size ?? "") ?? usualPieceBytes
    const { location } = requests

    const trial =
      "trial" in tried ? tried.trial : yield* S3Trial.run(requests, tried.probe.key, tried.probe.bytes, place.lock)
    const how = trial.digests ? "ask" : "read"

    // Who may store but not list is served too; parts of earlier tries are then sent again.
    const there = yield* Effect.forEach(prefixes, (prefix) => listAll(requests, prefix)).pipe(
      Effect.map((found) => found.flat()),
      Effect.orElseSucceed((): ReadonlyArray<string> => []),
    )
    const uploads = yield* Effect.forEach(prefixes, (prefix) => S3Parts.unfinished(requests, prefix)).pipe(
      Effect.map((found) => new Map(found.flatMap((each) => [...each]))),
      Effect.orElseSucceed(() => new Map<string, ReadonlyArray<string>>()),
    )
    const sending: S3Put.Sending = {
      requests,
      pieceBytes,
      permits: PiecePermits.make(Math.max(1, Math.floor(memoryBytes / pieceBytes))),
      bandwidth: Bandwidth.make(place.bandwidth),
      lock: trial.lock,
      how,
      there: new Set(there),
      uploads,
    }

    const checked = (operation: string, key: string) => {
      const reason = keyProblem(key, keyBytes - Buffer.byteLength(requests.fullKey("")))
      return reason === undefined
        ? Effect.void
        : Effect.fail(new DestinationFailed({ location, operation, key, reason, transient: false, refused: false }))
    }

    return {
      name,
      location,
      away,
      readsBack: how === "read",
      pieceBytes,
      trial,
      put: (request) => Effect.andThen(checked("store", request.key), S3Put.put(sending, request)),
      confirm: (object, asked) =>
        compare(requests, object, how === "read" ? how : asked).pipe(
          Effect.mapError(requests.failed("confirm", object.key)),
        ),
      get: (key) =>
        optional(
          Effect.suspend(() => {
            let chunks: Array<Uint8Array> = []
            const use = () => {
              chunks = []
              return (chunk: Uint8Array) => Effect.sync(() => void chunks.push(chunk))
            }
            return Effect.map(requests.read(key, use), () => new Uint8Array(Buffer.concat(chunks)))
          }),
        ).pipe(Effect.mapError(requests.failed("read", key))),
      list: (prefix) => Effect.mapError(listAll(requests, prefix), requests.failed("list", prefix)),
      copy: ({ bytes, key, sha256 }, to) =>
        Effect.andThen(checked("copy", to), copy(requests, { bytes, key, sha256 }, to)),
      pointer: Effect.map(
        S3Pointer.read(requests),
        Option.map(({ bytes, tag }) => ({ bytes, tag })),
      ),
      movePointer: (bytes, from) => S3Pointer.move(requests, bytes, from),
    }
  })
