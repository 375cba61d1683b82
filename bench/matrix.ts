/** A matrix of 10,000 instances: its file compiled, then run; and ten of them, each after the one before. */
import { writeFileSync } from "node:fs"
import { join } from "node:path"
import * as Effect from "effect/Effect"
import { compileFile } from "../src/compiler/compile-file.ts"
import { runStatus } from "../src/engine/run-state.ts"
import { Catalog } from "../src/domain/catalog.ts"
import type { Bench, Figure } from "./figure.ts"
import * as Figures from "./figure.ts"
import * as MemoryRun from "./memory-run.ts"
import * as Place from "./place.ts"
import * as Project from "./project.ts"

const text = (matrices: number, instances: number): string =>
  [
    "version: 1",
    "id: bench-matrix",
    "tasks:",
    ...Array.from({ length: matrices }, (_, i) =>
      [
        `  m${i}:`,
        "    uses: pure-noop",
        `    matrix: { values: { n: [${Array.from({ length: instances }, (_, n) => n).join(", ")}] } }`,
        ...(i === 0 ? [] : [`    needs: [m${i - 1}]`]),
      ].join("\n"),
    ),
    "",
  ].join("\n")

/** From the text of a file to the end of its run. */
export const bench: Bench = (scale) =>
  Place.withFolder((folder) =>
    Project.withProject(async (project) => {
      const full = scale === "full"
      const instances = full ? 10_000 : 10
      const rounds = full ? 3 : 1
      const figures: Array<Figure> = []
      for (const matrices of [1, 10]) {
        const file = join(folder, `bench-${matrices}.yaml`)
        writeFileSync(file, text(matrices, instances))
        const compile = () =>
          project.run(
            Effect.flatMap(Catalog, (catalog) => compileFile(file).pipe(Effect.provideService(Catalog, catalog))),
          )
        const compiled = await Figures.times(rounds, compile)
        const { plan } = await compile()
        const ran = await Figures.times(rounds, async () => {
          const state = await project.run(MemoryRun.execute(plan, project.request(plan, "batched")))
          if (runStatus(state) !== "succeeded") throw new Error(`The run is ${runStatus(state)}`)
        })
        const name = `${matrices} × matrix of ${instances.toLocaleString("en-US")}`
        const large = matrices * instances === 100_000
        figures.push(
          Figures.fromTimes(`${name}: compile`, compiled, large ? { target: { atMost: 2_000 } } : {}),
          Figures.fromTimes(`${name}: run in memory`, ran, large ? { target: { atMost: 5_000 } } : {}),
        )
      }
      return { figures, notes: [] }
    }),
  )
