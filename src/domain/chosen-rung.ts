import * as Schema from "effect/Schema"
import { Name } from "./config/measure.ts"

/** Why a rung of the destination ladder was passed over. `refused`: it is not to be trusted with anything. */
export const RungRefusal = Schema.Struct({
  rung: Name,
  reason: Schema.String,
  refused: Schema.Boolean,
}).annotate({ identifier: "RungRefusal" })
export type RungRefusal = typeof RungRefusal.Type

/**
 * `rung.json`: where an evacuation goes. `digests`: the destination compares bytes with the digest that a request names;
 * where it does not, objects are read back to confirm them. `lock` is what is asked of its objects of the evidence.
 * `places` are the locations of all rungs that something was sent to, by the name that `pushed.ndjson` has for them.
 */
export const ChosenRung = Schema.Struct({
  format: Schema.Literal("dandori-rung/1"),
  rung: Name,
  location: Schema.String,
  away: Schema.Boolean,
  digests: Schema.Boolean,
  lock: Schema.optionalKey(Schema.Struct({ mode: Schema.Literals(["GOVERNANCE", "COMPLIANCE"]), days: Schema.Int })),
  refusals: Schema.Array(RungRefusal),
  places: Schema.Record(Schema.String, Schema.String),
}).annotate({ identifier: "ChosenRung" })
export type ChosenRung = typeof ChosenRung.Type
