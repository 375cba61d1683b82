/** Captures the registry of a project and prints it. Arguments: the project's folder, that of the incidents. */
import { join } from "node:path"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Capture from "../../../../src/services/evacuation/captures/capturing.ts"
import * as Incidents from "../../../../src/services/evacuation/incident/incidents.ts"
import { machine, services } from "./capture-place.ts"
import * as Place from "../destination/place.ts"

const [project, root] = process.argv.slice(2)
const where = Incidents.layer({ root, projectHome: join(project, ".dandori") })

await Effect.runPromise(
  Effect.gen(function* () {
    const folder = yield* Place.incident()
    const { outcomes } = yield* Capture.take(folder, "volatile", "1.2.3")
    const [{ path, reason }] = outcomes
    if (path === undefined) throw new Error(reason)
    yield* Effect.promise(async () => Bun.write(Bun.stdout, Bun.file(join(folder.path, path))))
  }).pipe(Effect.provide(Layer.merge(services(project, { collectors: [machine("registry")] }), where))),
)
