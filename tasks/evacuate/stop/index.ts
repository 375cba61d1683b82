import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import { taskType } from "../../../src/authoring/task-type.ts"
import { IncidentId } from "../../../src/domain/incident.ts"
import { StopSummary } from "../../../src/domain/stopped.ts"
import { Incidents } from "../../../src/services/evacuation/incident/incidents.ts"
import * as Stopping from "../../../src/services/evacuation/stop/stopping.ts"

/** The evacuation that it is a part of. */
export const Input = Schema.Struct({ incident: IncidentId }).annotate({ identifier: "EvacuateStopInput" })

/**
 * Stops Dandori's own runs and what the section `evacuation` names, each with its whole process group, and confirms every
 * exit. What will get a signal is in `stopped.json` before it gets it.
 */
export default taskType({
  type: "evacuate/stop",
  version: 1,
  description: "Stops the project's runs, API and training: SIGINT, SIGTERM, SIGKILL, every exit confirmed",
  input: Input,
  output: StopSummary,
  errors: {
    FileFailed: "what was stopped could not be written down",
    IncidentMissing: "there is no such incident here",
  },
  effects: "irreversible",
  config: ["evacuation"],
  dryRun: ({ incident }) =>
    Effect.gen(function* () {
      return yield* Stopping.describe(yield* Effect.option((yield* Incidents).find(incident)))
    }),
  probe: ({ incident }) =>
    Effect.gen(function* () {
      return yield* Stopping.probe(yield* (yield* Incidents).find(incident))
    }),
  run: ({ incident }) =>
    Effect.gen(function* () {
      return yield* Stopping.stopAll(yield* (yield* Incidents).find(incident))
    }),
})
