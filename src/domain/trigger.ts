import * as Schema from "effect/Schema"

/** What asks for a run, where that is no person at a command line. */
export const Trigger = Schema.Literals(["schedule", "backfill", "api", "webhook", "file"])
export type Trigger = typeof Trigger.Type
