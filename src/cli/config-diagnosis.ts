import * as Effect from "effect/Effect"
import * as ConfigDoctor from "../services/config-doctor.ts"
import * as Findings from "./findings.ts"
import * as Readers from "./project-readers.ts"

/** Says what the configuration of the environment lacks on this machine. */
export const diagnoseConfiguration = Effect.gen(function* () {
  const { project, env } = yield* Readers.find
  const findings = yield* ConfigDoctor.diagnose(project, env)
  yield* Findings.report("config-doctor", { project, env }, findings)
})
