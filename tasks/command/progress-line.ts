import * as Option from "effect/Option"
import * as Schema from "effect/Schema"
import type { ProgressReport } from "../../src/services/progress.ts"

const ProgressLine = Schema.fromJsonString(
  Schema.Struct({
    progress: Schema.Struct({
      done: Schema.Finite,
      total: Schema.optionalKey(Schema.Finite),
      unit: Schema.optionalKey(Schema.String),
      note: Schema.optionalKey(Schema.String),
    }),
  }),
)
const decode = Schema.decodeUnknownOption(ProgressLine)

/**
 * The progress in a line of standard output: one JSON object
 * `{"progress": {"done": 3, "total": 10, "unit": "files", "note": "…"}}`; undefined for any other line.
 */
export const parseProgressLine = (line: string): ProgressReport | undefined =>
  /^\s*\{\s*"progress"\s*:/.test(line) ? Option.getOrUndefined(decode(line))?.progress : undefined
