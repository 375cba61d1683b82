import * as Schema from "effect/Schema"
import { Artifact } from "./artifact.ts"
import { ClockStepped, ProcessPaused } from "./clock-look.ts"
import { FinalRunStatus } from "./final-run-status.ts"
import { GateResult } from "./gate.ts"
import { HoldSubject } from "./hold.ts"
import { EnvironmentName, RunId } from "./names.ts"
import { OpsChange, OpsFlags } from "./ops-flags.ts"
import { scheduleEvents } from "./schedule-events.ts"
import { Sha256 } from "./sha256.ts"
import { tokenEvents } from "./token.ts"
import { Trigger } from "./trigger.ts"

/** An error as an event holds it: the tag decides about retries, the message is for people. */
export const ErrorData = Schema.Struct({
  tag: Schema.String,
  message: Schema.String,
  transient: Schema.optionalKey(Schema.Boolean),
  notApplied: Schema.optionalKey(Schema.Boolean),
  settled: Schema.optionalKey(Schema.Boolean),
})
export type ErrorData = typeof ErrorData.Type

/** What the machine offers to one run: processors, bytes, pools by name, attempts at once. */
export const Capacity = Schema.Struct({
  cpu: Schema.Finite,
  memory: Schema.Int,
  gpu: Schema.Int,
  pools: Schema.Record(Schema.String, Schema.Int),
  attempts: Schema.Int,
})
export type Capacity = typeof Capacity.Type

const attempt = { task: Schema.String, attempt: Schema.Int }
const output = {
  output: Schema.optionalKey(Schema.Unknown),
  outputArtifact: Schema.optionalKey(Artifact),
}

/** A change of the operations flags from a command line; what is asked for, meant and done about it shares its id. */
const opsChange = { id: Schema.String, env: EnvironmentName, change: OpsChange, reason: Schema.String }

/** Set where an entry was not written at its time, but added by a later start that found it missing. */
const recovered = { recovered: Schema.optionalKey(Schema.Literal(true)) }

const notification = {
  notification: Schema.String,
  route: Schema.String,
  action: Schema.Literals(["trigger", "acknowledge", "resolve"]),
  severity: Schema.Literals(["info", "warning", "critical"]),
  dedupKey: Schema.optionalKey(Schema.String),
  run: Schema.optionalKey(Schema.String),
  env: EnvironmentName,
  /** How often it was tried by then. */
  tries: Schema.Int,
}

