import * as Schema from "effect/Schema"
import { Duration, parseSize, Size } from "../quantity.ts"
import { Count } from "./measure.ts"
import { SecretReference } from "./secret-reference.ts"

const Root = Schema.String.check(Schema.isMinLength(1, { message: "must be a folder, project-relative or absolute" }))

const MiB = 2 ** 20
const inPart = (text: string) => {
  const bytes = parseSize(text) ?? 0
  return (bytes >= 5 * MiB && bytes <= 512 * MiB) || "must be between 5MiB and 512MiB"
}

/**
 * The S3 server of `s3://` locations. Without `endpoint` it is AWS's, or that of `AWS_ENDPOINT_URL_S3`; without `region`
 * that of `AWS_REGION` or the profile. `path_style`: the bucket is in the path and not in the host's name, as most
 * servers but AWS want it. A file above `part_size` (default 8MiB) is sent in parts, `parallel_parts` (4) at a time; each
 * of them takes about three times its bytes in memory. `request_timeout` (60s) is for one request, which sends one part.
 */
export const S3Section = Schema.Struct({
  endpoint: Schema.optionalKey(
    Schema.String.check(
      Schema.isPattern(/^https?:\/\/[^\s/@]+\/?$/, { message: "must be a URL like https://host:9000" }),
    ),
  ),
  region: Schema.optionalKey(Schema.String.check(Schema.isPattern(/^[a-z0-9-]+$/, { message: "must be a region" }))),
  path_style: Schema.optionalKey(Schema.Boolean),
  part_size: Schema.optionalKey(Size.check(Schema.makeFilter(inPart))),
  parallel_parts: Schema.optionalKey(Count.check(Schema.isLessThanOrEqualTo(32))),
  request_timeout: Schema.optionalKey(Duration),
})
export type S3Section = typeof S3Section.Type

/**
 * AWS, where RDS and EBS snapshots are made. Without `endpoint` it is AWS's own, or that of `AWS_ENDPOINT_URL_RDS`,
 * `AWS_ENDPOINT_URL_EC2` or `AWS_ENDPOINT_URL`; without `region` that of `AWS_REGION` or the profile. `request_timeout`
 * (60s) is for one request, not for the snapshot.
 */
export const AwsSection = Schema.Struct({
  endpoint: S3Section.fields.endpoint,
  region: S3Section.fields.region,
  request_timeout: S3Section.fields.request_timeout,
})
export type AwsSection = typeof AwsSection.Type

/**
 * Where things lie. Roots are folders, relative to the project or absolute: canonical bars, features, dataset snapshots,
 * published models, write-once records, backups, and where there is one the folder of raw files, as they were delivered.
 *
 * `s3` is the server of `s3://` locations, `aws` where RDS and EBS snapshots are made.
 *
 * `offsite` is what leaves the machine: `bucket` is a reference to the `s3://bucket/prefix` of evacuations and backups,
 * `worm_location` the bucket of write-once records, `storage_class` what trees are stored with, `rds_instance` and
 * `rds_snapshot_prefix` (followed by a time stamp) name database snapshots, `ebs_tag` the Redis volume's: the value of its
 * tag `Name`, or `key=value`. Without them there are no such snapshots, without `offsite` nothing leaves.
 */
export const StorageSection = Schema.Struct({
  canonical_root: Root,
  features_root: Root,
  snapshots_root: Root,
  models_root: Root,
  worm_root: Root,
  backups_root: Root,
  raw_root: Schema.optionalKey(Root),
  s3: Schema.optionalKey(S3Section),
  aws: Schema.optionalKey(AwsSection),
  offsite: Schema.optionalKey(
    Schema.Struct({
      bucket: SecretReference,
      worm_location: Schema.String.check(
        Schema.isPattern(/^s3:\/\/.+/, { message: "must be a location like s3://bucket/prefix" }),
      ),
      storage_class: Schema.Literals(["STANDARD", "STANDARD_IA", "GLACIER_IR", "GLACIER", "DEEP_ARCHIVE"]),
      rds_instance: Schema.optionalKey(Schema.String),
      rds_snapshot_prefix: Schema.optionalKey(Schema.String),
      ebs_tag: Schema.optionalKey(Schema.String),
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
  ...(storage.raw_root === undefined ? [] : [["raw_root", storage.raw_root] as const]),
]
