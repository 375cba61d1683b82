import * as Context from "effect/Context"
import type * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import type { Actor } from "../domain/actor.ts"
import { type EnvironmentName, PipelineId } from "../domain/names.ts"
import { Outcome, TickTime } from "../domain/occurrence.ts"
import type { Plan } from "../domain/plan.ts"
import type { ApprovalAnswer } from "../domain/request.ts"
import { Schedule } from "../domain/schedule.ts"
import { Sha256 } from "../domain/sha256.ts"

/** No pipeline of this id is deployed. */
export class PipelineNotDeployed extends Schema.TaggedError<PipelineNotDeployed>()("PipelineNotDeployed", {
  pipeline: Schema.String,
}) {
  override get message() {
    return `No pipeline ${this.pipeline} is deployed; deploy it: dandori deploy`
  }
}

/** The pipeline has no schedule. */
export class ScheduleMissing extends Schema.TaggedError<ScheduleMissing>()("ScheduleMissing", {
  pipeline: Schema.String,
}) {
  override get message() {
    return `No pipeline ${this.pipeline} with a schedule is deployed`
  }
}

/** The schedule has no backfill of this id, or one that has ended. */
export class BackfillMissing extends Schema.TaggedError<BackfillMissing>()("BackfillMissing", {
  pipeline: Schema.String,
  backfill: Schema.String,
}) {
  override get message() {
    return `The schedule of ${this.pipeline} has no backfill ${this.backfill} that goes on`
  }
}

/** Params that do not fit the pipeline's schemas: all of them at once. */
export class ParamsRefused extends Schema.TaggedError<ParamsRefused>()("ParamsRefused", {
  pipeline: Schema.String,
  problems: Schema.Array(Schema.String),
}) {
  override get message() {
    return `The params do not fit ${this.pipeline}: ${this.problems.join("; ")}`
  }
}

/** As many runs wait as may wait. */
export class QueueFull extends Schema.TaggedError<QueueFull>()("QueueFull", { waiting: Schema.Int }) {
  override get message() {
    return `${this.waiting} runs wait already; try again later`
  }
}

/** What was asked does not fit where the run or the schedule stands. */
export class HostRefused extends Schema.TaggedError<HostRefused>()("HostRefused", { reason: Schema.String }) {
  override get message() {
    return this.reason
  }
}

/** This daemon cannot do it now: it starts, stops, does not lead, or has lost its database. */
export class HostUnready extends Schema.TaggedError<HostUnready>()("HostUnready", { reason: Schema.String }) {
  override get message() {
    return `The daemon cannot do that now: ${this.reason}`
  }
}

const paused = Schema.Struct({ since: Schema.String, by: Schema.String, reason: Schema.String })

/** Why something does not take over, since when (RFC 3339). */
const Fault = Schema.Struct({ message: Schema.String, since: Schema.String })

/** What is wrong with the configuration: nothing that has changed is deployed, and what is deployed goes on. */
export const ConfigurationProblem = Fault.annotate({
  identifier: "ConfigurationProblem",
  description:
    "What is wrong with the configuration, and since when: nothing that has changed is deployed until it is mended, and what is deployed goes on",
})
export type ConfigurationProblem = typeof ConfigurationProblem.Type

/** A pipeline as the host knows it: deployed, only a broken file, or both. `plan` is the digest of what is deployed. */
export const PipelineView = Schema.Struct({
  id: PipelineId,
  file: Schema.optionalKey(Schema.String),
  plan: Schema.optionalKey(Sha256),
  schedule: Schema.optionalKey(Schedule),
  paused: Schema.optionalKey(paused),
  /** Why its file does not take over. */
  broken: Schema.optionalKey(Fault),
}).annotate({ identifier: "Pipeline" })
export type PipelineView = typeof PipelineView.Type

/** A schedule with the ticks to come and what became of the newest past ones, newest first. */
export const ScheduleView = Schema.Struct({
  pipeline: PipelineId,
  schedule: Schedule,
  paused: Schema.optionalKey(paused),
  next: Schema.Array(TickTime),
  recent: Schema.Array(Schema.Struct({ tick: TickTime, through: Schema.optionalKey(TickTime), outcome: Outcome })),
}).annotate({ identifier: "ScheduleState" })
export type ScheduleView = typeof ScheduleView.Type

/** A run that is asked for and has not ended, whether it is created already or waits for that. */
export interface AskedRun {
  readonly run: string
  readonly pipeline: string
  readonly env: EnvironmentName
  readonly plan: Sha256
  /** Who asked for it: the daemon itself where it is the run of a tick. */
  readonly who: string
  /** Its nominal time (RFC 3339), where it is the run of a tick. */
  readonly tick?: string
  /** Whether others of its backfill go before it. */
  readonly isLater: boolean
}

