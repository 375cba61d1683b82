import * as Schema from "effect/Schema"
import { PipelineId } from "./names.ts"

/**
 * A durable stop sign that keeps new work from starting: of all pipelines, or of those in its scope. `epoch` grows with
 * each cordon of the project; times are milliseconds since the epoch.
 */
export const Cordon = Schema.Struct({
  id: Schema.String,
  epoch: Schema.Int,
  owner: Schema.String,
  reason: Schema.String,
  raised: Schema.Int,
  scope: Schema.optionalKey(Schema.Array(PipelineId).check(Schema.isMinLength(1))),
  expires: Schema.optionalKey(Schema.Int),
})
export type Cordon = typeof Cordon.Type

/** Whether a cordon keeps a pipeline from starting work at a time. Without a pipeline: whether it keeps anything. */
export const holds = (cordon: Cordon, now: number, pipeline?: string): boolean =>
  (cordon.expires === undefined || now < cordon.expires) &&
  (cordon.scope === undefined || pipeline === undefined || cordon.scope.includes(pipeline))
