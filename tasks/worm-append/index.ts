import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Schema from "effect/Schema"
import { taskType } from "../../src/authoring/task-type.ts"
import * as Moment from "../../src/domain/moment.ts"
import { Sha256 } from "../../src/domain/sha256.ts"
import { Attempt } from "../../src/services/attempt.ts"
import { ObjectStore } from "../../src/services/object-store.ts"
import { Settings } from "../../src/services/settings.ts"
import * as WormDestination from "../../src/services/worm-destination.ts"
import type { Appended } from "../../src/services/worm-directory.ts"
import { RecordType } from "../../src/services/worm-record.ts"
import { Workspace } from "../../src/services/workspace.ts"

/** What to write: a record type's name and any JSON object. */
export const Input = Schema.Struct({
  recordType: RecordType.annotate({ description: "the chain that it is appended to" }),
  payload: Schema.JsonObject.annotate({ description: "what is recorded: any JSON object" }),
  destination: Schema.optionalKey(Schema.Literals(["directory", "bucket", "both"])).annotate({
    description:
      "storage.worm_root, the bucket of storage.offsite.worm_location, or both (the default where there is such a bucket)",
  }),
}).annotate({ identifier: "WormAppendInput" })

const place = { path: Schema.String, sha256: Sha256, sequence: Schema.Int, prevSha256: Sha256 }

/** Where the record stands in its chain; of a record in both destinations, `copies` names that in the bucket. */
export const Output = Schema.Struct({
  ...place,
  copies: Schema.optionalKey(Schema.Array(Schema.Struct(place))),
}).annotate({ identifier: "WormRecord" })

/** The record is to go to a bucket, and none is configured. */
export class BucketMissing extends Schema.TaggedError<BucketMissing>()("BucketMissing", {}) {
  readonly notApplied = true
  override get message() {
    return "No bucket of write-once records is configured: set storage.offsite.worm_location to s3://bucket/prefix, or write to the directory"
  }
}

/** The record is in one destination and not yet in the other; when it is written again, the first one stays as it is. */
export class CopyFailed extends Schema.TaggedError<CopyFailed>()("CopyFailed", {
  written: Schema.String,
  reason: Schema.String,
  transient: Schema.Boolean,
}) {
  override get message() {
    return `The record stands at ${this.written}, but it could not be copied: ${this.reason}`
  }
}

/** The places that a record goes to, the directory first. */
const destinations = Effect.fnUntraced(function* ({ destination }: typeof Input.Type) {
  const { env, sections } = yield* Settings
  const { offsite, worm_root } = sections.storage
  const location = offsite?.worm_location
  const chosen = destination ?? (location === undefined ? "directory" : "both")
  const found: Array<WormDestination.WormDestination> = []
  if (chosen !== "bucket") found.push(WormDestination.folder(yield* (yield* Workspace).resolve(worm_root)))
  if (chosen === "directory") return found
  if (location === undefined) return yield* new BucketMissing()
  const until = Moment.yearsAfter(yield* Clock.currentTimeMillis, sections.retention.audit_years)
  const store = yield* (yield* ObjectStore).open(location)
  return [...found, WormDestination.bucket(store, { mode: WormDestination.lockMode(env), until })]
})

const notCopied =
  ({ path }: Appended) =>
  (error: { readonly message: string }) =>
    new CopyFailed({
      written: path,
      reason: error.message,
      transient: "transient" in error && error.transient === true,
    })

const shown = (appended: ReadonlyArray<Appended>) =>
  Effect.map(Workspace, (workspace) => {
    const [first, ...copies] = appended.map((one) => ({
      ...one,
      path: one.path.startsWith("s3:") ? one.path : workspace.display(one.path),
    }))
    return { ...(first as Appended), ...(copies.length === 0 ? {} : { copies }) }
  })

/** Appends a write-once record. The record's id is run/task, by which the probe finds it after a crash. */
export default taskType({
  type: "worm-append",
  version: 1,
  description: "Appends a write-once record to the hash chain of its type",
  input: Input,
  output: Output,
  errors: {
    BucketMissing: "no bucket of write-once records is configured",
    BucketUntrusted: "the bucket would not keep write-once records",
    CopyFailed: "the record is in one destination and not in the other",
    FileFailed: "a file could not be read or written",
    LockBusy: "another process holds the lock",
    LockFailed: "the lock could not be taken",
    ObjectStoreError: "the bucket could not be read or written",
    PathRefused: "a path leads outside of the project",
    WormDamaged: "the chain of records is damaged",
  },
  effects: "once",
  config: ["storage", "retention"],
  dryRun: (input) =>
    Effect.map(destinations(input), (places) => {
      const below = places.map(({ location }) => `${location}/${input.recordType}`)
      return `would append a ${input.recordType} record below ${below.join(" and ")}`
    }),
  probe: (input) =>
    Effect.gen(function* () {
      const { idempotencyKey } = yield* Attempt
      const places = yield* destinations(input)
      const found = yield* Effect.forEach(places, (one) => one.find(input.recordType, idempotencyKey))
      const all = Option.all(found)
      return Option.isNone(all) ? Option.none() : Option.some(yield* shown(all.value))
    }),
  run: (input) =>
    Effect.gen(function* () {
      const { idempotencyKey: recordId, note } = yield* Attempt
      const places = yield* destinations(input)
      const trust = yield* Effect.forEach(places, (one) => one.trust)
      const seen = trust.filter((one) => one !== undefined)
      if (seen.length > 0) yield* note({ trust: seen })
      const written: Array<Appended> = []
      for (const { append } of places) {
        const [before] = written
        const appended = append({ recordType: input.recordType, payload: input.payload, recordId })
        written.push(yield* before === undefined ? appended : Effect.mapError(appended, notCopied(before)))
      }
      return yield* shown(written)
    }),
})
