import * as Schema from "effect/Schema"
import { ErrorData } from "../../domain/event.ts"
import { FinalRunStatus } from "../../domain/final-run-status.ts"
import { validate } from "../../domain/json-value.ts"
import { EnvironmentName, PipelineId, RunId, TaskId } from "../../domain/names.ts"
import { Sha256 } from "../../domain/sha256.ts"

/** A time, RFC 3339 in UTC. */
const Time = Schema.String

/** What a run or a task waits for; what else there is to say depends on `for`. */
const Waiting = Schema.StructWithRest(
  Schema.Struct({ for: Schema.Literals(["cordon", "resource", "retry", "approval", "pause"]) }),
  [Schema.Record(Schema.String, Schema.Unknown)],
)

/**
 * Where a run stands. `queued`: the daemon has it to begin, or to go on with, or others of its concurrency group go first;
 * `interrupted`: no process drives it; `empty`: its process died before its first event.
 */
export const RunStatus = Schema.Literals([
  "queued",
  "running",
  "waiting",
  "cancelling",
  "interrupted",
  "empty",
  ...FinalRunStatus.literals,
]).annotate({ identifier: "RunStatus" })

const summary = {
  run: RunId,
  pipeline: Schema.optionalKey(Schema.String),
  env: Schema.optionalKey(EnvironmentName),
  status: RunStatus,
  waiting: Schema.optionalKey(Waiting),
  created: Time,
  durationMillis: Schema.optionalKey(Schema.Int),
  who: Schema.String,
  tick: Schema.optionalKey(Schema.String),
  /** Why its stream does not verify. */
  damaged: Schema.optionalKey(Schema.String),
}

/** A run in a list. */
export const RunSummary = Schema.Struct(summary).annotate({ identifier: "RunSummary" })
export type RunSummary = typeof RunSummary.Type

/** Runs, newest first, and where the next page begins where there may be one. */
export const RunPage = Schema.Struct({
  runs: Schema.Array(RunSummary),
  before: Schema.optionalKey(RunId),
}).annotate({ identifier: "RunPage" })

const Attempt = Schema.Struct({
  attempt: Schema.Int,
  started: Time,
  ended: Schema.optionalKey(Time),
  result: Schema.optionalKey(Schema.Literals(["succeeded", "failed", "timed_out", "cancelled", "lost", "unknown"])),
  error: Schema.optionalKey(ErrorData),
  reason: Schema.optionalKey(Schema.String),
})

const node = {
  id: Schema.String,
  status: Schema.String,
  waiting: Schema.optionalKey(Waiting),
  millis: Schema.Finite,
  attempts: Schema.Array(Attempt),
  error: Schema.optionalKey(ErrorData),
  reason: Schema.optionalKey(Schema.String),
  cached: Schema.optionalKey(Schema.Struct({ run: Schema.String, task: Schema.String })),
  verdict: Schema.optionalKey(Schema.String),
  receipts: Schema.optionalKey(Schema.Array(Schema.String)),
}

const Task = Schema.Struct({
  ...node,
  type: Schema.String,
  labels: Schema.optionalKey(Schema.Array(Schema.String)),
  instances: Schema.optionalKey(
    Schema.Array(Schema.Struct({ ...node, matrix: Schema.optionalKey(Schema.Record(Schema.String, Schema.Unknown)) })),
  ),
}).annotate({ identifier: "Task" })

/** A request for agreement: `input` is the digest of what is to be agreed to, which an answer has to name. */
export const PendingApproval = Schema.Struct({
  run: RunId,
  pipeline: PipelineId,
  task: TaskId,
  input: Sha256,
  requester: Schema.String,
  approvers: Schema.Int,
  granted: Schema.Array(Schema.String),
  due: Schema.optionalKey(Time),
  shown: Schema.optionalKey(Schema.Unknown),
}).annotate({ identifier: "PendingApproval" })
export type PendingApproval = typeof PendingApproval.Type

/** A run with its tasks. `sequence` is that of its newest event. */
export const RunDetail = Schema.Struct({
  ...summary,
  plan: Schema.optionalKey(Sha256),
  params: Schema.optionalKey(Schema.Record(Schema.String, Schema.Unknown)),
  from: Schema.optionalKey(Schema.String),
  only: Schema.optionalKey(Schema.String),
  sequence: Schema.Int,
  tasks: Schema.Array(Task),
  approvals: Schema.Array(PendingApproval),
}).annotate({ identifier: "RunDetail" })
export type RunDetail = typeof RunDetail.Type

/** How deep the values of a request may be nested. */
const deepest = 64

const isFlat = (value: unknown, left = deepest): boolean =>
  typeof value !== "object" ||
  value === null ||
  (left > 0 && Object.values(value).every((item) => isFlat(item, left - 1)))

/** JSON that every reader reads alike: no number that is rounded, no half of a character, nothing nested without end. */
export const isExact = Schema.makeFilter((value: unknown) =>
  isFlat(value) ? (validate(value, {})[0] ?? true) : `is nested more than ${deepest} deep`,
)

/** Text that a person writes and others read: not blank, at most 2,000 characters, no half of a character. */
export const Reason = Schema.String.check(
  Schema.isPattern(/\S/u, { message: "must say why" }),
  Schema.isMaxLength(2_000),
  Schema.makeFilter((text) => text.isWellFormed() || "must be well-formed Unicode"),
)
