import * as Schema from "effect/Schema"
import { Name } from "./config/measure.ts"
import { Sha256 } from "./sha256.ts"

/** Which bundle something goes into: the evidence of the incident, or the snapshot that a recovery starts from. */
export const BundleName = Schema.Literals(["evidence", "snapshot"]).annotate({ identifier: "BundleName" })
export type BundleName = typeof BundleName.Type

/** How often a redaction rule replaced something. */
export const Redaction = Schema.Struct({ rule: Schema.String, count: Schema.Int }).annotate({ identifier: "Redaction" })
export type Redaction = typeof Redaction.Type

/**
 * How a collector ended. `skipped`: there was nothing to take here (no GPU, no journal). Times are milliseconds since the
 * epoch. A capture has a `path` (`captures/<name>`, relative to the incident's folder) and the digest of what lies there;
 * of files, `files` and `bytes` are counted. `truncated`: a limit on bytes cut it.
 */
export const Collected = Schema.Struct({
  collector: Name,
  to: BundleName,
  outcome: Schema.Literals(["ok", "skipped", "failed"]),
  reason: Schema.optionalKey(Schema.String),
  began: Schema.Int,
  ended: Schema.Int,
  files: Schema.Int,
  bytes: Schema.Int,
  path: Schema.optionalKey(Schema.String),
  sha256: Schema.optionalKey(Sha256),
  truncated: Schema.optionalKey(Schema.Boolean),
  redactions: Schema.optionalKey(Schema.Array(Redaction)),
}).annotate({ identifier: "Collected" })
export type Collected = typeof Collected.Type

/**
 * A line of `inventory.ndjson`: a file that is to be taken, as it was when the collector looked. `source` is its absolute
 * path; `sourceBytes` are that path's bytes in base64 where they are no UTF-8. `path` is its place in the bundle, a
 * `/`-separated path of plain names that begins with the collector's. A smaller `value` is taken first. `mtime` is
 * milliseconds since the epoch. `redact`: its lines go through the redaction rules on their way.
 */
export const SourceFile = Schema.Struct({
  collector: Name,
  to: BundleName,
  value: Schema.Int,
  source: Schema.String,
  sourceBytes: Schema.optionalKey(Schema.String),
  path: Schema.String,
  bytes: Schema.Int,
  mtime: Schema.Int,
  mode: Schema.Int,
  uid: Schema.Int,
  gid: Schema.Int,
  redact: Schema.Boolean,
}).annotate({ identifier: "SourceFile" })
export type SourceFile = typeof SourceFile.Type

/**
 * What was seen and not taken, and why. `source` as in `SourceFile`. `noBytes`: it holds none, so nothing is missing for
 * it: a link (what it leads to is in the reason, and is not followed), a socket, a named pipe, a device.
 */
export const NotTaken = Schema.Struct({
  collector: Name,
  source: Schema.String,
  reason: Schema.String,
  bytes: Schema.optionalKey(Schema.Int),
  noBytes: Schema.optionalKey(Schema.Literal(true)),
}).annotate({ identifier: "NotTaken" })
export type NotTaken = typeof NotTaken.Type
