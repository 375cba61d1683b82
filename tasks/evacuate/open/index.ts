import { hostname } from "node:os"
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import { taskType } from "../../../src/authoring/task-type.ts"
import { idOf, IncidentId, stampOf, type Incident, type IncidentCall } from "../../../src/domain/incident.ts"
import { Duration, parseDuration } from "../../../src/domain/quantity.ts"
import { Attempt } from "../../../src/services/attempt.ts"
import * as BundleKey from "../../../src/services/evacuation/bundle/bundle-key.ts"
import { Incidents } from "../../../src/services/evacuation/incident/incidents.ts"
import { Workspace } from "../../../src/services/workspace.ts"

const absent = "; empty or absent:"

/** What the incident is, and what this call of it asks for. */
export const Input = Schema.Struct({
  incident: Schema.optionalKey(
    Schema.Union([IncidentId, Schema.Literal("")]).annotate({
      description: `the incident to go on with, or the id of a new one${absent} IR-<UTC time of the run>`,
    }),
  ),
  reason: Schema.String.check(Schema.isPattern(/\S/, { message: "must say why" })),
  destination: Schema.optionalKey(
    Schema.String.annotate({
      description: `a folder or s3://bucket/prefix, tried before the configured ones${absent} those alone`,
    }),
  ),
  deadline: Schema.optionalKey(
    Schema.Union([Duration, Schema.Literal("")]).annotate({
      description: `how long the evacuation may take, from the run's creation${absent} as long as it takes`,
    }),
  ),
  drill: Schema.optionalKey(
    Schema.Boolean.annotate({ description: "take and send everything, but raise no cordon, stop and start nothing" }),
  ),
  mayShrink: Schema.optionalKey(
    Schema.Boolean.annotate({
      description: "let the pointer latest move to a snapshot that is much smaller than the last one",
    }),
  ),
}).annotate({ identifier: "EvacuateOpenInput" })

/** The incident that was opened. `folder` is where all of it lies on this machine. */
export const Output = Schema.Struct({
  incident: IncidentId,
  folder: Schema.String,
  snapshot: Schema.String,
  drill: Schema.Boolean,
}).annotate({ identifier: "OpenedIncident" })

/** Opens an incident, or one of an earlier call again: its id, its folder, what is asked for. */
export default taskType({
  type: "evacuate/open",
  version: 1,
  description: "Opens an incident, or goes on with one: its id, its folder, and what is asked for",
  input: Input,
  output: Output,
  errors: {
    FileFailed: "the incident's folder could not be written",
    IncidentMissing: "the incident's record cannot be read",
  },
  effects: "idempotent",
  run: Effect.fn("evacuate/open")(function* (input: typeof Input.Type) {
    const { env, run, runCreated, who } = yield* Attempt
    const { deadline = "", destination = "" } = input
    const id = input.incident === undefined || input.incident === "" ? idOf(runCreated) : input.incident
    const incident: Incident = {
      format: "dandori-incident/1",
      id,
      opened: runCreated,
      owner: who,
      host: hostname(),
      project: (yield* Workspace).project,
      env,
      reason: input.reason,
      drill: input.drill ?? false,
      snapshot: stampOf(runCreated),
    }
    const call: IncidentCall = {
      began: runCreated,
      run,
      ...(deadline === "" ? {} : { deadline: runCreated + (parseDuration(deadline) ?? 0) }),
      ...(destination === "" ? {} : { destination }),
      ...(input.mayShrink === true ? { mayShrink: true } : {}),
    }
    const opened = yield* (yield* Incidents).open(incident, call)
    yield* BundleKey.keep(opened)
    return {
      incident: id,
      folder: opened.path,
      snapshot: opened.incident.snapshot,
      drill: opened.incident.drill,
    }
  }),
})
