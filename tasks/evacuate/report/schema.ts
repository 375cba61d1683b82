import * as Schema from "effect/Schema"
import { Artifact } from "../../../src/domain/artifact.ts"
import { IncidentId } from "../../../src/domain/incident.ts"
import { Sha256 } from "../../../src/domain/sha256.ts"
import { Remaining } from "../../../src/domain/stopped.ts"

/** The incident that is told of. */
export const Input = Schema.Struct({ incident: IncidentId }).annotate({ identifier: "EvacuateReportInput" })

/**
 * Where the post-mortem record lies: on this machine, as artifacts, and where it was sent to. `sha256` is that of the
 * Markdown. `problems` are what kept it from one of these places.
 */
export const Output = Schema.Struct({
  markdown: Schema.String,
  html: Schema.String,
  sha256: Sha256,
  reports: Schema.Array(Artifact),
  location: Schema.optionalKey(Schema.String),
  keptAs: Schema.optionalKey(
    Schema.String.annotate({ description: "an earlier record that people had changed outside of their fields" }),
  ),
  promises: Schema.optionalKey(Schema.Struct({ kept: Schema.Int, missed: Schema.Int })),
  startedAgain: Schema.Array(Remaining).annotate({ description: "what runs again though it was stopped" }),
  problems: Schema.Array(Schema.String),
}).annotate({ identifier: "EvacuateReport" })

/** The record could be kept nowhere. */
export class ReportLost extends Schema.TaggedError<ReportLost>()("ReportLost", {
  folder: Schema.String,
  problems: Schema.Array(Schema.String),
}) {
  override get message() {
    return `The post-mortem record could be kept nowhere; what it is made from lies in ${this.folder}: ${this.problems.join("; ")}`
  }
}
