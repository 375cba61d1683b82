import * as Schema from "effect/Schema"
import * as Sha256 from "../domain/sha256.ts"
import { EbsSnapshot, RdsSnapshot } from "./cloud-snapshots.ts"

/**
 * What a snapshot can hold: any folder, the published models, the write-once records, the ledger, and copies of the model
 * registry (a file a table), of the whole PostgreSQL database and of Redis.
 */
export const TargetKind = Schema.Literals([
  "tree",
  "models",
  "worm",
  "ledger",
  "registry",
  "postgres",
  "redis",
]).annotate({ identifier: "SnapshotTargetKind" })
export type TargetKind = typeof TargetKind.Type

/** How a snapshot is proven: every object by digest, a sample restored, everything restored. */
export const VerifyMode = Schema.Literals(["digest", "sample-restore", "full-restore"]).annotate({
  identifier: "SnapshotVerifyMode",
})
export type VerifyMode = typeof VerifyMode.Type

/** One file. `path` is relative to its target; `mode` the permission bits; `mtime` milliseconds since the epoch. */
export const SnapshotFile = Schema.Struct({
  path: Schema.String,
  bytes: Schema.Int,
  sha256: Sha256.Sha256,
  mode: Schema.Int,
  mtime: Schema.Int,
})
export type SnapshotFile = typeof SnapshotFile.Type

/** What was not taken, and why. */
export const Skipped = Schema.Struct({ path: Schema.String, reason: Schema.String })
export type Skipped = typeof Skipped.Type

/** One target with all that lies in it. Links are recorded, not followed; `skipped` lists what was not taken. */
export const SnapshotTarget = Schema.Struct({
  kind: TargetKind,
  name: Schema.String.annotate({ description: "its folder in a restored snapshot" }),
  source: Schema.String,
  files: Schema.Array(SnapshotFile),
  folders: Schema.Array(Schema.Struct({ path: Schema.String, mode: Schema.Int })),
  links: Schema.Array(Schema.Struct({ path: Schema.String, target: Schema.String })),
  skipped: Schema.Array(Skipped),
})
export type SnapshotTarget = typeof SnapshotTarget.Type

/** Snapshots that the cloud keeps: what is in them is not in this one. */
export const Resources = Schema.Struct({
  rds: Schema.Array(RdsSnapshot),
  ebs: Schema.Array(EbsSnapshot),
}).annotate({ identifier: "CloudResources" })
export type Resources = typeof Resources.Type

/** A target that was asked for where there is one, and why there is none. */
export const LeftOut = Schema.Struct({ kind: Schema.String, reason: Schema.String })
export type LeftOut = typeof LeftOut.Type

/**
 * `<snapshot>/manifest.json`: written last; a snapshot without it does not count. `taken` is when reading began and when
 * it had ended. The consistency point is the registry as of `transaction` (`pg_current_snapshot()`, where it is in
 * PostgreSQL) and `head`: what the registry says, the ledger testifies to up to there.
 */
export const Manifest = Schema.Struct({
  format: Schema.Literal("dandori-snapshot/1"),
  snapshot: Schema.String,
  created: Schema.String.annotate({ description: "when the run was created, RFC 3339" }),
  record: Schema.String.annotate({ description: "run/task" }),
  taken: Schema.optionalKey(Schema.Struct({ from: Schema.String, until: Schema.String })),
  transaction: Schema.optionalKey(Schema.String),
  head: Schema.Struct({ entries: Schema.Int, hash: Sha256.Sha256 }),
  targets: Schema.Array(SnapshotTarget),
  resources: Schema.optionalKey(Resources),
  left: Schema.optionalKey(Schema.Array(LeftOut)),
  objects: Schema.Int,
  bytes: Schema.Int,
  digest: Sha256.Sha256.annotate({ description: "SHA-256 over the sorted `sha256  target/path` lines of the files" }),
})
export type Manifest = typeof Manifest.Type

/** What was read back of a database's copy and compared. */
export const ProvedDatabase = Schema.Struct({
  name: Schema.String,
  count: Schema.Int,
  unit: Schema.Literals(["versions", "rows", "keys"]),
}).annotate({ identifier: "ProvedDatabase" })
export type ProvedDatabase = typeof ProvedDatabase.Type

/** Reads a manifest's bytes; None when they are none. */
export const decode = Schema.decodeUnknownOption(Schema.fromJsonString(Manifest))

/** `<UTC of the run's creation>_<short digest of run/task>`: the same for every attempt of a task. */
export const idOf = (runCreated: number, record: string): string => {
  const stamp = new Date(runCreated).toISOString().slice(0, 19).replaceAll(/[-:]/g, "")
  return `${stamp}Z_${Sha256.of(record).slice(0, 12)}`
}

/** Key of a snapshot's manifest. */
export const manifestKey = (snapshot: string): string => `${snapshot}/manifest.json`

/** What the keys of a snapshot's objects begin with. */
export const objectsPrefix = (snapshot: string): string => `${snapshot}/objects/`

/** Key of an object of a snapshot. */
export const objectKey = (snapshot: string, sha256: string): string =>
  `${objectsPrefix(snapshot)}${sha256.slice(0, 2)}/${sha256.slice(2)}`

/** Every file of a snapshot with its path in a restored one. */
export const filesOf = (targets: ReadonlyArray<SnapshotTarget>): ReadonlyArray<SnapshotFile> =>
  targets.flatMap((target) => target.files.map((file) => ({ ...file, path: `${target.name}/${file.path}` })))

/** Root digest of the files of a snapshot. */
export const digestOf = (targets: ReadonlyArray<SnapshotTarget>): Sha256.Sha256 =>
  Sha256.of(
    filesOf(targets)
      .toSorted((x, y) => (x.path < y.path ? -1 : x.path > y.path ? 1 : 0))
      .map((file) => `${file.sha256}  ${file.path}\n`)
      .join(""),
  )
