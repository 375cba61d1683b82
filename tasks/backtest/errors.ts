import * as Schema from "effect/Schema"

/** The model is not what the input claims, or cannot be backtested under this configuration. Nothing was judged. */
export class BacktestRefused extends Schema.TaggedError<BacktestRefused>()("BacktestRefused", {
  version: Schema.String,
  problems: Schema.Array(Schema.String),
}) {
  readonly notApplied = true
  override get message() {
    return `${this.version} is not backtested: ${this.problems.join("; ")}`
  }
}
