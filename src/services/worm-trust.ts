import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Schema from "effect/Schema"
import { checkFolder } from "./s3-write-check.ts"
import type { ObjectLock, ObjectStoreError, Store } from "./object-store.ts"

/** Why write-once records must not go to a bucket. */
export class BucketUntrusted extends Schema.TaggedError<BucketUntrusted>()("BucketUntrusted", {
  location: Schema.String,
  problems: Schema.Array(Schema.String),
}) {
  readonly notApplied = true
  override get message() {
    return `${this.location} cannot be trusted with write-once records: ${this.problems.join("; ")}. Make a bucket with versioning and Object Lock, and name it in storage.offsite.worm_location`
  }
}

/** What a bucket was seen to do. */
export interface Trust {
  readonly location: string
  readonly mode: ObjectLock["mode"]
  readonly versioning: boolean
  readonly lock: boolean
  /** What became of a try to remove a locked version, to remove the object, and to put other bytes over it. */
  readonly removeVersion: "refused" | "kept" | "lost"
  readonly remove: "refused" | "kept" | "lost"
  readonly overwrite: "refused" | "kept" | "lost"
  /** RFC 3339, UTC. */
  readonly at: string
}

const lockMillis = 10 * 60_000
const bytes = new TextEncoder().encode("Dandori checked with this object that nobody can remove or replace it.\n")
const others = new TextEncoder().encode("Dandori put this version over another one, which has to stay.\n")

/**
 * Tries a bucket: it has to keep versions and to have Object Lock; a locked version has to stay, and be read with the
 * same bytes, after it, its object and its bytes were tried to be removed. A lock of COMPLIANCE is tried with the right to
 * lift locks too. The object of the trial stays locked for ten minutes. Fails with `BucketUntrusted`, every reason named.
 */
export const probe = (
  { location, versions }: Store,
  mode: ObjectLock["mode"],
): Effect.Effect<Trust, ObjectStoreError | BucketUntrusted> =>
  Effect.gen(function* () {
    if (versions === undefined)
      return yield* new BucketUntrusted({ location, problems: ["it is a folder, not a bucket"] })
    const { lock, versioning } = yield* versions.rules
    if (!lock || !versioning) {
      const problems = [
        ...(versioning ? [] : ["it does not keep versions"]),
        ...(lock ? [] : ["it has no Object Lock"]),
      ]
      return yield* new BucketUntrusted({ location, problems })
    }
    const key = `${checkFolder}/worm-${crypto.randomUUID()}`
    const now = yield* Clock.currentTimeMillis
    const until = new Date(now + lockMillis)
    const version = yield* versions.overwrite(key, bytes, { mode, until })
    const locked = Option.getOrUndefined(yield* versions.lockOf(key, version))
    const isThere = versions.get(key, version).pipe(
      Effect.map((found) => Buffer.from(found).equals(bytes)),
      Effect.catchIf(
        ({ transient }) => !transient,
        () => Effect.succeed(false),
      ),
    )
    const tried = (attack: Effect.Effect<unknown, ObjectStoreError>) =>
      attack.pipe(
        Effect.as("kept" as const),
        Effect.catchIf(
          ({ transient }) => !transient,
          () => Effect.succeed("refused" as const),
        ),
        Effect.flatMap((result) => Effect.map(isThere, (kept) => (kept ? result : ("lost" as const)))),
      )
    const trust: Trust = {
      location,
      mode,
      versioning,
      lock,
      removeVersion: yield* tried(versions.remove(key, { version, bypass: mode === "COMPLIANCE" })),
      overwrite: yield* tried(versions.overwrite(key, others)),
      remove: yield* tried(versions.remove(key, {})),
      at: new Date(now).toISOString(),
    }
    const asked = Math.floor(until.getTime() / 1000) * 1000
    const problems = [
      ...(locked?.mode === mode && locked.until.getTime() >= asked
        ? []
        : [`it does not lock an object in ${mode} mode, or this user may not read locks (s3:GetObjectRetention)`]),
      ...(trust.removeVersion === "refused" ? [] : ["it lets a locked version be removed"]),
      ...(trust.overwrite === "lost" ? ["bytes that are put over an object replace it"] : []),
      ...(trust.remove === "lost" ? ["it lets a locked object be removed"] : []),
    ]
    return problems.length === 0 ? trust : yield* new BucketUntrusted({ location, problems })
  })
