import * as Schema from "effect/Schema"

/** Id of a task within a plan; sub-pipeline tasks and matrix instances add `/id` and `[n]`. */
export const TaskId = Schema.String.check(Schema.isPattern(/^[a-z][a-z0-9_]*(\/[a-z][a-z0-9_]*)*(\[\d+\])?$/u))
/** Id of a pipeline. */
export const PipelineId = Schema.String.check(Schema.isPattern(/^[a-z][a-z0-9_-]{0,63}$/u))
/** Id of a run: a UUIDv7, so that ids sort by time. */
export const RunId = Schema.String.check(
  Schema.isPattern(/^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/u),
)

/** The environments of the configuration. */
export const EnvironmentName = Schema.Literals(["dev", "stg", "prod"]).annotate({ identifier: "EnvironmentName" })
export type EnvironmentName = typeof EnvironmentName.Type

/**
 * One safe path segment: letters, digits, dot, dash, underscore; no leading dot; at most 128 characters.
 * Every name that comes from input and ends in a path is one of these or is refused.
 */
export const Segment = Schema.String.check(
  Schema.isPattern(/^[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}$/u, {
    message: "must be a plain name: letters, digits, '.', '-', '_' (no '/', no leading '.')",
  }),
).annotate({ identifier: "Segment" })

/** A calendar month `YYYY-MM`. */
export const Month = Schema.String.check(
  Schema.isPattern(/^\d{4}-(0[1-9]|1[0-2])$/u, { message: "must be a month like 2025-01" }),
).annotate({ identifier: "Month" })

/** Length of a bar. */
export const Timeframe = Schema.Literals(["15m", "1h", "4h"]).annotate({ identifier: "Timeframe" })
export type Timeframe = typeof Timeframe.Type

/** An instrument's symbol, e.g. `EURUSD`. */
export const Symbol = Schema.String.check(
  Schema.isPattern(/^[A-Z0-9]{2,20}$/u, { message: "must be a symbol like EURUSD (capital letters and digits)" }),
).annotate({ identifier: "Symbol" })

/**
 * A file or folder named by an author, relative to the project. The engine digests the files named by such
 * inputs when the input is decoded, so that a changed file is never a stale cache hit.
 */
export const InputFile = Schema.String.check(Schema.isMinLength(1)).annotate({ identifier: "InputFile" })
