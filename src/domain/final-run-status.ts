import * as Schema from "effect/Schema"

/** Status that a run ends with. */
export const FinalRunStatus = Schema.Literals(["succeeded", "warned", "failed", "cancelled", "timed_out", "lost"])
export type FinalRunStatus = typeof FinalRunStatus.Type
