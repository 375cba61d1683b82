import * as Schema from "effect/Schema"
import { BundleName, Redaction } from "./collected.ts"
import { Name } from "./config/measure.ts"
import { Sha256 } from "./sha256.ts"

/**
 * A line of `pushed.ndjson`: an object that a destination took and confirmed by digest. `rung` names the destination,
 * `key` the object there, `path` its place in the bundle. `bytes` and `sha256` are those of the object. `parts` are the
 * sizes that it was sent in, where the destination keeps a digest of parts' digests, and `checksum` is that. `seen` is the source when it was
 * read: a source that still looks so is not read again. `at` is milliseconds since the epoch.
 */
export const Pushed = Schema.Struct({
  rung: Name,
  to: BundleName,
  path: Schema.String,
  key: Schema.String,
  bytes: Schema.Int,
  sha256: Sha256,
  parts: Schema.optionalKey(Schema.Array(Schema.Int)),
  checksum: Schema.optionalKey(Schema.String),
  at: Schema.Int,
  seen: Schema.Struct({ bytes: Schema.Int, mtimeNs: Schema.String, inode: Schema.String }),
  unstable: Schema.optionalKey(Schema.Boolean),
  original: Schema.optionalKey(Schema.Struct({ bytes: Schema.Int, sha256: Sha256 })),
  redactions: Schema.optionalKey(Schema.Array(Redaction)),
}).annotate({ identifier: "Pushed" })
export type Pushed = typeof Pushed.Type
