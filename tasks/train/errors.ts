import * as Schema from "effect/Schema"

/** There is no model, because the data or the result does not bear one. */
export class TrainingBlocked extends Schema.TaggedError<TrainingBlocked>()("TrainingBlocked", {
  reasons: Schema.Array(Schema.Struct({ code: Schema.String, message: Schema.String })),
}) {
  readonly settled = true
  override get message() {
    return `Training is blocked:\n${this.reasons.map(({ message }) => `- ${message}`).join("\n")}`
  }
}

/** The trainer could not start, or was killed from outside. */
export class TrainerUnavailable extends Schema.TaggedError<TrainerUnavailable>()("TrainerUnavailable", {
  program: Schema.String,
  reason: Schema.String,
}) {
  readonly transient = true
  readonly settled = true
  override get message() {
    return `The trainer ${this.program} did not run to its end: ${this.reason}`
  }
}

/** The trainer ended with an error, or what it left cannot be used. */
export class TrainerFailed extends Schema.TaggedError<TrainerFailed>()("TrainerFailed", {
  program: Schema.String,
  reason: Schema.String,
}) {
  readonly settled = true
  override get message() {
    return `The trainer ${this.program} failed: ${this.reason}`
  }
}
