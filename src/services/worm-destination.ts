import * as Effect from "effect/Effect"
import type * as Option from "effect/Option"
import type { EnvironmentName } from "../domain/names.ts"
import type { FileFailed } from "./durable-files.ts"
import type { LockBusy, LockFailed } from "./file-lock.ts"
import type { ObjectLock, ObjectStoreError, Store } from "./object-store.ts"
import * as WormBucket from "./worm-bucket.ts"
import * as WormBucketChain from "./worm-bucket-chain.ts"
import { verifyWorm, type WormHead, type WormReport } from "./worm-chain.ts"
import * as WormDirectory from "./worm-directory.ts"
import type { RecordType } from "./worm-record.ts"
import * as WormTrust from "./worm-trust.ts"

type Failure =
  | FileFailed
  | LockBusy
  | LockFailed
  | ObjectStoreError
  | WormDirectory.WormDamaged
  | WormTrust.BucketUntrusted

/** One place of write-once records: a folder, or a bucket with Object Lock. */
export interface WormDestination {
  /** An absolute path, or `s3://bucket/prefix`. */
  readonly location: string
  /** Appends a record to its type's chain; one with this id that is there already is returned as it is. */
  readonly append: (request: WormDirectory.Request) => Effect.Effect<WormDirectory.Appended, Failure>
  readonly find: (
    recordType: RecordType,
    recordId: string,
  ) => Effect.Effect<Option.Option<WormDirectory.Appended>, Failure>
  readonly verify: (sealed: ReadonlyArray<WormHead>) => Effect.Effect<WormReport, Failure>
  /** What the place was seen to do, before the first record goes there. A folder is not tried. */
  readonly trust: Effect.Effect<WormTrust.Trust | undefined, Failure>
}

/** A folder. `root` is absolute. */
export const folder = (root: string): WormDestination => ({
  location: root,
  append: (request) => WormDirectory.append(root, request),
  find: (recordType, recordId) => WormDirectory.find(root, recordType, recordId),
  verify: (sealed) => verifyWorm(root, sealed),
  trust: Effect.undefined,
})

/** How records are locked: in production nobody can lift the lock, elsewhere whoever has the right to. */
export const lockMode = (env: EnvironmentName): ObjectLock["mode"] => (env === "prod" ? "COMPLIANCE" : "GOVERNANCE")

/** What stores were seen to do, by lock mode, in this process. */
const trusted = new WeakMap<Store, Map<ObjectLock["mode"], WormTrust.Trust>>()

const trustOf = (store: Store, mode: ObjectLock["mode"]) =>
  Effect.suspend(() => {
    const known = trusted.get(store)?.get(mode)
    if (known !== undefined) return Effect.succeed(known)
    return Effect.tap(WormTrust.probe(store, mode), (trust) =>
      Effect.sync(() => trusted.set(store, (trusted.get(store) ?? new Map()).set(mode, trust))),
    )
  })

/** A bucket, which is tried before the first record goes there. `lock` is for what is written from now on. */
export const bucket = (store: Store, lock: ObjectLock): WormDestination => {
  const trust = trustOf(store, lock.mode)
  return {
    location: store.location,
    append: (request) => Effect.andThen(trust, WormBucket.append(store, request, lock)),
    find: (recordType, recordId) => WormBucket.find(store, recordType, recordId, lock),
    verify: (sealed) => WormBucketChain.verifyBucket(store, sealed),
    trust,
  }
}
