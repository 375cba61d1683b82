/** A graph of 100,000 tasks: its file compiled, planned and compared, then run in memory and durable. */
import { symlinkSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import type { Bench, Figure } from "./figure.ts"
import * as Figures from "./figure.ts"
import * as Place from "./place.ts"
import * as Script from "./script.ts"
import type { Shape } from "./shape.ts"

const cli = [process.execPath, join(Place.repository, "src/cli/main.ts")]
const child = [process.execPath, join(import.meta.dir, "large-run-child.ts")]
const none = {}

const both = (name: string, { peaks, ...taken }: Figures.Spawns, limits: { millis?: number; peak?: number }) => {
  const target = (atMost: number | undefined) => (atMost === undefined ? none : { target: { atMost } })
  return [
    Figures.fromTimes(name, taken, target(limits.millis)),
    Figures.fromValues(`${name}: peak memory`, "MiB", peaks, target(limits.peak)),
  ]
}

/** Everything that a shape of graph goes through. */
export const benchOf =
  (shape: Shape): Bench =>
  (scale) =>
    Place.withFolder(async (folder) => {
      const full = scale === "full"
      const tasks = full ? 100_000 : 200
      const rounds = full ? 3 : 1
      symlinkSync(join(Place.repository, "configs"), join(folder, "configs"))
      writeFileSync(join(folder, "bench.ts"), Script.text(tasks, shape))
      writeFileSync(join(folder, "odd.ts"), Script.text(tasks, shape, tasks / 2))
      const command = (code: number, ...words: ReadonlyArray<string>) =>
        Figures.spawns(rounds, [...cli, ...words], folder, code)
      const compiling = { millis: 2_000, peak: 1_024 }
      const figures: Array<Figure> = [
        ...both("compile", command(0, "compile", "bench.ts"), compiling),
        ...both("plan", command(2, "plan", "bench.ts"), compiling),
        ...both("plan, one task changed", command(2, "plan", "odd.ts", "--against", "bench.ts"), {}),
      ]
      for (const [where, millis] of [
        ["memory", 5_000],
        ["batched", 10_000],
      ] as const) {
        const ran = Figures.spawns(1, [...child, shape, where, String(tasks), String(rounds)], folder)
        const times: Figures.Times = JSON.parse(ran.output)
        figures.push(...both(`run, ${where}`, { ...ran, ...times }, { millis }))
      }
      return {
        figures,
        notes: [
          `${tasks.toLocaleString("en-US")} tasks; compile and plan are whole commands that read a TypeScript file, from source`,
          `runs follow a small one in the same process; peak memory is that of ${rounds} of them; the durable run writes, and flushes every second`,
        ],
      }
    })
