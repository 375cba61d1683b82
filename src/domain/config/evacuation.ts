import * as Schema from "effect/Schema"
import { BundleName } from "../collected.ts"
import { HttpUrl } from "./http-url.ts"
import { NamedList } from "./named-list.ts"
import { Duration, Size } from "../quantity.ts"
import { S3Section } from "./storage.ts"
import { Count, Fraction, Name, Natural } from "./measure.ts"
import { SecretReference } from "./secret-reference.ts"

const Text = Schema.String.check(Schema.isMinLength(1))

/**
 * What a collector has in common. `value` orders what is taken: the smallest first. `time` (default 10s) and `max_bytes`
 * (64MiB for captures; none for files) bound it. `when: volatile` is before anything is stopped, `durable` after it.
 */
const common = {
  name: Name.check(
    Schema.makeFilter((name) => name !== "captures" || "is the folder of all captures; take another name"),
  ),
  value: Natural,
  time: Schema.optionalKey(Duration),
  max_bytes: Schema.optionalKey(Size),
}
const When = Schema.Literals(["volatile", "durable"])

/** The facts of a machine that Dandori knows how to take. */
export const MachineFact = Schema.Literals([
  "environment",
  "processes",
  "sockets",
  "open-files",
  "memory",
  "disks",
  "mounts",
  "kernel-log",
  "journal",
  "cgroups",
  "containers",
  "gpu",
  "packages",
  "git",
  "registry",
  "ledger-database",
]).annotate({ identifier: "MachineFact" })
export type MachineFact = typeof MachineFact.Type

/** A capture of this machine. Captures are text, and are always redacted. */
export const MachineCollector = Schema.Struct({
  ...common,
  kind: Schema.Literal("machine"),
  what: MachineFact,
  when: When,
})
export type MachineCollector = typeof MachineCollector.Type

/** A capture of what a program prints. `argv` is run as it stands, without a shell; `cwd` is the project's folder. */
export const CommandCollector = Schema.Struct({
  ...common,
  kind: Schema.Literal("command"),
  argv: Schema.Array(Schema.String).check(Schema.isMinLength(1)),
  cwd: Schema.optionalKey(Text),
  when: When,
})
export type CommandCollector = typeof CommandCollector.Type

/** A capture of what an endpoint answers to GET. */
export const EndpointCollector = Schema.Struct({
  ...common,
  kind: Schema.Literal("endpoint"),
  url: HttpUrl,
  when: When,
})
export type EndpointCollector = typeof EndpointCollector.Type

/**
 * Files below a folder, project-relative or absolute, that match one of `globs` (default: all) and none of `without`.
 * Taken after the stop. `redact`: text whose lines go through the redaction rules; `lines`: a file that grows by lines, of
 * which all whole lines up to a moment are taken. `rate` bounds how fast it is read, in bytes a second.
 */
export const FilesCollector = Schema.Struct({
  ...common,
  kind: Schema.Literal("files"),
  root: Text,
  globs: Schema.optionalKey(Schema.Array(Text)),
  without: Schema.optionalKey(Schema.Array(Text)),
  to: BundleName,
  redact: Schema.optionalKey(Schema.Boolean),
  lines: Schema.optionalKey(Schema.Boolean),
  rate: Schema.optionalKey(Size),
})
export type FilesCollector = typeof FilesCollector.Type

export const Collector = Schema.Union([MachineCollector, CommandCollector, EndpointCollector, FilesCollector])
export type Collector = typeof Collector.Type

/**
 * Which processes are meant. Each word of `argv` is an argument as it stands, in which `*` stands for any characters;
 * the word `**` stands for any number of arguments. What else is given must hold as well: the working folder (relative to
 * the project's), the user's name or number, a TCP port that the process or one of its group listens on.
 */
export const ProcessMatch = Schema.Struct({
  argv: Schema.Array(Text).check(
    Schema.isMinLength(1),
    Schema.makeFilter(
      (words: ReadonlyArray<string>) => words.some((word) => /[^*/.]/.test(word)) || "must say more than '*'",
    ),
  ),
  cwd: Schema.optionalKey(Text),
  user: Schema.optionalKey(Text),
  port: Schema.optionalKey(Schema.Int.check(Schema.isBetween({ minimum: 1, maximum: 65_535 }))),
})
export type ProcessMatch = typeof ProcessMatch.Type

