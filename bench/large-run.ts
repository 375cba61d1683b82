/** 100,000 tasks that do nothing, in memory and durable batched: time, and memory of the process. */
import { heapStats } from "bun:jsc"
import * as Effect from "effect/Effect"
import * as Run from "../src/engine/run.ts"
import { runStatus } from "../src/engine/run-state.ts"
import type { Bench, Figure } from "./figure.ts"
import * as Figures from "./figure.ts"
import * as MemoryRun from "./memory-run.ts"
import * as Project from "./project.ts"

/** Highest resident memory of this process so far, MiB. */
const peak = (): number => process.resourceUsage().maxRSS / (process.platform === "darwin" ? 2 ** 20 : 1024)

/** Live heap after a collection, MiB. */
const heap = (): number => {
  Bun.gc(true)
  return heapStats().heapSize / 2 ** 20
}

/** Both runs of a shape, after a small one to warm up. */
export const benchOf =
  (shape: Project.Shape): Bench =>
  (scale) =>
    Project.withProject(async (project) => {
      const tasks = scale === "full" ? 100_000 : 50
      const rounds = scale === "full" ? 3 : 1
      let live = 0
      const run = async (where: "memory" | "batched", count: number) => {
        const before = heap()
        const plan = Project.plan(count, shape, "pure")
        const request = project.request(plan, "batched")
        const work =
          where === "memory" ? MemoryRun.execute(plan, request) : Effect.map(Run.start(request), ({ state }) => state)
        const start = performance.now()
        const state = await project.run(work)
        const taken = performance.now() - start
        if (runStatus(state) !== "succeeded") throw new Error(`The run is ${runStatus(state)}`)
        live = heap() - before
        return taken
      }
      await run("memory", Math.ceil(tasks / 50))
      await run("batched", Math.ceil(tasks / 50))
      const figures: Array<Figure> = []
      for (const [where, limit] of [
        ["memory", 5_000],
        ["batched", 10_000],
      ] as const) {
        const millis: Array<number> = []
        const taken = await Figures.times(rounds, async () => millis.push(await run(where, tasks)))
        const name = `${tasks.toLocaleString("en-US")} tasks, ${where}`
        figures.push(
          Figures.fromTimes(name, { millis, cpu: taken.cpu }, { target: { atMost: limit } }),
          Figures.fromValues(`${name}: plan and state, live`, "MiB", [live]),
          Figures.fromValues(`${name}: peak memory so far`, "MiB", [peak()]),
        )
      }
      return {
        figures,
        notes: [`the durable run writes, and flushes every second; the plan as an artifact is part of its time`],
      }
    })
