import * as Schema from "effect/Schema"
import { RunId, Segment } from "./names.ts"

/** A time in UTC with milliseconds, `2025-05-05T03:14:00.000Z`: sorts as text. */
const Time = Schema.String.check(Schema.isPattern(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/))

const isSegment = Schema.is(Segment)
const isRun = Schema.is(RunId)

/** What a hold is about: `model/<version>`, `run/<id>` or `snapshot/<id>`. */
export const HoldSubject = Schema.String.check(
  Schema.makeFilter((text) => {
    const [kind, name, ...more] = text.split("/")
    const known = kind === "run" ? isRun(name) : (kind === "model" || kind === "snapshot") && isSegment(name)
    return (known && more.length === 0) || "must be model/<version>, run/<id> or snapshot/<id>"
  }),
).annotate({ identifier: "HoldSubject" })
export type HoldSubject = typeof HoldSubject.Type

/**
 * A rule that keeps records or bytes from being purged, until it is released or its time is over. It is never removed:
 * `released` says when it was, by whom and why.
 */
export const Hold = Schema.Struct({
  id: Schema.String,
  subject: HoldSubject,
  who: Schema.String,
  reason: Schema.String,
  added: Time,
  until: Schema.NullOr(Time).annotate({ description: "null: until somebody releases it" }),
  released: Schema.NullOr(Time),
  releasedBy: Schema.NullOr(Schema.String),
  releaseReason: Schema.NullOr(Schema.String),
}).annotate({ identifier: "Hold" })
export type Hold = typeof Hold.Type

/** When a hold ends or ended, milliseconds since the epoch; undefined while nobody knows. */
export const endOf = ({ released, until }: Hold): number | undefined => {
  const ends = [released, until].flatMap((time) => (time === null ? [] : [Date.parse(time)]))
  return ends.length === 0 ? undefined : Math.min(...ends)
}

/** Whether a hold keeps its subject at a time (milliseconds since the epoch). */
export const isActive = (hold: Hold, now: number): boolean => now < (endOf(hold) ?? Number.POSITIVE_INFINITY)

/** Whether a hold is about one of these subjects. */
export const isAbout = (hold: Hold, subjects: ReadonlyArray<string>): boolean => subjects.includes(hold.subject)
