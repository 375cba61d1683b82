/** Times one engine, in a process of its own: `bun child.ts ENGINE full|small FOLDER`; prints JSON. */
import * as Figures from "../figure.ts"
import { ServerMissing } from "../../test/support/servers/missing.ts"
import type { Engine, Start } from "./engine.ts"

/** Milliseconds of each graph, or why there are none. */
export type Found =
  | { readonly record: string; readonly graphs: Readonly<Record<Graph, ReadonlyArray<number>>> }
  | { readonly leftOut: string }

/** The graphs by what they are, and how often each is run; a third as often before, to warm up. */
export const graphs = {
  "three durable steps": { rounds: 150, run: ({ inARow }: Engine) => inARow(3) },
  "40 steps in a row": { rounds: 30, run: ({ inARow }: Engine) => inARow(40) },
  "fan-out of 400, 16 at a time": { rounds: 15, run: ({ fanOut }: Engine) => fanOut(400, 16) },
}
export type Graph = keyof typeof graphs

const measure = async (start: Start, folder: string, full: boolean): Promise<Found> => {
  const engine = await start(folder)
  const found: Record<string, ReadonlyArray<number>> = {}
  for (const [name, { rounds, run }] of Object.entries(graphs)) {
    if (full) await Figures.times(rounds / 3, () => run(engine))
    found[name] = (await Figures.times(full ? rounds : 1, () => run(engine))).millis
  }
  await engine.close()
  return { record: engine.record, graphs: found as Record<Graph, ReadonlyArray<number>> }
}

if (import.meta.main) {
  const [name, scale, folder] = process.argv.slice(2)
  const { start }: { readonly start: Start } = await import(`./${name}.ts`)
  const found = await measure(start, folder, scale === "full").catch((error: unknown): Found => {
    if (error instanceof ServerMissing) return { leftOut: error.message }
    throw error
  })
  process.stdout.write(`${JSON.stringify(found)}\n`)
  process.exit(0)
}
