import * as Schema from "effect/Schema"
import * as Sha256 from "./sha256.ts"

/** A nominal time as events hold it: RFC 3339, UTC, whole seconds. */
export const TickTime = Schema.String.check(Schema.isPattern(/^\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}Z$/))

/** A nominal time (milliseconds since the epoch) as events hold it. */
export const timeText = (at: number): string => new Date(at).toISOString().replace(/\.000Z$/, "Z")

/**
 * What became of a nominal tick. `ran`: a run was created for it, or waits in the queue of its schedule. `skipped`: its own
 * runs, or the queue, left no room. `coalesced`: a later tick is run in its place. `missed`: nobody watched when it was due, and it was not caught up. `held`: the schedule
 * was paused, or a cordon stood.
 */
export const Outcome = Schema.Union([
  Schema.Struct({ is: Schema.Literal("ran"), run: Schema.String, queued: Schema.optionalKey(Schema.Literal(true)) }),
  Schema.Struct({ is: Schema.Literals(["skipped", "coalesced", "missed", "held"]), reason: Schema.String }),
])
export type Outcome = typeof Outcome.Type

/** What a run that a schedule asks for is named after. */
export interface Named {
  readonly env: string
  readonly pipeline: string
  /** Nominal time, milliseconds since the epoch. */
  readonly tick: number
  /** The id (UUIDv7) of the backfill that asks for it; none where the schedule itself does. */
  readonly backfill?: string
}

/**
 * The id of the run of a tick: a UUIDv7 (RFC 9562, section 5.7) of the nominal time whose other 74 bits are a digest of what
 * it is named after; in a backfill, of the time of the backfill. The same tick always has the same one, so that its run
 * cannot be created twice.
 */
export const runOf = ({ backfill, env, pipeline, tick }: Named): string => {
  const named = `dandori occurrence ${env}/${pipeline} ${timeText(tick)}${backfill === undefined ? "" : ` ${backfill}`}\n`
  const digest = Sha256.of(named)
  const time = backfill?.replaceAll("-", "").slice(0, 12) ?? tick.toString(16).padStart(12, "0")
  const variant = (8 + (Number.parseInt(digest[3], 16) & 3)).toString(16)
  return `${time.slice(0, 8)}-${time.slice(8)}-7${digest.slice(0, 3)}-${variant}${digest.slice(4, 7)}-${digest.slice(7, 19)}`
}

/**
 * How much later than its nominal time a tick starts, milliseconds: evenly spread below `jitter` (milliseconds), and always
 * the same for the same tick.
 */
export const jitterOf = ({ env, pipeline, tick }: Named, jitter: number): number =>
  Math.floor(
    (Number.parseInt(Sha256.of(`dandori jitter ${env}/${pipeline} ${timeText(tick)}\n`).slice(0, 12), 16) / 2 ** 48) *
      jitter,
  )
