import * as Schema from "effect/Schema"
import { IncidentId } from "../../../src/domain/incident.ts"

/** Whose bundles are verified. */
export const Input = Schema.Struct({
  incident: IncidentId.annotate({ description: "an incident that was opened on this machine" }),
}).annotate({ identifier: "EvacuateVerifyInput" })

/**
 * What the destination confirmed by digest, of objects and of the bundles' own files. `complete`: all that was seen is
 * there. `latest`: whether the pointer points to the snapshot now, and why not. `coverage` counts files.
 */
export const Output = Schema.Struct({
  verified: Schema.Int,
  failed: Schema.Int,
  problems: Schema.Array(Schema.String),
  complete: Schema.Boolean,
  latest: Schema.Struct({ moved: Schema.Boolean, reason: Schema.optionalKey(Schema.String) }),
  coverage: Schema.Struct({
    seen: Schema.Int,
    taken: Schema.Int,
    notTaken: Schema.Int,
    unstable: Schema.Int,
  }),
}).annotate({ identifier: "EvacuationVerified" })
export type Output = typeof Output.Type
