/** Matrices of 10,000 instances, whose values the file gives or an earlier task: compiled, planned and run. */
import { writeFileSync } from "node:fs"
import { join } from "node:path"
import * as Effect from "effect/Effect"
import { compileFile } from "../src/compiler/compile-file.ts"
import * as PlanDiff from "../src/compiler/plan-diff.ts"
import * as PlanSide from "../src/compiler/plan-side.ts"
import { Catalog } from "../src/domain/catalog.ts"
import type { Plan } from "../src/domain/plan.ts"
import { runStatus } from "../src/engine/run-state.ts"
import type { Bench, Figure } from "./figure.ts"
import * as Figures from "./figure.ts"
import * as MemoryRun from "./memory-run.ts"
import * as Place from "./place.ts"
import * as Project from "./project.ts"

const task = (name: string, values: string, needs: string): string => `  ${name}:
    uses: pure-noop
    matrix: { values: { n: ${values} } }
    with: { n: "\${{ matrix.n }}" }
    needs: [${needs}]
`

const head = "version: 1\nid: bench-matrix\ntasks:\n"

/** Matrices one after the other, whose values are in the file. */
const written = (matrices: number, instances: number): string => {
  const values = JSON.stringify(Array.from({ length: instances }, (_, n) => n))
  return head + Array.from({ length: matrices }, (_, i) => task(`m${i}`, values, i === 0 ? "" : `m${i - 1}`)).join("")
}

/** A matrix over what a task before it gives. */
const given = (instances: number): string =>
  `${head}  list:\n    uses: numbers\n    with: { count: ${instances} }\n${task("m", '"${{ tasks.list.numbers }}"', "")}`

/** From the text of a file to the end of its run. */
export const bench: Bench = (scale) =>
  Place.withFolder((folder) =>
    Project.withProject(async (project) => {
      const full = scale === "full"
      const instances = full ? 10_000 : 10
      const rounds = full ? 3 : 1
      const file = join(folder, "bench.yaml")
      const compile = () =>
        project.run(
          Effect.flatMap(Catalog, (catalog) => compileFile(file).pipe(Effect.provideService(Catalog, catalog))),
        )
      const compare = (plan: Plan) =>
        project.run(Effect.map(PlanSide.make(plan, {}), (side) => PlanDiff.compare(undefined, side)))
      const run = async (plan: Plan) => {
        const state = await project.run(MemoryRun.execute(plan, project.request(plan, "batched")))
        if (runStatus(state) !== "succeeded") throw new Error(`The run is ${runStatus(state)}`)
      }
      const figures: Array<Figure> = []
      for (const [name, text, large] of [
        ["a matrix", written(1, instances), false],
        ["a matrix over an output", given(instances), false],
        ["ten matrices", written(10, instances), true],
      ] as const) {
        writeFileSync(file, text)
        const compiled = await Figures.times(rounds, compile)
        const { plan } = await compile()
        const planned = await Figures.times(rounds, () => compare(plan))
        const ran = await Figures.times(rounds, () => run(plan))
        const target = (atMost: number) => (large ? { target: { atMost } } : {})
        figures.push(
          Figures.fromTimes(`${name}: compile`, compiled, target(2_000)),
          Figures.fromTimes(`${name}: plan`, planned, target(2_000)),
          Figures.fromTimes(`${name}: run in memory`, ran, target(5_000)),
        )
      }
      return {
        figures,
        notes: [`${instances.toLocaleString("en-US")} instances each; ten matrices follow one another`],
      }
    }),
  )
