import * as Schema from "effect/Schema"
import type { Collected } from "../../src/domain/collected.ts"
import { IncidentId } from "../../src/domain/incident.ts"

/** Which incident a step of its evacuation is for. */
export const Input = Schema.Struct({ incident: IncidentId }).annotate({ identifier: "EvacuateInput" })

const mostProblems = 20

/** How collectors ended, and what they have in files and bytes; of the problems the first 20. */
export const Output = Schema.Struct({
  ok: Schema.Int,
  skipped: Schema.Int,
  failed: Schema.Int,
  files: Schema.Int,
  bytes: Schema.Int,
  problems: Schema.Array(Schema.String),
}).annotate({ identifier: "EvacuateCollected" })
export type Output = typeof Output.Type

/** Counts the newest outcomes of collectors. `problems` are what could not be recorded of them. */
export const count = (outcomes: ReadonlyArray<Collected>, problems: ReadonlyArray<string>): Output => {
  const of = (outcome: Collected["outcome"]) => outcomes.filter((each) => each.outcome === outcome)
  const failed = of("failed")
  return {
    ok: of("ok").length,
    skipped: of("skipped").length,
    failed: failed.length,
    files: outcomes.reduce((sum, { files }) => sum + files, 0),
    bytes: outcomes.reduce((sum, { bytes }) => sum + bytes, 0),
    problems: [...failed.map(({ collector, reason }) => `${collector}: ${reason ?? "it failed"}`), ...problems].slice(
      0,
      mostProblems,
    ),
  }
}
