// A stop for tests to kill: `bun stop-process.fixture.ts PROJECT JSON_OF_SECTION`.
import * as Effect from "effect/Effect"
import { Incidents } from "../../../../src/services/evacuation/incident/incidents.ts"
import * as Stopping from "../../../../src/services/evacuation/stop/stopping.ts"
import * as StopPlace from "./stop-place.ts"

const [root, section] = process.argv.slice(2)

await Effect.runPromise(
  Effect.flatMap(Incidents, (incidents) => incidents.find("IR-1")).pipe(
    Effect.flatMap(Stopping.stopAll),
    Effect.provide(StopPlace.services(root, { section: JSON.parse(section) })),
  ),
)
