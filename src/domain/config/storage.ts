import * as Schema from "effect/Schema"
import { SecretReference } from "./secret-reference.ts"

const Root = Schema.String.check(Schema.isMinLength(1, { message: "must be a folder, project-relative or absolute" }))

/**
 * Where things lie. Roots are folders, relative to the project or absolute: canonical bars, features, dataset snapshots,
 * published models, write-once records, backups.
 *
 * `offsite` is what leaves the machine: `bucket` is a reference to the `s3://bucket/prefix` of evacuations and backups,
 * `worm_location` the bucket of write-once records, `storage_class` what trees are stored with, `rds_instance` and
 * `rds_snapshot_prefix` (followed by a time stamp) name database snapshots, `ebs_tag` the Redis volume's. Without
 * `offsite` nothing leaves.
 */
export const StorageSection = Schema.Struct({
  canonical_root: Root,
  features_root: Root,
  snapshots_root: Root,
  models_root: Root,
  worm_root: Root,
  backups_root: Root,
  offsite: Schema.optionalKey(
    Schema.Struct({
      bucket: SecretReference,
      worm_location: Schema.String.check(
        Schema.isPattern(/^(s3|file):\/\/.+/, { message: "must be a location like s3://bucket/prefix" }),
      ),
      storage_class: Schema.Literals(["STANDARD", "STANDARD_IA", "GLACIER_IR", "GLACIER", "DEEP_ARCHIVE"]),
      rds_instance: Schema.String,
      rds_snapshot_prefix: Schema.String,
      ebs_tag: Schema.String,
    }),
  ),
})
export type StorageSection = typeof StorageSection.Type

/** The roots of a storage section by their key. */
export const roots = (storage: StorageSection): ReadonlyArray<readonly [key: string, path: string]> => [
  ["canonical_root", storage.canonical_root],
  ["features_root", storage.features_root],
  ["snapshots_root", storage.snapshots_root],
  ["models_root", storage.models_root],
  ["worm_root", storage.worm_root],
  ["backups_root", storage.backups_root],
]
