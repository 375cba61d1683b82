import * as Schema from "effect/Schema"

/** A place in a file of the configuration; lines and columns count from 1. */
export const Place = Schema.Struct({ file: Schema.String, line: Schema.Int, column: Schema.Int })
export type Place = typeof Place.Type

/** One thing that is wrong, where, and what was probably meant. Never holds a value. */
export const Problem = Schema.Struct({
  ...Place.fields,
  /** Names the value within its section, as in `splits.folds`; empty for a whole file. */
  path: Schema.String,
  message: Schema.String,
  suggestion: Schema.optionalKey(Schema.String),
})
export type Problem = typeof Problem.Type

/** `configs/base/training.yaml:3:5: splits.fold is not a known key; did you mean folds?` */
export const line = (problem: Problem): string => {
  const what = [problem.path, problem.message].filter((part) => part !== "").join(" ")
  const meant = problem.suggestion === undefined ? "" : `; did you mean ${problem.suggestion}?`
  return `${problem.file}:${problem.line}:${problem.column}: ${what}${meant}`
}

/** The configuration of an environment cannot be used; all that is wrong with it, in file order. */
export class ConfigInvalid extends Schema.TaggedError<ConfigInvalid>()("ConfigInvalid", {
  env: Schema.String,
  problems: Schema.Array(Problem),
}) {
  override get message() {
    const count = this.problems.length === 1 ? "1 problem" : `${this.problems.length} problems`
    return `The configuration of ${this.env} has ${count}:\n${this.problems.map((each) => `  ${line(each)}`).join("\n")}`
  }
}