/** Something to stop: the processes that match, each with its group; or containers with a label (`key=value` or `key`). */
export const StopTarget = Schema.Union([
  Schema.Struct({ name: Name, match: ProcessMatch, grace: Schema.optionalKey(Duration) }),
  Schema.Struct({ name: Name, container_label: Text, grace: Schema.optionalKey(Duration) }),
])
export type StopTarget = typeof StopTarget.Type

/**
 * Something to bring up: `start` is run and left running; then `ready.url` must answer 200 within `within` (default 60s),
 * with the champion's version and digest of `slot` in its JSON where a slot is named; then the smoke prediction must
 * answer `status` (default 200).
 */
export const RecoverTarget = Schema.Struct({
  name: Name,
  start: Schema.Struct({
    argv: Schema.Array(Text).check(Schema.isMinLength(1)),
    cwd: Schema.optionalKey(Text),
    env: Schema.optionalKey(Schema.Record(Schema.String, Schema.String)),
  }),
  ready: Schema.Struct({ url: HttpUrl, within: Schema.optionalKey(Duration), slot: Schema.optionalKey(Text) }),
  smoke: Schema.optionalKey(
    Schema.Struct({
      url: HttpUrl,
      body: Schema.optionalKey(Schema.Json),
      status: Schema.optionalKey(Schema.Int),
    }),
  ),
})
export type RecoverTarget = typeof RecoverTarget.Type

/**
 * A rung of the destination ladder: a folder, `s3://bucket/prefix`, or a reference to one. `away: false` marks a place on
 * this machine: what is only there has not left it. `lock` is asked for each object of the evidence; `required` refuses a
 * bucket that cannot. `s3` is the server of another account, `profile` its credentials; `bandwidth` is bytes a second.
 */
export const Rung = Schema.Struct({
  name: Name,
  location: Schema.Union([SecretReference, Text]),
  away: Schema.optionalKey(Schema.Boolean),
  bandwidth: Schema.optionalKey(Size),
  lock: Schema.optionalKey(
    Schema.Struct({
      mode: Schema.Literals(["GOVERNANCE", "COMPLIANCE"]),
      days: Count,
      required: Schema.optionalKey(Schema.Boolean),
    }),
  ),
  s3: Schema.optionalKey(S3Section),
  profile: Schema.optionalKey(Text),
})
export type Rung = typeof Rung.Type

/** A redaction rule beside those that are built in: what the expression matches is replaced; its first group, if it has one. */
export const RedactionRule = Schema.Struct({
  name: Name,
  pattern: Schema.String.check(
    Schema.makeFilter((text: string) => {
      try {
        return new RegExp(text, "g").test("") ? "must not match an empty text" : true
      } catch {
        return "must be a regular expression"
      }
    }),
  ),
})
export type RedactionRule = typeof RedactionRule.Type

/**
 * The evacuation: what is stopped and in which order, what is taken, where it goes, what is brought up. `grace` stands
 * between SIGINT, SIGTERM and SIGKILL. `destinations` come after `storage.offsite.bucket`; the last rung is always the
 * folder `sealed`, on this machine. `layout: mirror` keeps copies of what was verified under `latest/models/`,
 * `latest/artifacts/` and `latest/logs/` too, where they were before there were snapshots. `max_shrink`: how much smaller than the last a snapshot may be for `latest` to move.
 * `promises` are what a drill must keep.
 */
export const EvacuationSection = Schema.Struct({
  grace: Duration,
  parallel: Count.check(Schema.isLessThanOrEqualTo(64)),
  max_shrink: Fraction,
  layout: Schema.Literals(["objects", "mirror"]),
  sealed: Text,
  destinations: NamedList("name", Rung),
  collectors: NamedList("name", Collector),
  stop: NamedList("name", StopTarget),
  recover: NamedList("name", RecoverTarget),
  redact: NamedList("name", RedactionRule),
  promises: Schema.Struct({ first_byte: Duration, complete: Duration, coverage: Fraction }),
})
export type EvacuationSection = typeof EvacuationSection.Type