/** The schema of `data` for each event type. A value over 256 KiB is an artifact reference instead. */
export const data = {
  "dev.dandori.run.created.v1": Schema.Struct({
    pipeline: Schema.String,
    plan: Sha256,
    planArtifact: Artifact,
    config: Artifact,
    params: Schema.Record(Schema.String, Schema.Unknown),
    env: EnvironmentName,
    environment: Schema.Record(Schema.String, Schema.String),
    capacity: Capacity,
    durability: Schema.Literals(["fsync", "batched"]),
    /** With `batched`: what nobody waited for is flushed this much later at most. */
    flushIntervalMillis: Schema.optionalKey(Schema.Int),
    code: Sha256,
    trigger: Schema.optionalKey(Trigger),
    tick: Schema.optionalKey(Schema.String),
    from: Schema.optionalKey(Schema.String),
    /** How many entries after this one say what is taken over from it. */
    taken: Schema.optionalKey(Schema.Int),
    /** The one task, or the one instance, that is run; the others are skipped. */
    only: Schema.optionalKey(Schema.String),
  }),
  "dev.dandori.run.resumed.v1": Schema.Struct({ code: Sha256, capacity: Capacity, stopped: Schema.Array(Schema.Int) }),
  /** Its process let go of it, since it was stopped or leads no more, and ended the attempts of these tasks: they do not count. */
  "dev.dandori.run.suspended.v1": Schema.Struct({ interrupted: Schema.Array(Schema.String) }),
  "dev.dandori.run.finished.v1": Schema.Struct({ status: FinalRunStatus, durationMillis: Schema.Int }),
  "dev.dandori.attempt.started.v1": Schema.Struct({ ...attempt, input: Schema.optionalKey(Schema.Unknown) }),
  "dev.dandori.attempt.succeeded.v1": Schema.Struct({
    ...attempt,
    ...output,
    millis: Schema.optionalKey(Schema.Int),
    cacheKey: Schema.optionalKey(Sha256),
    cached: Schema.optionalKey(Schema.Struct({ run: Schema.String, task: Schema.String, entry: Sha256 })),
    probed: Schema.optionalKey(Schema.Boolean),
    receipts: Schema.optionalKey(Schema.Array(Artifact)),
    facts: Schema.optionalKey(Schema.Record(Schema.String, Schema.Unknown)),
  }),
  "dev.dandori.attempt.failed.v1": Schema.Struct({
    ...attempt,
    ...output,
    millis: Schema.optionalKey(Schema.Int),
    error: ErrorData,
    receipts: Schema.optionalKey(Schema.Array(Artifact)),
    facts: Schema.optionalKey(Schema.Record(Schema.String, Schema.Unknown)),
  }),
  "dev.dandori.attempt.timed_out.v1": Schema.Struct({ ...attempt, timeoutMillis: Schema.Int }),
  "dev.dandori.attempt.cancelled.v1": Schema.Struct(attempt),
  /** `orderly`: its process had let go of the run and ended it: it does not count as one of the task's attempts. */
  "dev.dandori.attempt.lost.v1": Schema.Struct({
    ...attempt,
    reason: Schema.String,
    orderly: Schema.optionalKey(Schema.Literal(true)),
  }),
  "dev.dandori.attempt.unknown.v1": Schema.Struct({ ...attempt, reason: Schema.String }),
  "dev.dandori.task.skipped.v1": Schema.Struct({ task: Schema.String, reason: Schema.String }),
  "dev.dandori.matrix.expanded.v1": Schema.Struct({
    task: Schema.String,
    count: Schema.Int,
    /** Values of the axes that the run gave, by axis. */
    values: Schema.optionalKey(Schema.Record(Schema.String, Schema.Array(Schema.Unknown))),
    valuesArtifact: Schema.optionalKey(Artifact),
  }),
  "dev.dandori.pipeline.entered.v1": Schema.Struct({
    task: Schema.String,
    params: Schema.Record(Schema.String, Schema.Unknown),
    /** When its timeout is over (milliseconds since the epoch). */
    due: Schema.optionalKey(Schema.Int),
  }),
  /** The timeout of a sub-pipeline is over: what it was doing is stopped, and its handlers run. */
  "dev.dandori.pipeline.timed_out.v1": Schema.Struct({ task: Schema.String, timeoutMillis: Schema.Int }),
  /** Other runs of its concurrency group go on: it waits for them; and its turn has come. */
  "dev.dandori.run.queued.v1": Schema.Struct({ group: Schema.String, behind: Schema.Array(Schema.String) }),
  "dev.dandori.run.admitted.v1": Schema.Struct({ group: Schema.String }),
  /** A cordon keeps the run from starting more; and it is gone. */
  "dev.dandori.run.held.v1": Schema.Struct({ cordon: Schema.String, reason: Schema.String }),
  "dev.dandori.run.released.v1": Schema.Struct({ cordon: Schema.String }),
  "dev.dandori.cordon.raised.v1": Schema.Struct({
    cordon: Schema.String,
    epoch: Schema.Int,
    reason: Schema.String,
    scope: Schema.optionalKey(Schema.Array(Schema.String)),
    expires: Schema.optionalKey(Schema.Int),
  }),
  "dev.dandori.cordon.lifted.v1": Schema.Struct({ cordon: Schema.String, epoch: Schema.Int, reason: Schema.String }),
  /** A hold is about to count; and a hold is about to be released. */
  "dev.dandori.hold.added.v1": Schema.Struct({
    hold: Schema.String,
    subject: HoldSubject,
    env: EnvironmentName,
    reason: Schema.String,
    until: Schema.optionalKey(Schema.String),
  }),
  "dev.dandori.hold.released.v1": Schema.Struct({
    hold: Schema.String,
    subject: HoldSubject,
    env: EnvironmentName,
    reason: Schema.String,
  }),
  "dev.dandori.task.paused.v1": Schema.Struct({ task: Schema.String, until: Schema.Int, reason: Schema.String }),
  "dev.dandori.approval.requested.v1": Schema.Struct({
    task: Schema.String,
    /** Digest of the input that is to be approved. */
    input: Sha256,
    approvers: Schema.Int,
    due: Schema.optionalKey(Schema.Int),
    /** The input itself, secrets taken out, unless it is too large for an event. */
    shown: Schema.optionalKey(Schema.Unknown),
  }),
  "dev.dandori.approval.granted.v1": Schema.Struct({
    task: Schema.String,
    input: Sha256,
    by: Schema.String,
    reason: Schema.optionalKey(Schema.String),
    /** Set where the requester agreed to their own request, as env dev allows. */
    self: Schema.optionalKey(Schema.Literal(true)),
  }),
  "dev.dandori.approval.refused.v1": Schema.Struct({
    task: Schema.String,
    input: Sha256,
    by: Schema.String,
    reason: Schema.String,
  }),
  "dev.dandori.approval.expired.v1": Schema.Struct({ task: Schema.String }),
  "dev.dandori.task.resolved.v1": Schema.Struct({
    task: Schema.String,
    as: Schema.Literals(["succeeded", "failed"]),
    reason: Schema.String,
    /** Who said so, where another appended it. */
    by: Schema.optionalKey(Schema.String),
    ...output,
  }),
  /** A result that stands in an earlier run: this one takes it over and does not run the task. */
  "dev.dandori.task.adopted.v1": Schema.Struct({
    task: Schema.String,
    run: Schema.String,
    entry: Sha256,
    ...output,
    receipts: Schema.optionalKey(Schema.Array(Artifact)),
  }),
  "dev.dandori.retry.scheduled.v1": Schema.Struct({ ...attempt, due: Schema.Int, delayMillis: Schema.Int }),
  "dev.dandori.gate.passed.v1": Schema.Struct({ ...attempt, type: Schema.String, gate: GateResult }),
  "dev.dandori.gate.failed.v1": Schema.Struct({ ...attempt, type: Schema.String, gate: GateResult }),
  "dev.dandori.cancel.requested.v1": Schema.Struct({
    reason: Schema.String,
    timeout: Schema.optionalKey(Schema.Boolean),
  }),
  "dev.dandori.stream.opened.v1": Schema.Struct({ stream: Schema.String, first: Sha256, ...recovered }),
  "dev.dandori.stream.closed.v1": Schema.Struct({
    stream: Schema.String,
    entries: Schema.Int,
    head: Sha256,
    ...recovered,
  }),
  /** The stream of a run that has ended, as it was, goes: by a rule of the retention section, or for a person's reason. */
  "dev.dandori.run.purged.v1": Schema.Struct({
    run: RunId,
    stream: Schema.String,
    entries: Schema.Int,
    head: Sha256,
    rule: Schema.optionalKey(Schema.String),
    reason: Schema.optionalKey(Schema.String),
  }),
  "dev.dandori.ledger.repaired.v1": Schema.Struct({
    removedBytes: Schema.Int,
    removedSha256: Sha256,
    after: Schema.Int,
  }),
  /** The run's ledger could not be written, and its run went on: from here to `recovered` events were late. */
  "dev.dandori.ledger.stalled.v1": Schema.Struct({ events: Schema.Int, code: Schema.String, reason: Schema.String }),
  /** So many events were written late, the first of them after `since` (milliseconds since the epoch). */
  "dev.dandori.ledger.recovered.v1": Schema.Struct({ events: Schema.Int, since: Schema.Int }),
  "dev.dandori.ledger.checkpointed.v1": Schema.Struct({
    entries: Schema.Int,
    tree: Schema.String,
    keyid: Schema.String,
  }),
  /** A pipeline as it was deployed; `gates` are task ids, `files` what its tasks name, as the plan writes the paths. */
  "dev.dandori.pipeline.deployed.v1": Schema.Struct({
    pipeline: Schema.String,
    env: EnvironmentName,
    plan: Sha256,
    planArtifact: Artifact,
    config: Artifact,
    gates: Schema.Array(Schema.String),
    files: Schema.Array(Artifact),
    previous: Schema.optionalKey(Sha256),
    weaker: Schema.optionalKey(Schema.Struct({ reason: Schema.String, accepted: Schema.Array(Schema.String) })),
  }),
  ...scheduleEvents,
  /** Somebody asks to resume: another person has to agree while the flags, by their digest, are as they were `seen`. */
  "dev.dandori.ops.requested.v1": Schema.Struct({ ...opsChange, seen: Sha256 }),
  /** What is about to be done; by whose request (the entry's hash), where it took two people. */
  "dev.dandori.ops.intended.v1": Schema.Struct({
    ...opsChange,
    request: Schema.optionalKey(Sha256),
    requester: Schema.optionalKey(Schema.String),
    /** Set where the requester agreed to their own request, as env dev allows. */
    self: Schema.optionalKey(Schema.Literal(true)),
  }),
  /** It is done: the flags afterwards, or why they cannot be read. */
  "dev.dandori.ops.applied.v1": Schema.Struct({
    ...opsChange,
    changed: Schema.Boolean,
    flags: Schema.optionalKey(OpsFlags),
    unreadable: Schema.optionalKey(Schema.String),
  }),
  /** It failed; `applied` says whether it is done all the same. */
  "dev.dandori.ops.failed.v1": Schema.Struct({
    ...opsChange,
    applied: Schema.Literals(["no", "unknown", "yes"]),
    error: ErrorData,
  }),
  /** A notification has reached a route, by a process of `env`. Its text stands in the run's ledger and in the outbox. */
  "dev.dandori.notification.delivered.v1": Schema.Struct(notification),
  /** A notification that a route has refused, or not taken for days: it is not tried again. */
  "dev.dandori.notification.refused.v1": Schema.Struct({ ...notification, reason: Schema.String }),
  /** Somebody has looked at a notification that was refused. */
  "dev.dandori.notification.acknowledged.v1": Schema.Struct({
    notification: Schema.String,
    env: EnvironmentName,
    reason: Schema.String,
  }),
  /** A daemon schedules from here on, and no other one of its environment does. */
  "dev.dandori.leadership.taken.v1": Schema.Struct({ env: EnvironmentName, host: Schema.String, pid: Schema.Int }),
  "dev.dandori.leadership.left.v1": Schema.Struct({
    env: EnvironmentName,
    host: Schema.String,
    pid: Schema.Int,
    reason: Schema.String,
  }),
  "dev.dandori.clock.stepped.v1": ClockStepped,
  "dev.dandori.process.paused.v1": ProcessPaused,
  ...tokenEvents,
  "dev.dandori.key.created.v1": Schema.Struct({ keyid: Schema.String, publicKey: Schema.String }),
} as const

export type EventType = keyof typeof data
export type EventData<T extends EventType> = (typeof data)[T]["Type"]

/** An event before it is sealed into a stream: its type and its data. */
export type Event = { readonly [T in EventType]: { readonly type: T; readonly data: EventData<T> } }[EventType]

/** An entry of a stream: CloudEvents 1.0 with the chain's extensions. */
export const Entry = Schema.Struct({
  specversion: Schema.Literal("1.0"),
  id: Schema.String,
  source: Schema.String,
  type: Schema.String,
  subject: Schema.String,
  time: Schema.String,
  datacontenttype: Schema.Literal("application/json"),
  sequence: Schema.String.check(Schema.isPattern(/^[1-9]\d*$/)),
  prevhash: Sha256,
  entryhash: Sha256,
  traceparent: Schema.optionalKey(Schema.String),
  authid: Schema.String,
  authtype: Schema.String,
  data: Schema.Unknown,
})
export type Entry = typeof Entry.Type

/** The `prevhash` of the first entry of a stream: SHA-256 over the stream's name, so that streams cannot be swapped. */
export const genesisText = (stream: string): string => `dandori stream ${stream}\n`
