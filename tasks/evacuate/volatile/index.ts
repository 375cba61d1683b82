import * as Effect from "effect/Effect"
import { version } from "../../../package.json"
import { taskType } from "../../../src/authoring/task-type.ts"
import * as Capture from "../../../src/services/evacuation/captures/capturing.ts"
import { Incidents } from "../../../src/services/evacuation/incident/incidents.ts"
import { Settings } from "../../../src/services/settings.ts"
import { count, Input, Output } from "../collected-counts.ts"

/**
 * Takes the evidence that is gone once something is stopped: processes, sockets, open files, what the kernel says. Each
 * collector ends `ok`, `skipped` or `failed` with its reason; doing it again takes only what is missing.
 */
export default taskType({
  type: "evacuate/volatile",
  version: 1,
  description: "Takes the evidence of an incident that a stop would destroy",
  input: Input,
  output: Output,
  errors: { IncidentMissing: "there is no such incident on this machine" },
  effects: "idempotent",
  config: ["evacuation"],
  dryRun: () =>
    Effect.map(Settings, ({ sections }) => {
      const names = sections.evacuation.collectors.flatMap((each) =>
        each.kind !== "files" && each.when === "volatile" ? [each.name] : [],
      )
      return `would take ${names.join(", ") || "nothing"}`
    }),
  run: ({ incident }) =>
    Effect.gen(function* () {
      const folder = yield* (yield* Incidents).find(incident)
      const { outcomes, problems } = yield* Capture.take(folder, "volatile", version)
      return count(outcomes, problems)
    }),
})
