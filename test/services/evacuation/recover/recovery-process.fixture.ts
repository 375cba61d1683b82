// A recovery for tests to kill: `bun recovery-process.fixture.ts PROJECT JSON_OF_SECTION`.
import * as Effect from "effect/Effect"
import { Incidents } from "../../../../src/services/evacuation/incident/incidents.ts"
import * as Recovery from "../../../../src/services/evacuation/recover/recovery.ts"
import * as StopPlace from "../stop/stop-place.ts"

const [root, section] = process.argv.slice(2)

await Effect.runPromise(
  Effect.flatMap(Incidents, (incidents) => incidents.find("IR-1")).pipe(
    Effect.flatMap(Recovery.recoverAll),
    Effect.provide(StopPlace.services(root, { section: JSON.parse(section), task: "recover" })),
  ),
)
