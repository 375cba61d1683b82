import * as Schema from "effect/Schema"
import { IncidentId } from "../../../src/domain/incident.ts"
import { Sha256 } from "../../../src/domain/sha256.ts"

export const Input = Schema.Struct({
  incident: IncidentId.annotate({ description: "the incident whose bundles are listed and signed" }),
}).annotate({ identifier: "EvacuateManifestInput" })

const Bundle = Schema.Struct({
  root: Sha256.annotate({ description: "SHA-256 of its SHA256SUMS" }),
  items: Schema.Int,
  folder: Schema.String.annotate({ description: "where its own files lie at the destination" }),
})

/** `complete`: nothing that was seen is missing, and the destination has the bundles' own files. */
export const Output = Schema.Struct({
  evidence: Bundle,
  snapshot: Schema.optionalKey(Bundle),
  keyid: Sha256.annotate({ description: "the key that signed" }),
  complete: Schema.Boolean,
  problems: Schema.Array(Schema.String),
}).annotate({ identifier: "EvacuationManifest" })
export type Output = typeof Output.Type
