import * as Schema from "effect/Schema"

/** Approvals: with `selfApproval` who asked may agree too, which is for env dev only and is said in the event. */
export const ApprovalsSection = Schema.Struct({ selfApproval: Schema.Boolean })
export type ApprovalsSection = typeof ApprovalsSection.Type
