/** 100,000 tasks that do nothing and need nothing, in memory and durable batched: time and memory of the process. */
import * as Effect from "effect/Effect"
import * as Run from "../src/engine/run.ts"
import { runStatus } from "../src/engine/run-state.ts"
import type { Bench, Figure } from "./figure.ts"
import * as Figures from "./figure.ts"
import * as MemoryRun from "./memory-run.ts"
import * as Project from "./project.ts"

/** Highest resident memory of this process so far, MiB. */
const peak = (): number => process.resourceUsage().maxRSS / (process.platform === "darwin" ? 2 ** 20 : 1024)

/** Both runs, after a small one to warm up. */
export const bench: Bench = (scale) =>
  Project.withProject(async (project) => {
    const tasks = scale === "full" ? 100_000 : 50
    const rounds = scale === "full" ? 3 : 1
    const run = async (where: "memory" | "batched", count: number) => {
      const plan = Project.plan(count, "wide", "pure")
      const request = project.request(plan, "batched")
      const work =
        where === "memory" ? MemoryRun.execute(plan, request) : Effect.map(Run.start(request), ({ state }) => state)
      const state = await project.run(work)
      if (runStatus(state) !== "succeeded") throw new Error(`The run is ${runStatus(state)}`)
    }
    await run("memory", Math.ceil(tasks / 50))
    await run("batched", Math.ceil(tasks / 50))
    const figures: Array<Figure> = []
    for (const [where, limit] of [
      ["memory", 5_000],
      ["batched", 10_000],
    ] as const) {
      const taken = await Figures.times(rounds, () => run(where, tasks))
      const name = `${tasks.toLocaleString("en-US")} tasks, ${where}`
      figures.push(
        Figures.fromTimes(name, taken, { target: { atMost: limit } }),
        Figures.fromValues(
          `${name}: processor time of a task`,
          "µs",
          taken.cpu.map((cpu) => (cpu / tasks) * 1000),
        ),
        Figures.fromValues(`${name}: peak memory so far`, "MiB", [peak()]),
      )
    }
    return {
      figures,
      notes: [`the durable run writes, and flushes every second; the plan as an artifact is part of its time`],
    }
  })
