import * as Schema from "effect/Schema"
import { Name } from "./config/measure.ts"
import { Sha256 } from "./sha256.ts"

/** A capture in a tar. `mtime` is milliseconds since the epoch. */
export const TarredCapture = Schema.Struct({
  collector: Name,
  path: Schema.String,
  bytes: Schema.Int,
  sha256: Sha256,
  mtime: Schema.Int,
}).annotate({ identifier: "TarredCapture" })
export type TarredCapture = typeof TarredCapture.Type

/** A line of `bundles/tars.ndjson`: a tar that lies whole in `bundles/<tar>`, and what is in it. */
export const PackedTar = Schema.Struct({
  tar: Schema.String,
  bytes: Schema.Int,
  sha256: Sha256,
  members: Schema.Array(TarredCapture),
}).annotate({ identifier: "PackedTar" })
export type PackedTar = typeof PackedTar.Type
