import * as Schema from "effect/Schema"
import { FinalRunStatus } from "../domain/final-run-status.ts"
import { TickTime, timeText } from "../domain/occurrence.ts"
import type * as Explain from "./explain.ts"

const Fate = Schema.Literals(["waits", "goes on", ...FinalRunStatus.literals])

/** What became of a nominal time, and why; `due` is still to come or not closed yet. */
export const TickView = Schema.Struct({
  tick: TickTime,
  is: Schema.Literals(["ran", "skipped", "coalesced", "missed", "held", "due", "no tick"]),
  run: Schema.optionalKey(Schema.String),
  /** What became of its run, where it has one. */
  fate: Schema.optionalKey(Fate),
  reason: Schema.optionalKey(Schema.String),
  /** When that was recorded, RFC 3339. */
  decided: Schema.optionalKey(Schema.String),
  /** The runs of backfills for it, and where they stand. */
  backfills: Schema.optionalKey(Schema.Array(Schema.Struct({ run: Schema.String, status: Fate }))),
}).annotate({ identifier: "TickState" })
export type TickView = typeof TickView.Type

/** A tick as programs read it. */
export const viewOf = ({ backfills, decided, tick, verdict }: Explain.Explanation): TickView => ({
  tick: timeText(tick),
  ...verdict,
  ...(decided === undefined ? {} : { decided: new Date(decided).toISOString() }),
  ...(backfills.length === 0 ? {} : { backfills }),
})
