import * as Effect from "effect/Effect"
import { ok, bad } from "../services/config-finding.ts"
import * as SelfTest from "../services/evacuation/self-test.ts"
import * as Secrets from "../services/secrets.ts"
import * as EvacuatePlace from "./evacuate-place.ts"
import * as Findings from "./findings.ts"

/** Says within a second what an evacuation of this machine will and will not be able to take, and where to. */
export const selfTest = Effect.fn("evacuate --self-test")(function* (destination: string | undefined) {
  const { configuration, degraded, home, project, projectHome } = yield* EvacuatePlace.find(undefined, false)
  const { evacuation, storage } = configuration.sections
  const found = yield* SelfTest.look({ project, projectHome, evacuation, storage, destination }).pipe(
    Effect.provide(Secrets.layer({ project })),
  )
  const place = [
    ok("machine", `its records go to ${home}`),
    ...degraded.map((text) => bad("machine", "warning", text, "")),
  ]
  yield* Findings.report("self-test", { env: configuration.env }, [...place, ...found])
})
