import * as Effect from "effect/Effect"
import { migrations } from "../ledger/event-table.ts"
import * as ConfigDoctor from "../services/config-doctor.ts"
import * as Findings from "./findings.ts"
import * as Readers from "./project-readers.ts"

/** Says what the configuration of the environment lacks on this machine. */
export const diagnoseConfiguration = Effect.gen(function* () {
  const { project, env } = yield* Readers.find
  const ledger = { component: "ledger", schemas: ["core", "ledger"], version: migrations.length }
  const findings = yield* ConfigDoctor.diagnose(project, env, { ledger })
  yield* Findings.report("config-doctor", { project, env }, findings)
})
