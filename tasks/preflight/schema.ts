import * as Schema from "effect/Schema"
import { Segment } from "../../src/domain/names.ts"
import { Size } from "../../src/domain/quantity.ts"
import { Sha256 } from "../../src/domain/sha256.ts"

/** What an environment's configuration connects to. */
export const Connection = Schema.Literals(["database", "messaging", "storage", "notifications", "exporters"])
export type Connection = typeof Connection.Type

/** What has to be there before a release or an operation begins. */
export const PreflightInput = Schema.Struct({
  connections: Schema.optionalKey(Schema.NonEmptyArray(Connection)).annotate({
    description: "What is connected to. Default: all that the environment's configuration uses.",
  }),
  version: Schema.optionalKey(Segment.annotate({ description: "A model version that must not be there already." })),
  digest: Schema.optionalKey(
    Sha256.annotate({
      description: "The model's digest: the version may be there with just these bytes.",
    }),
  ),
  freeBytes: Schema.optionalKey(
    Size.annotate({ description: "Space that must be free at models_root and at backups_root, like 2GiB." }),
  ),
})
  .check(
    Schema.makeFilter(
      ({ digest, version }) => digest === undefined || version !== undefined || "digest needs a version",
    ),
  )
  .annotate({ identifier: "PreflightInput" })
export type PreflightInput = typeof PreflightInput.Type

/** One thing that was looked at, as `dandori config doctor` says it. `fix` is empty when nothing is to be done. */
export const Finding = Schema.Struct({
  section: Schema.String,
  level: Schema.Literals(["ok", "warning", "missing", "error", "unavailable"]),
  what: Schema.String,
  fix: Schema.String,
}).annotate({ identifier: "Finding" })
export type Finding = typeof Finding.Type

/** All that was looked at and found in order. */
export const PreflightOutput = Schema.Struct({ env: Schema.String, findings: Schema.Array(Finding) }).annotate({
  identifier: "PreflightOutput",
})
export type PreflightOutput = typeof PreflightOutput.Type

/** Something that has to be there is missing or wrong. All of it, each with what to do. */
export class PreflightFailed extends Schema.TaggedError<PreflightFailed>()("PreflightFailed", {
  env: Schema.String,
  findings: Schema.Array(Finding),
}) {
  readonly notApplied = true
  override get message() {
    const lines = this.findings.map(({ fix, section, what }) => `  ${section}: ${what}; ${fix}`)
    const count = this.findings.length === 1 ? "1 thing is" : `${this.findings.length} things are`
    return `${count} not ready in ${this.env}:\n${lines.join("\n")}`
  }
}
