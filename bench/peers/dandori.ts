import { writeFileSync } from "node:fs"
import { join } from "node:path"
import * as Effect from "effect/Effect"
import { compileFile } from "../../src/compiler/compile-file.ts"
import { Catalog } from "../../src/domain/catalog.ts"
import type { Plan } from "../../src/domain/plan.ts"
import { runStatus } from "../../src/engine/run-state.ts"
import * as Run from "../../src/engine/run.ts"
import * as Project from "../project.ts"
import type { Start } from "./engine.ts"

const fanText = (steps: number, width: number): string => `version: 1
id: bench-fan
tasks:
  fan:
    uses: idempotent-noop
    matrix: { values: { n: [${Array.from({ length: steps }, (_, n) => n).join(", ")}] }, max-parallel: ${width} }
`

/** Idempotent tasks, so that the intent of each is flushed before it starts; each run is a new one. */
export const start: Start = async (folder) => {
  const project = await Project.open(folder)
  const run = async (plan: Plan) => {
    const { state } = await project.run(Run.start(project.request(plan, "fsync")))
    if (runStatus(state) !== "succeeded") throw new Error(`The run is ${runStatus(state)}`)
  }
  const fans = new Map<string, Plan>()
  const fan = async (steps: number, width: number) => {
    const file = join(folder, `fan-${steps}-${width}.yaml`)
    writeFileSync(file, fanText(steps, width))
    const { plan } = await project.run(
      Effect.flatMap(Catalog, (catalog) => compileFile(file).pipe(Effect.provideService(Catalog, catalog))),
    )
    fans.set(file, plan)
    return plan
  }
  return {
    record: "files; each intent and each end is flushed before it counts",
    inARow: (steps) => run(Project.plan(steps, "chain", "idempotent")),
    fanOut: async (steps, width) =>
      run(fans.get(join(folder, `fan-${steps}-${width}.yaml`)) ?? (await fan(steps, width))),
    close: () => project.dispose(),
  }
}
