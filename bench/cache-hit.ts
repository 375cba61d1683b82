/** What a cached task costs: a chain of pure tasks that ran before, each a hit the second time. */
import * as Run from "../src/engine/run.ts"
import { runStatus } from "../src/engine/run-state.ts"
import type { Bench } from "./figure.ts"
import * as Figures from "./figure.ts"
import * as Project from "./project.ts"

/** The same plan with a cache and without, run by run; per task. */
export const bench: Bench = (scale) =>
  Project.withProject(async (project) => {
    const full = scale === "full"
    const tasks = full ? 200 : 5
    const rounds = full ? 10 : 1
    const plain = Project.plan(tasks, "chain", "pure")
    const cached = { ...plain, tasks: plain.tasks.map((task, n) => ({ ...task, cache: true, with: { n } })) }
    const run = async (plan: typeof plain) => {
      const start = performance.now()
      const { state } = await project.run(Run.start(project.request(plan, "fsync")))
      if (runStatus(state) !== "succeeded") throw new Error(`The run is ${runStatus(state)}`)
      return (performance.now() - start) / tasks
    }
    const repeat = async (plan: typeof plain) => {
      const found: Array<number> = []
      for (let i = 0; i < rounds; i++) found.push(await run(plan))
      return found
    }
    const first = await run(cached)
    const hit = await repeat(cached)
    const worked = await repeat(plain)
    return {
      figures: [
        Figures.fromValues("a task that fills the cache", "ms", [first]),
        Figures.fromValues("a task found in the cache", "ms", hit, {
          against: {
            what: "a pure task without a cache",
            ratio: Figures.percentile(hit, 0.5) / Figures.percentile(worked, 0.5),
          },
        }),
        Figures.fromValues("a pure task without a cache", "ms", worked),
      ],
      notes: [`${tasks} tasks in a chain, durable; a hit looks its entry up in the ledger of the run that made it`],
    }
  })
