import * as Schema from "effect/Schema"
import * as CanonicalJson from "./canonical-json.ts"
import { EffectClass } from "./effect-class.ts"
import { Triggers } from "./file-trigger.ts"
import { PipelineId, TaskId } from "./names.ts"
import { Schedule } from "./schedule.ts"
import type { Sha256 } from "./sha256.ts"

/** A JSON Schema (2020-12) as data. */
export const JsonSchemaObject = Schema.Record(Schema.String, Schema.Unknown)

/** Delay before the next attempt: `initial × factor^(n-1)`, at most `max`, in milliseconds; `full` jitter draws from 0. */
export const Backoff = Schema.Struct({
  initial: Schema.Int,
  factor: Schema.Finite,
  max: Schema.Int,
  jitter: Schema.Literals(["full", "none"]),
})
export type Backoff = typeof Backoff.Type

/** How often and after which errors a task is tried again. Without `on`: the errors that the task type marks transient. */
export const Retry = Schema.Struct({
  attempts: Schema.Int,
  on: Schema.optionalKey(Schema.Array(Schema.String)),
  backoff: Schema.optionalKey(Backoff),
})
export type Retry = typeof Retry.Type

/** What an attempt holds while it runs: processors, bytes of memory, counted pools, named locks. */
export const Resources = Schema.Struct({
  cpu: Schema.optionalKey(Schema.Finite),
  memory: Schema.optionalKey(Schema.Int),
  gpu: Schema.optionalKey(Schema.Int),
  pools: Schema.optionalKey(Schema.Record(Schema.String, Schema.Int)),
  locks: Schema.optionalKey(Schema.Array(Schema.String)),
})
export type Resources = typeof Resources.Type

/**
 * The part of its pipeline, or sub-pipeline, that a task stands in. Handlers start when all of `tasks` has ended;
 * `finally` is last.
 */
export const Block = Schema.Literals(["tasks", "onFailure", "onCancel", "finally"])
export type Block = typeof Block.Type

/** Most instances that one matrix may have. */
export const maxInstances = 10_000

/**
 * Many instances of one task, one for each combination of values. An axis is a list, or text with one expression that
 * gives a list when the run comes to it. `include` and `exclude` mean what they mean in GitHub Actions.
 */
export const Matrix = Schema.Struct({
  values: Schema.Record(Schema.String, Schema.Union([Schema.Array(Schema.Unknown), Schema.String])),
  include: Schema.optionalKey(Schema.Array(Schema.Record(Schema.String, Schema.Unknown))),
  exclude: Schema.optionalKey(Schema.Array(Schema.Record(Schema.String, Schema.Unknown))),
  failFast: Schema.optionalKey(Schema.Literal(false)),
  maxParallel: Schema.optionalKey(Schema.Int),
})
export type Matrix = typeof Matrix.Type

/**
 * What a sub-pipeline takes and gives: the schemas of its params, and an expression of its own tasks for each output.
 * Its `timeout` (milliseconds) counts from the moment that it is entered to the end of its `tasks`.
 */
export const SubPipeline = Schema.Struct({
  params: Schema.Record(Schema.String, JsonSchemaObject),
  outputs: Schema.Record(Schema.String, Schema.String),
  timeout: Schema.optionalKey(Schema.Int),
})
export type SubPipeline = typeof SubPipeline.Type

/** How many distinct people must agree before a task starts, and what happens when they do not in time (milliseconds). */
export const Approval = Schema.Struct({
  approvers: Schema.Int,
  timeout: Schema.optionalKey(Schema.Int),
  onTimeout: Schema.optionalKey(Schema.Literal("skip")),
})
export type Approval = typeof Approval.Type

/** A moment before which a task does not start: RFC 3339, or text with one expression that gives it. */
export const PauseUntil = Schema.Struct({ reason: Schema.String, until: Schema.String })
export type PauseUntil = typeof PauseUntil.Type

/** How many runs of a group go on at once on this state store, and what becomes of the next one. */
export const Concurrency = Schema.Struct({
  group: Schema.String,
  limit: Schema.Int,
  onConflict: Schema.Literals(["queue", "cancel-running", "fail"]),
})
export type Concurrency = typeof Concurrency.Type

/**
 * What becomes of a run whose ledger cannot be written: with `required` nothing starts without the durable record of its
 * intent; with `best-effort`, which only pure and idempotent tasks may have, it goes on and says so.
 */
export const Audit = Schema.Literals(["required", "best-effort"])
export type Audit = typeof Audit.Type

/** A node of a plan. Keys that have their default are left out, so that equal tasks have equal text. */
export const PlanTask = Schema.Struct({
  id: TaskId,
  type: Schema.String,
  version: Schema.Int,
  effects: EffectClass,
  block: Schema.optionalKey(Block),
  needs: Schema.Array(Schema.String),
  with: Schema.Record(Schema.String, Schema.Unknown),
  if: Schema.optionalKey(Schema.String),
  retry: Schema.optionalKey(Retry),
  timeout: Schema.optionalKey(Schema.Int),
  /** An attempt that gives no sign of life for so many milliseconds is stopped and lost. */
  heartbeat: Schema.optionalKey(Schema.Int),
  cache: Schema.optionalKey(Schema.Boolean),
  continueOnError: Schema.optionalKey(Schema.Boolean),
  resources: Schema.optionalKey(Resources),
  matrix: Schema.optionalKey(Matrix),
  pipeline: Schema.optionalKey(SubPipeline),
  approval: Schema.optionalKey(Approval),
  pauseUntil: Schema.optionalKey(PauseUntil),
  labels: Schema.optionalKey(Schema.Array(Schema.String)),
  priority: Schema.optionalKey(Schema.Int),
})
export type PlanTask = typeof PlanTask.Type

/**
 * A compiled pipeline. Tasks stand in topological order, ties by id; those of a sub-pipeline right after its own task. Strings in `with` may hold `${{ … }}`
 * expressions (CEL); `if` is one expression. Durations are milliseconds, sizes bytes. A task of a sub-pipeline has the
 * id `<task>/<id>`; its expressions name the tasks and params of the sub-pipeline. `outputs` are what a parent sees.
 */
export const Plan = Schema.Struct({
  format: Schema.Literal(1),
  id: PipelineId,
  params: Schema.Record(Schema.String, JsonSchemaObject),
  env: Schema.Array(Schema.String),
  audit: Audit,
  timeout: Schema.optionalKey(Schema.Int),
  concurrency: Schema.optionalKey(Concurrency),
  outputs: Schema.optionalKey(Schema.Record(Schema.String, Schema.String)),
  schedule: Schema.optionalKey(Schedule),
  on: Schema.optionalKey(Triggers),
  tasks: Schema.Array(PlanTask),
})
export type Plan = typeof Plan.Type

/** A plan's identity: SHA-256 over its canonical JSON. */
export const digest = (plan: Plan): Sha256 => CanonicalJson.digest(plan)

/** Attempts that a task gets when it says nothing. */
export const defaultAttempts = 3

/** The backoff of a task that says nothing: 1 s, doubling, at most 1 min, full jitter. */
export const defaultBackoff: Backoff = { initial: 1_000, factor: 2, max: 60_000, jitter: "full" }
