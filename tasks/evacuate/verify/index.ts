import * as Effect from "effect/Effect"
import { taskType } from "../../../src/authoring/task-type.ts"
import { run } from "./run.ts"
import { Input, Output } from "./schema.ts"

/**
 * Has the destination confirm by digest every object that was pushed and the bundles' own files, counts what was seen and
 * what is there, and moves the pointer `latest.json` to the snapshot where everything is there. Drills do not move it.
 */
export default taskType({
  type: "evacuate/verify",
  version: 1,
  description: "Has the destination confirm by digest what was pushed, and moves latest where everything is there",
  input: Input,
  output: Output,
  errors: {
    FileFailed: "the incident's lists could not be read",
    IncidentMissing: "there is no such incident on this machine",
  },
  effects: "idempotent",
  config: ["evacuation", "storage"],
  dryRun: ({ incident }) => Effect.succeed(`would verify what was pushed for ${incident}, and move latest`),
  run,
})
