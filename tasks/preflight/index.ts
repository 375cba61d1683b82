import * as Effect from "effect/Effect"
import { taskType } from "../../src/authoring/task-type.ts"
import { formatSize, parseSize } from "../../src/domain/quantity.ts"
import { Settings } from "../../src/services/settings.ts"
import type * as Run from "./run.ts"
import { PreflightInput, PreflightOutput } from "./schema.ts"

type Effects = ReturnType<(typeof Run)["run"]>

/**
 * Says before anything is done whether it can be done: it connects to what the configuration uses, looks whether a model
 * version is free, and how much space there is. All that is missing or wrong is in one error, each with what to do.
 */
export default taskType<PreflightInput, PreflightOutput, Effect.Error<Effects>, Effect.Services<Effects>>({
  type: "preflight",
  version: 1,
  description: "Connects to what the environment uses, and looks at a model version and free space",
  input: PreflightInput,
  output: PreflightOutput,
  errors: { PreflightFailed: "something that has to be there is missing or wrong" },
  effects: "idempotent",
  config: ["database", "exporters", "ledger", "messaging", "notifications", "storage"],
  dryRun: (input) =>
    Effect.gen(function* () {
      const { connectionsOf } = yield* Effect.promise(() => import("./run.ts"))
      const { env } = yield* Settings
      const version = input.version === undefined ? "" : `, for the version ${input.version}`
      const space =
        input.freeBytes === undefined ? "" : `, for ${formatSize(parseSize(input.freeBytes) ?? 0)} of free space`
      return `would look in ${env} at ${connectionsOf(input).join(", ")}${version}${space}`
    }),
  run: (input) =>
    Effect.flatMap(
      Effect.promise(() => import("./run.ts")),
      (module) => module.run(input),
    ),
})
