/** Runs a large plan in a process of its own, whose memory is that run's: `bun large-run-child.ts SHAPE WHERE TASKS ROUNDS`. */
import * as Effect from "effect/Effect"
import * as Run from "../src/engine/run.ts"
import { runStatus } from "../src/engine/run-state.ts"
import * as Figures from "./figure.ts"
import * as MemoryRun from "./memory-run.ts"
import * as Project from "./project.ts"
import type { Shape } from "./shape.ts"

const [shape, where, tasks, rounds] = process.argv.slice(2)

const times = await Project.withProject(async (project) => {
  const run = async (count: number) => {
    const plan = Project.plan(count, shape as Shape, "pure")
    const request = project.request(plan, "batched")
    const work =
      where === "memory" ? MemoryRun.execute(plan, request) : Effect.map(Run.start(request), ({ state }) => state)
    const state = await project.run(work)
    if (runStatus(state) !== "succeeded") throw new Error(`The run is ${runStatus(state)}`)
  }
  await run(Math.ceil(Number(tasks) / 50))
  return Figures.times(Number(rounds), () => run(Number(tasks)))
})
process.stdout.write(JSON.stringify(times))
process.exit(0)