/** Whether the host takes requests, whether it leads, and why not where it does not. */
export interface HostState {
  readonly ready: boolean
  readonly leader: boolean
  readonly why?: string
}

/** A run that somebody asks for. `run` is the id that it is to have; one of this id that is there already is not started again. */
export interface StartRequest {
  readonly pipeline: string
  readonly params: Readonly<Record<string, unknown>>
  readonly run: string
  readonly who: Actor
  readonly trigger: "api" | "webhook" | "file"
}

/** The ticks of a schedule that are to be run after the fact: from the one time to before the other (RFC 3339). */
export interface BackfillRequest {
  readonly pipeline: string
  readonly from: string
  readonly to: string
  /** Whose definition they run: the one that is deployed now, or the one that was at each tick. */
  readonly definition: "today" | "then"
  readonly who: Actor
}

/** What only the process can do that schedules and runs. What it records of a request is in the name of `who`. */
export class Host extends Context.Service<
  Host,
  {
    readonly state: Effect.Effect<HostState>
    readonly pipelines: Effect.Effect<ReadonlyArray<PipelineView>, HostUnready>
    readonly problem: Effect.Effect<ConfigurationProblem | undefined>
    /** The plan that is deployed. */
    readonly plan: (pipeline: string) => Effect.Effect<Plan, PipelineNotDeployed | HostUnready>
    readonly schedules: Effect.Effect<ReadonlyArray<ScheduleView>, HostUnready>
    readonly schedule: (pipeline: string) => Effect.Effect<ScheduleView, ScheduleMissing | HostUnready>
    /** No tick runs from here on; durable on return. Pausing what is paused changes nothing. */
    readonly pause: (
      pipeline: string,
      reason: string,
      who: Actor,
    ) => Effect.Effect<ScheduleView, ScheduleMissing | HostUnready>
    /** Ticks run again from here on. */
    readonly resume: (
      pipeline: string,
      reason: string,
      who: Actor,
    ) => Effect.Effect<ScheduleView, ScheduleMissing | HostUnready>
    /** Its id, and the runs that it asks for, by tick, oldest first. */
    readonly backfill: (request: BackfillRequest) => Effect.Effect<
      {
        readonly backfill: string
        readonly runs: ReadonlyArray<{ readonly tick: string; readonly run: string }>
      },
      ScheduleMissing | HostRefused | HostUnready
    >
    /** Leaves out what a backfill has not run yet; durable on return. How many ticks that are. */
    readonly cancelBackfill: (
      pipeline: string,
      backfill: string,
      reason: string,
      who: Actor,
    ) => Effect.Effect<number, BackfillMissing | HostUnready>
    /** Succeeds when `run.created` is durable, or the run waits in a queue that survives a crash. */
    readonly start: (
      request: StartRequest,
    ) => Effect.Effect<
      { readonly run: string; readonly isNew: boolean },
      PipelineNotDeployed | ParamsRefused | QueueFull | HostRefused | HostUnready
    >
    /** The runs that are asked for. */
    readonly asked: Effect.Effect<ReadonlyArray<AskedRun>, HostUnready>
    /**
     * Ends a run that is asked for, also through a daemon that stands by: one that is not created never is, one that goes
     * on is asked to end. Durable on return; false where no such run is asked for.
     */
    readonly cancel: (run: string, reason: string, who: Actor) => Effect.Effect<boolean, HostUnready>
    /**
     * Passes an answer to an approval on to the daemon that drives the run; false where that is this one, or none. Durable on
     * return.
     */
    readonly passOn: (run: string, answer: ApprovalAnswer, who: Actor) => Effect.Effect<boolean, HostUnready>
    /** What is known of a run that is asked for, also where another daemon was asked. One that starts cannot tell. */
    readonly askedFor: (run: string) => Effect.Effect<AskedRun | undefined, HostUnready>
    /** Why a run that was asked for was not created; undefined where that is not known. */
    readonly notCreated: (run: string) => Effect.Effect<string | undefined, HostUnready>
    /** A new run of a plan whose run has ended, which takes over what succeeded there. */
    readonly retryRun: (request: {
      readonly of: string
      readonly run: string
      readonly from?: string
      readonly only?: string
      readonly who: Actor
    }) => Effect.Effect<{ readonly run: string; readonly isNew: boolean }, HostRefused | QueueFull | HostUnready>
    /** Goes on with a run that nobody drives. */
    readonly resumeRun: (run: string, who: Actor) => Effect.Effect<void, HostRefused | QueueFull | HostUnready>
    /** Metrics of the process in OpenMetrics 1.0 text, with `# EOF`; so many event streams are open. */
    readonly metrics: (apiStreams: number) => Effect.Effect<string>
  }
>()("dandori/daemon/Host") {}
