import * as Effect from "effect/Effect"
import { taskType } from "../../../src/authoring/task-type.ts"
import { openReading } from "./reader.ts"
import { run } from "./run.ts"
import { Input, Output } from "./schema.ts"

/**
 * Sends the captures and files of an incident to the first rung of the destination ladder that takes them, the most
 * valuable first, until the deadline. Doing it again goes on where it stopped: nothing that was confirmed is sent twice.
 */
export default taskType({
  type: "evacuate/push",
  version: 1,
  description: "Sends what was collected away from this machine, the most valuable first",
  input: Input,
  output: Output,
  errors: {
    FileFailed: "the incident's lists could not be read",
    IncidentMissing: "there is no such incident on this machine",
    LadderExhausted: "no destination takes anything",
  },
  effects: "idempotent",
  config: ["evacuation", "storage"],
  dryRun: ({ incident }) => Effect.succeed(`would push what was collected for ${incident} to the destination ladder`),
  run: (input) => Effect.flatMap(openReading, (open) => run(input, open)),
})
