import * as Schema from "effect/Schema"
import { Duration, Size, parseDuration, parseSize } from "../quantity.ts"
import { PipelineId } from "../names.ts"
import { Count, Natural } from "./measure.ts"
import { SecretReference } from "./secret-reference.ts"

const between = (least: string, most: string) =>
  Duration.check(
    Schema.makeFilter((text) => {
      const millis = parseDuration(text) ?? 0
      const isIn = millis >= (parseDuration(least) ?? 0) && millis <= (parseDuration(most) ?? 0)
      return isIn || `must be from ${least} to ${most}`
    }),
  )

/**
 * The scheduler daemon. It listens on `host` and `port`; `allowed_hosts` are the names, beside its own address, that a
 * request may be addressed to. `max_runs` go on at once, and `queue` wait to be created, for room or for those before
 * them; runs that wait for people count as neither. Where so many wait a request is turned away, and where so many of its
 * own schedule wait a tick is skipped; with the overlap `allow`, where `max_runs` of it and so many more have not ended.
 * After SIGTERM running attempts have `shutdown_grace` to end, then at most 15 s after they are interrupted. The dead-man
 * signal touches `file`, gets what `url` refers to (such URLs have their key in the path), or both, at least as often as
 * `every`. The limits of the API: bytes of a body, time of a request, requests of one address in a minute, event streams
 * at once. `hooks` are the pipelines that a webhook may start, each with the secret that its requests are signed with.
 */
export const DaemonSection = Schema.Struct({
  host: Schema.NonEmptyString,
  port: Schema.Int.check(Schema.isBetween({ minimum: 0, maximum: 65_535 })),
  allowed_hosts: Schema.Array(Schema.NonEmptyString),
  max_runs: Count,
  queue: Natural,
  shutdown_grace: between("0s", "1h"),
  dead_man: Schema.Struct({
    every: between("1s", "1h"),
    file: Schema.optionalKey(Schema.NonEmptyString),
    url: Schema.optionalKey(SecretReference),
  }),
  hooks: Schema.optionalKey(Schema.Record(PipelineId, SecretReference)),
  limits: Schema.Struct({
    body: Size,
    request_timeout: between("1s", "10m"),
    requests_per_minute: Count,
    streams: Count,
  }),
})
export type DaemonSection = typeof DaemonSection.Type

/** What a configuration without the section says. */
export const usual: DaemonSection = {
  host: "127.0.0.1",
  port: 8470,
  allowed_hosts: [],
  max_runs: 32,
  queue: 1_000,
  shutdown_grace: "30s",
  dead_man: { every: "10s" },
  limits: { body: "1MiB", request_timeout: "30s", requests_per_minute: 600, streams: 4_000 },
}

/** Milliseconds of a duration of the section. */
export const millisOf = (duration: string): number => parseDuration(duration) ?? 0

/** Bytes of a size of the section. */
export const bytesOf = (size: string): number => parseSize(size) ?? 0
