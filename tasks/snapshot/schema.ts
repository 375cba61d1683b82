import * as Schema from "effect/Schema"
import { Sha256 } from "../../src/domain/sha256.ts"
import { Duration } from "../../src/domain/quantity.ts"
import { LeftOut, Resources, Skipped, TargetKind, VerifyMode } from "../../src/services/snapshot-manifest.ts"
import { Verification } from "../../src/services/snapshot-restore.ts"

const ifThere = Schema.optionalKey(
  Schema.Boolean.annotate({ description: "leave it out, and say so, where this environment has none" }),
)

const Argv = Schema.NonEmptyArray(Schema.String)

/** Commands that hold writes back while the snapshots of volumes begin, and let them go on. */
const Quiesce = Schema.Struct({
  before: Argv.annotate({ description: "holds writes back; no shell reads it" }),
  after: Argv.annotate({
    description: "lets them go on; run whatever happens, and once more after a crash, so it must do no harm then",
  }),
  timeout: Schema.optionalKey(Duration.annotate({ description: "for each of them. Default: 1m" })),
}).annotate({ identifier: "SnapshotQuiesce" })

/**
 * What to take: a folder (`tree` with its `path`), the published models, the write-once records, the ledger, the model
 * registry, the whole PostgreSQL database, Redis; and, in the cloud, an RDS instance and EBS volumes.
 */
export const Target = Schema.Union([
  Schema.Struct({ kind: Schema.Literal("tree"), path: Schema.String.check(Schema.isMinLength(1)), ifThere }),
  Schema.Struct({ kind: Schema.Literals(["models", "worm", "ledger", "registry", "postgres", "redis"]), ifThere }),
  Schema.Struct({
    kind: Schema.Literal("rds"),
    instance: Schema.optionalKey(
      Schema.String.annotate({ description: "the DB instance; absent: storage.offsite.rds_instance" }),
    ),
    ifThere,
  }),
  Schema.Struct({
    kind: Schema.Literal("ebs"),
    tag: Schema.optionalKey(
      Schema.String.annotate({
        description: "volumes with this tag, key=value or the value of Name; absent: storage.offsite.ebs_tag",
      }),
    ),
    quiesce: Schema.optionalKey(Quiesce),
    ifThere,
  }),
]).annotate({ identifier: "SnapshotTarget" })
export type Target = typeof Target.Type

/** What to take, where to, and how to prove it. */
export const Input = Schema.Struct({
  targets: Schema.Array(Target).check(Schema.isMinLength(1)).annotate({ description: "what is taken" }),
  destination: Schema.optionalKey(
    Schema.String.annotate({
      description:
        "a folder, or a location such as s3://bucket/prefix; empty or absent: storage.offsite.bucket, and without one storage.backups_root",
    }),
  ),
  verify: VerifyMode.annotate({ description: "how the copy is proven" }),
}).annotate({ identifier: "SnapshotInput" })
export type Input = typeof Input.Type

/**
 * Where the snapshot is, what it holds, and what was proven of it. Its consistency point is the registry as of
 * `transaction` and the ledger up to `head`; `taken` is when reading began and ended.
 */
export const Output = Schema.Struct({
  snapshot: Schema.String,
  location: Schema.String,
  manifest: Schema.Struct({ sha256: Sha256, bytes: Schema.Int }),
  digest: Sha256,
  objects: Schema.Int,
  bytes: Schema.Int,
  taken: Schema.optionalKey(Schema.Struct({ from: Schema.String, until: Schema.String })),
  transaction: Schema.optionalKey(Schema.String),
  head: Schema.Struct({ entries: Schema.Int, hash: Sha256 }),
  verification: Verification,
  targets: Schema.Array(
    Schema.Struct({
      kind: TargetKind,
      name: Schema.String,
      source: Schema.String,
      objects: Schema.Int,
      bytes: Schema.Int,
      links: Schema.Int,
      skipped: Schema.Array(Skipped),
    }),
  ),
  resources: Schema.optionalKey(Resources),
  left: Schema.Array(LeftOut),
}).annotate({ identifier: "Snapshot" })
export type Output = typeof Output.Type
