import * as Schema from "effect/Schema"

/** The evidence that these bytes passed their gates is not complete. Nothing was published. */
export class ReceiptMissing extends Schema.TaggedError<ReceiptMissing>()("ReceiptMissing", {
  version: Schema.String,
  digest: Schema.String,
  problems: Schema.Array(Schema.String),
}) {
  readonly notApplied = true
  override get message() {
    return `${this.version} is not published: ${this.problems.join("; ")}. Run the gates on these bytes and publish again`
  }
}

/** The model's files are not what the input claims, or not what a model has. Nothing was published. */
export class ModelRefused extends Schema.TaggedError<ModelRefused>()("ModelRefused", {
  version: Schema.String,
  problems: Schema.Array(Schema.String),
}) {
  readonly notApplied = true
  override get message() {
    return `${this.version} is not published: ${this.problems.join("; ")}. Train it again`
  }
}

/** The folder of the version is there, but is not what its list says. It is left as it is. */
export class VersionDamaged extends Schema.TaggedError<VersionDamaged>()("VersionDamaged", {
  version: Schema.String,
  path: Schema.String,
  differences: Schema.Array(Schema.String),
}) {
  readonly notApplied = true
  override get message() {
    return `${this.path} is there and is damaged (${this.differences.join("; ")}); keep it for the inquiry, move it away and publish again`
  }
}

/** The version could not be staged. Nothing was published. */
export class StagingFailed extends Schema.TaggedError<StagingFailed>()("StagingFailed", {
  version: Schema.String,
  reason: Schema.String,
  transient: Schema.Boolean,
  cause: Schema.optionalKey(Schema.Defect()),
}) {
  readonly notApplied = true
  override get message() {
    return `${this.version} is not published: ${this.reason}`
  }
}
