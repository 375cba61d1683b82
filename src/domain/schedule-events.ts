import * as Schema from "effect/Schema"
import { Actor } from "./actor.ts"
import { FinalRunStatus } from "./final-run-status.ts"
import { EnvironmentName } from "./names.ts"
import { Outcome, TickTime } from "./occurrence.ts"
import { ApprovalAnswer } from "./request.ts"
import { Schedule } from "./schedule.ts"
import { Sha256 } from "./sha256.ts"
import { Trigger } from "./trigger.ts"

/** The pipeline whose schedule it is about. */
const ofPipeline = { pipeline: Schema.String }

/** The data of the events in the streams of schedules. */
export const scheduleEvents = {
  /**
   * A schedule counts for the ticks after `after`, as its pipeline was deployed; it catches nothing up from before. It was
   * decided then: by the time that this is written, a tick may have passed.
   */
  "dev.dandori.schedule.deployed.v1": Schema.Struct({
    ...ofPipeline,
    plan: Sha256,
    schedule: Schedule,
    after: TickTime,
  }),
  /** The pipeline has no schedule any more, or is gone: no tick after `after` counts. */
  "dev.dandori.schedule.withdrawn.v1": Schema.Struct({ ...ofPipeline, reason: Schema.String, after: TickTime }),
  /** What became of a tick; with `through`, of it and all later ones up to that one, `ticks` of them. */
  "dev.dandori.schedule.tick.closed.v1": Schema.Struct({
    ...ofPipeline,
    tick: TickTime,
    through: Schema.optionalKey(TickTime),
    ticks: Schema.optionalKey(Schema.Int),
    outcome: Outcome,
  }),
  /** The run of a tick waited in the queue and makes way for that of the tick `into`: it is not created. */
  "dev.dandori.schedule.tick.coalesced.v1": Schema.Struct({
    ...ofPipeline,
    tick: TickTime,
    run: Schema.String,
    into: TickTime,
  }),
  /**
   * Somebody asks for a run, which is created when there is room: of what is deployed, or (`retry`) of the plan of a run that
   * has ended, from a task on, or of one task only.
   */
  "dev.dandori.schedule.run.requested.v1": Schema.Struct({
    ...ofPipeline,
    run: Schema.String,
    plan: Sha256,
    config: Sha256,
    params: Schema.Record(Schema.String, Schema.Unknown),
    trigger: Trigger,
    by: Actor,
    retry: Schema.optionalKey(
      Schema.Struct({
        of: Schema.String,
        from: Schema.optionalKey(Schema.String),
        only: Schema.optionalKey(Schema.String),
      }),
    ),
  }),
  /** A run that has not ended is not wanted any more: it is not created, or, where it goes on, asked to end. */
  "dev.dandori.schedule.run.cancel.requested.v1": Schema.Struct({
    ...ofPipeline,
    run: Schema.String,
    reason: Schema.String,
    by: Actor,
  }),
  /** Somebody has agreed to what a run asks for, or refused, at a process that does not drive it: that one hears of it here. */
  "dev.dandori.schedule.run.answered.v1": Schema.Struct({
    ...ofPipeline,
    run: Schema.String,
    answer: ApprovalAnswer,
    by: Actor,
  }),
  /** A run of the schedule, or one that somebody asked for, has ended; `reason` where it could not be created. */
  "dev.dandori.schedule.run.ended.v1": Schema.Struct({
    ...ofPipeline,
    tick: Schema.optionalKey(TickTime),
    run: Schema.String,
    status: FinalRunStatus,
    reason: Schema.optionalKey(Schema.String),
  }),
  /**
   * The ticks from `from` on and before `to` are to be run, whatever became of them: with the definition of `today`, which
   * is what was deployed now, or with what was deployed `then`, at each tick's time.
   */
  "dev.dandori.schedule.backfill.requested.v1": Schema.Struct({
    backfill: Schema.String,
    ...ofPipeline,
    env: EnvironmentName,
    from: TickTime,
    to: TickTime,
    definition: Schema.Literals(["today", "then"]),
    ticks: Schema.Int,
  }),
  /** What is left of a backfill is not run. */
  "dev.dandori.schedule.backfill.cancelled.v1": Schema.Struct({
    ...ofPipeline,
    backfill: Schema.String,
    reason: Schema.String,
    ticks: Schema.Int,
  }),
  /** No tick runs from here on; by itself after so many `failures` in a row, else by a person. */
  "dev.dandori.schedule.paused.v1": Schema.Struct({
    ...ofPipeline,
    reason: Schema.String,
    failures: Schema.optionalKey(Schema.Int),
  }),
  "dev.dandori.schedule.resumed.v1": Schema.Struct({ ...ofPipeline, reason: Schema.String }),
}
