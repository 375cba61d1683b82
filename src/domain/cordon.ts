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

/** Who wants to start work: a run of a pipeline, and the incident that it carries as its param `incident`. */
export interface Starter {
  readonly pipeline: string
  readonly incident?: string
}

/** What repairs passes every cordon: a rollback, and a run that carries the incident's id, which is the cordon's. */
const passes = ({ id }: Cordon, { incident, pipeline }: Starter): boolean => pipeline === "rollback" || incident === id

/** Whether a cordon keeps somebody from starting work at a time. Without a starter: whether it keeps anything. */
export const holds = (cordon: Cordon, now: number, starter?: Starter): boolean =>
  (cordon.expires === undefined || now < cordon.expires) &&
  (starter === undefined ||
    (!passes(cordon, starter) && (cordon.scope === undefined || cordon.scope.includes(starter.pipeline))))
