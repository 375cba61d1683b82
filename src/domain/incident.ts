import * as Schema from "effect/Schema"
import { EnvironmentName } from "./names.ts"

/** Id of an incident: one plain name. */
export const IncidentId = Schema.String.check(
  Schema.isPattern(/^[A-Za-z0-9_][A-Za-z0-9_.-]{0,63}$/u, {
    message: "must be a plain name of at most 64 characters: letters, digits, '.', '-', '_'",
  }),
).annotate({ identifier: "IncidentId" })
export type IncidentId = typeof IncidentId.Type

/** `YYYYMMDDTHHMMSSZ`, the UTC second of a time in milliseconds since the epoch. */
export const stampOf = (millis: number): string =>
  `${new Date(millis).toISOString().slice(0, 19).replace(/[-:]/g, "")}Z`

/** The id of an incident that nobody named: `IR-<YYYYMMDDTHHMMSSZ>` of its opening. */
export const idOf = (millis: number): IncidentId => `IR-${stampOf(millis)}`

/**
 * `incident.json`: one evacuation, as it was opened. `opened` is milliseconds since the epoch; `snapshot` names what is
 * taken for recovery (`snapshots/<snapshot>/`), the second of the opening. A drill raises no cordon, stops nothing and
 * recovers nothing.
 */
export const Incident = Schema.Struct({
  format: Schema.Literal("dandori-incident/1"),
  id: IncidentId,
  opened: Schema.Int,
  owner: Schema.String,
  host: Schema.String,
  project: Schema.String,
  env: EnvironmentName,
  reason: Schema.String,
  drill: Schema.Boolean,
  snapshot: Schema.String,
}).annotate({ identifier: "Incident" })
export type Incident = typeof Incident.Type

/**
 * `call.json`: what the newest call of `evacuate` for an incident asked for. `began` and `deadline` are milliseconds
 * since the epoch; `destination` is the first rung of the ladder, before those of the configuration; `run` does the work. With
 * `mayShrink` the pointer `latest` moves to a snapshot however much smaller it is than the last.
 */
export const IncidentCall = Schema.Struct({
  began: Schema.Int,
  deadline: Schema.optionalKey(Schema.Int),
  destination: Schema.optionalKey(Schema.String),
  run: Schema.optionalKey(Schema.String),
  mayShrink: Schema.optionalKey(Schema.Boolean),
}).annotate({ identifier: "IncidentCall" })
export type IncidentCall = typeof IncidentCall.Type
