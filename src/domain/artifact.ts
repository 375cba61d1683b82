import * as Schema from "effect/Schema"
import { Sha256 } from "./sha256.ts"

/** Bytes in the artifact store, named by their digest. `bytes` is the size. */
export const Artifact = Schema.Struct({
  name: Schema.String,
  sha256: Sha256,
  bytes: Schema.Int,
  mediaType: Schema.String,
}).annotate({ identifier: "Artifact" })
export type Artifact = typeof Artifact.Type
