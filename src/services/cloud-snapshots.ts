import * as Context from "effect/Context"
import type * as Effect from "effect/Effect"
import type * as Option from "effect/Option"
import * as Schema from "effect/Schema"
import type { CloudFailed } from "./cloud-errors.ts"
import type { ProgressReport } from "./progress.ts"

/** What should be taken a snapshot of is not there, or a snapshot's name is another's. Nothing was changed. */
export class CloudSnapshotRefused extends Schema.TaggedError<CloudSnapshotRefused>()("CloudSnapshotRefused", {
  what: Schema.String,
  reason: Schema.String,
}) {
  readonly transient = false
  readonly notApplied = true
  override get message() {
    return `No snapshot was taken of ${this.what}: ${this.reason}`
  }
}

/** The cloud gave a snapshot up, or somebody deleted it. */
export class CloudSnapshotFailed extends Schema.TaggedError<CloudSnapshotFailed>()("CloudSnapshotFailed", {
  snapshot: Schema.String,
  status: Schema.String,
  reason: Schema.String,
}) {
  readonly transient = false
  override get message() {
    return `The snapshot ${this.snapshot} is ${this.status}: ${this.reason}`
  }
}

/** A snapshot is not ready in time. It goes on; a later attempt finds it by its record and waits for it. */
export class CloudSnapshotLate extends Schema.TaggedError<CloudSnapshotLate>()("CloudSnapshotLate", {
  snapshot: Schema.String,
  status: Schema.String,
  waitedMillis: Schema.Number,
}) {
  readonly transient = true
  override get message() {
    return `The snapshot ${this.snapshot} is ${this.status} after ${this.waitedMillis} ms: run this again, it waits for the same snapshot, or give it more time`
  }
}

/**
 * A command that holds writes back (`before`) or lets them go on (`after`) did not do so. `earlier` is what had failed
 * already when `after` failed.
 */
export class QuiesceFailed extends Schema.TaggedError<QuiesceFailed>()("QuiesceFailed", {
  argv: Schema.Array(Schema.String),
  when: Schema.Literals(["before", "after"]),
  reason: Schema.String,
  earlier: Schema.optionalKey(Schema.String),
}) {
  override get message() {
    const what =
      this.when === "before"
        ? "no snapshot was begun, and the command after it was run"
        : "writes may still be held back: run it by hand"
    const earlier = this.earlier === undefined ? "" : `. Before that: ${this.earlier}`
    return `The command ${this.when} the snapshot, ${this.argv.join(" ")}, ${this.reason}; ${what}${earlier}`
  }
}

/** A snapshot of a DB instance that is available. `created` is RFC 3339, `record` run/task as its tag says it. */
export const RdsSnapshot = Schema.Struct({
  identifier: Schema.String,
  arn: Schema.String,
  instance: Schema.String,
  status: Schema.String,
  engine: Schema.String,
  engineVersion: Schema.String,
  allocatedGiB: Schema.Int,
  encrypted: Schema.Boolean,
  created: Schema.String,
  record: Schema.String,
}).annotate({ identifier: "RdsSnapshot" })
export type RdsSnapshot = typeof RdsSnapshot.Type

/**
 * A snapshot of a volume that is completed. `started` (RFC 3339) is the moment whose bytes it holds, `record` run/task as
 * its tag says it; `quiesced`: writes were held back then.
 */
export const EbsSnapshot = Schema.Struct({
  id: Schema.String,
  volume: Schema.String,
  status: Schema.String,
  sizeGiB: Schema.Int,
  encrypted: Schema.Boolean,
  started: Schema.String,
  record: Schema.String,
  quiesced: Schema.Boolean,
}).annotate({ identifier: "EbsSnapshot" })
export type EbsSnapshot = typeof EbsSnapshot.Type

/**
 * Commands that hold writes back and let them go on again. `after` runs whatever becomes of `before` and of the snapshot,
 * and once more after a crash, so it must do no harm where nothing is held back. `timeoutMillis` (60,000) is for each.
 */
export interface Quiesce {
  readonly before: ReadonlyArray<string>
  readonly after: ReadonlyArray<string>
  readonly timeoutMillis?: number
}

/** How a snapshot is marked and waited for. `record` is run/task: the same for each attempt. */
export interface Taking {
  readonly record: string
  /** Tags besides `dandori:record`. */
  readonly tags?: Readonly<Record<string, string>>
  /** How long it may take, milliseconds; 6 hours when absent. */
  readonly deadlineMillis?: number
  readonly onProgress?: (progress: ProgressReport) => Effect.Effect<void>
}

/** A snapshot of a DB instance by its identifier, which RDS keeps in small letters. */
export interface RdsPlace {
  readonly instance: string
  readonly identifier: string
}

/** Volumes by their ids, or by a tag: `key=value`, or the value of `Name`. */
export type Volumes = { readonly volumes: ReadonlyArray<string> } | { readonly tag: string }

type Failure = CloudFailed | CloudSnapshotRefused | CloudSnapshotFailed | CloudSnapshotLate

/**
 * Snapshots of databases and volumes in the cloud. `take` makes one and waits until it is whole; what the same record
 * has begun before is found and waited for, and never made a second time. `find` says what `take` would return, if it is
 * there and whole.
 */
export class CloudSnapshots extends Context.Service<
  CloudSnapshots,
  {
    readonly rds: {
      readonly take: (taking: RdsPlace & Taking) => Effect.Effect<RdsSnapshot, Failure>
      readonly find: (
        wanted: RdsPlace & { readonly record: string },
      ) => Effect.Effect<Option.Option<RdsSnapshot>, CloudFailed>
    }
    readonly ebs: {
      /** One for each volume, begun together; in the order of the volumes' ids. */
      readonly take: (
        taking: Volumes & Taking & { readonly quiesce?: Quiesce },
      ) => Effect.Effect<ReadonlyArray<EbsSnapshot>, Failure | QuiesceFailed>
      /** None also where writes may still be held back: then `take` lets them go on. */
      readonly find: (
        wanted: Volumes & { readonly record: string },
      ) => Effect.Effect<Option.Option<ReadonlyArray<EbsSnapshot>>, CloudFailed | CloudSnapshotRefused>
    }
  }
>()("dandori/services/CloudSnapshots") {}
