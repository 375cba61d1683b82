/** The same three graphs on Dandori and on engines from npm, each in a process of its own, one after the other. */
import { chmodSync, mkdirSync } from "node:fs"
import { join } from "node:path"
import type { Bench, Figure } from "./figure.ts"
import * as Figures from "./figure.ts"
import { type Found, type Graph, graphs } from "./peers/child.ts"
import * as Place from "./place.ts"

const names = ["dandori", "effect-workflow", "dbos", "pg-boss", "bullmq"] as const
const titles = {
  dandori: "Dandori",
  "effect-workflow": "effect/workflow",
  dbos: "DBOS",
  "pg-boss": "pg-boss",
  bullmq: "BullMQ",
}

const measure = (name: string, scale: string, folder: string): Found => {
  mkdirSync(folder)
  const child = Bun.spawnSync([process.execPath, join(import.meta.dir, "peers/child.ts"), name, scale, folder], {
    stdout: "pipe",
    stderr: "inherit",
    env: { ...process.env, NODE_NO_WARNINGS: "1" },
  })
  if (child.exitCode !== 0) throw new Error(`${name} ended with ${child.exitCode}`)
  return JSON.parse(child.stdout.toString().trimEnd().split("\n").at(-1) ?? "")
}

/** Times of each engine, and how many times as long as Dandori it takes: at their best, since the load changes between them. */
export const bench: Bench = (scale) =>
  Place.withFolder(async (folder) => {
    // PostgreSQL's own user passes through to its folder.
    chmodSync(folder, 0o711)
    const found = names.map((name) => ({ title: titles[name], ...measure(name, scale, join(folder, name)) }))
    const measured = found.filter((each) => "graphs" in each)
    const figures = (Object.keys(graphs) as Array<Graph>).flatMap((graph): ReadonlyArray<Figure> => {
      const [ours] = measured.map((each) => Math.min(...each.graphs[graph]))
      return measured.map(({ graphs: times, title }, i) => {
        const against = { what: "Dandori, best to best", ratio: Math.min(...times[graph]) / ours }
        return Figures.fromValues(`${graph}: ${title}`, "ms", times[graph], i === 0 ? {} : { against })
      })
    })
    const notes = found.map((each) =>
      "graphs" in each ? `${each.title}: ${each.record}` : `${each.title} left out: ${each.leftOut}`,
    )
    return { figures, notes: [...notes, "steps do nothing; engines are warm, and started before the clock is"] }
  })
