import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import { taskType } from "../../../src/authoring/task-type.ts"
import { IncidentId } from "../../../src/domain/incident.ts"
import { RecoverySummary } from "../../../src/domain/recovered.ts"
import { Incidents } from "../../../src/services/evacuation/incident/incidents.ts"
import * as Recovery from "../../../src/services/evacuation/recover/recovery.ts"

/** The evacuation that it is a part of. */
export const Input = Schema.Struct({ incident: IncidentId }).annotate({ identifier: "EvacuateRecoverInput" })

/**
 * Brings up the minimum that the section `evacuation` names. Each program is left running, in a session of its own, and is
 * written down in `recovered.json` before it begins.
 */
export default taskType({
  type: "evacuate/recover",
  version: 1,
  description: "Starts what the section names, waits until it serves the champion, and makes a smoke prediction",
  input: Input,
  output: RecoverySummary,
  errors: {
    FileFailed: "what was started could not be written down",
    IncidentMissing: "there is no such incident here",
  },
  effects: "irreversible",
  config: ["evacuation"],
  dryRun: () => Recovery.describe,
  probe: ({ incident }) =>
    Effect.gen(function* () {
      return yield* Recovery.probe(yield* (yield* Incidents).find(incident))
    }),
  run: ({ incident }) =>
    Effect.gen(function* () {
      return yield* Recovery.recoverAll(yield* (yield* Incidents).find(incident))
    }),
})
