/** Compiling: 5,000 tasks of YAML, 100,000 tasks of TypeScript, and what a run makes of a plan of 100,000. */
import { writeFileSync } from "node:fs"
import { join } from "node:path"
import * as Effect from "effect/Effect"
import { compileFile } from "../src/compiler/compile-file.ts"
import * as Plan from "../src/domain/plan.ts"
import { compilePlan } from "../src/engine/compiled-plan.ts"
import * as Prepared from "../src/engine/prepared.ts"
import * as CompileChild from "../src/services/compile-child.ts"
import * as Catalog from "../tasks/catalog.ts"
import { pipelineText } from "./cli-start.ts"
import type { Bench } from "./figure.ts"
import * as Figures from "./figure.ts"
import * as Place from "./place.ts"
import * as Project from "./project.ts"
import * as Script from "./script.ts"

const cli = [process.execPath, join(Place.repository, "src/cli/main.ts")]

const compileIn = (folder: string) => (file: string) =>
  Effect.runPromise(
    compileFile(file).pipe(
      Effect.provide(Catalog.layer(folder)),
      Effect.provideService(CompileChild.CompileProgram, [...cli, "__compile"]),
    ),
  )

/** Whole files, from the path to the plan; then the steps between a plan and the first task. */
export const bench: Bench = (scale) =>
  Place.withFolder(async (folder) => {
    const full = scale === "full"
    const [literal, generated, rounds] = full ? [5_000, 100_000, 5] : [20, 50, 1]
    const yaml = join(folder, "bench.yaml")
    const script = join(folder, "bench.ts")
    writeFileSync(yaml, pipelineText(literal))
    writeFileSync(script, Script.text(generated, "wide"))
    const compile = compileIn(folder)
    const ofYaml = await Figures.times(rounds, () => compile(yaml))
    const ofScript = await Figures.times(Math.min(rounds, 3), async () => {
      const { plan } = await compile(script)
      if (plan.tasks.length !== generated) throw new Error(`The plan has ${plan.tasks.length} tasks`)
    })
    const plan = Project.plan(generated, "chain", "pure")
    const indexed = await Figures.times(rounds, () => compilePlan(plan))
    const digested = await Figures.times(rounds, () => Plan.digest(plan))
    const prepared = await Project.withProject((project) =>
      Figures.times(rounds, () => project.run(Prepared.prepare(plan))),
    )
    const many = (count: number) => count.toLocaleString("en-US")
    return {
      figures: [
        Figures.fromTimes(`${many(literal)} tasks of YAML, text to plan`, ofYaml, { target: { atMost: 500 } }),
        Figures.fromTimes(`${many(generated)} tasks of TypeScript, file to plan`, ofScript, {
          target: { atMost: 2_000 },
        }),
        Figures.fromTimes(`plan of ${many(generated)}: index it`, indexed),
        Figures.fromTimes(`plan of ${many(generated)}: digest it`, digested),
        Figures.fromTimes(`plan of ${many(generated)}: prepare a run`, prepared),
      ],
      notes: [
        "in one process that warms up as it goes; processor time leaves out the child process that evaluates the file",
      ],
    }
  })
