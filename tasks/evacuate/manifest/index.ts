import * as Effect from "effect/Effect"
import { taskType } from "../../../src/authoring/task-type.ts"
import { Incidents } from "../../../src/services/evacuation/incident/incidents.ts"
import { run } from "./run.ts"
import { Input, Output } from "./schema.ts"

/**
 * Lists, signs and puts beside their objects what the bundles of an incident hold: manifest, SHA256SUMS, signatures, key
 * and README. The own files of a bundle that is not complete lie in a folder of the call, so that a later one can
 * complete it. Doing it again for the same objects makes the same bytes.
 */
export default taskType({
  type: "evacuate/manifest",
  version: 1,
  description: "Lists and signs what the bundles of an incident hold",
  input: Input,
  output: Output,
  errors: {
    FileFailed: "one of the incident's lists cannot be read",
    IncidentMissing: "there is no such incident",
  },
  effects: "idempotent",
  config: ["evacuation"],
  dryRun: ({ incident }) =>
    Effect.gen(function* () {
      const { path } = yield* (yield* Incidents).find(incident)
      return `would list and sign the bundles of ${incident} in ${path} and put their manifests beside their objects`
    }),
  run: (input) => run(input),
})
