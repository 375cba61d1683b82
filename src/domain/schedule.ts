import * as Schema from "effect/Schema"

/** What becomes of a tick whose run is due while an earlier run of the same schedule goes on. */
export const Overlap = Schema.Literals(["skip", "queue-one", "queue-all", "cancel-running", "allow"])

/** What becomes of ticks that passed while nobody watched: of those younger than `window` (milliseconds), if any. */
export const Catchup = Schema.Struct({
  policy: Schema.Literals(["none", "last", "all"]),
  window: Schema.optionalKey(Schema.Int),
})

/**
 * What becomes of a tick where the clocks jump. `gap`: its time of day does not exist; it is skipped, or shifted to the
 * first instant after the gap. `overlap`: its time of day comes twice; it happens at the first, the second, or both.
 */
export const DstPolicy = Schema.Struct({
  gap: Schema.Literals(["skip", "shift"]),
  overlap: Schema.Literals(["first", "second", "both"]),
})
export type DstPolicy = typeof DstPolicy.Type

/**
 * When a pipeline runs by itself. `cron` is a pattern of OCPS 1.4, with years from 1970 to 2199, on the clocks of
 * `timezone` (IANA). Values of `params` may hold `${{ … }}` expressions over `run.tick`. `jitter` (milliseconds) is the
 * most that a start is put off; the tick keeps its nominal time. `dst` is there if and only if the pattern leaves out some
 * hour of the day; a pattern that matches every hour ticks whenever the clocks show a matching time, so that no hour that
 * passes is skipped or doubled. After `pauseAfter` runs in a row that failed the schedule pauses, until somebody resumes
 * it.
 */
export const Schedule = Schema.Struct({
  cron: Schema.String,
  timezone: Schema.String,
  params: Schema.Record(Schema.String, Schema.Unknown),
  jitter: Schema.optionalKey(Schema.Int),
  overlap: Overlap,
  catchup: Catchup,
  dst: Schema.optionalKey(DstPolicy),
  pauseAfter: Schema.optionalKey(Schema.Int),
})
export type Schedule = typeof Schedule.Type
