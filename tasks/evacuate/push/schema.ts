import * as Schema from "effect/Schema"
import { RungRefusal } from "../../../src/domain/chosen-rung.ts"
import { IncidentId } from "../../../src/domain/incident.ts"

/** Whose evidence and snapshot are pushed. */
export const Input = Schema.Struct({
  incident: IncidentId.annotate({ description: "an incident that was opened on this machine" }),
}).annotate({ identifier: "EvacuatePushInput" })

/**
 * What is at the destination. `objects` and `bytes` are there, from this call or an earlier one; `sent` bytes went over the
 * wire now; `notTaken` are listed in `not-taken.ndjson`. `away`: it has left this machine. `firstByteMillis` is from the
 * call to the first object that the destination confirmed. `refusals`: the rungs that were passed over.
 */
export const Output = Schema.Struct({
  rung: Schema.String,
  location: Schema.String,
  away: Schema.Boolean,
  objects: Schema.Int,
  bytes: Schema.Int,
  sent: Schema.Int,
  notTaken: Schema.Int,
  firstByteMillis: Schema.optionalKey(Schema.Int),
  complete: Schema.Boolean,
  refusals: Schema.Array(RungRefusal),
}).annotate({ identifier: "Evacuated" })
