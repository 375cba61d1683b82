/** Runs one bench in a process of its own and prints its report as JSON: `bun bench/child.ts NAME full|small`. */
import type { Bench } from "./figure.ts"
import * as Flushes from "./flushes.ts"

const [name, scale] = process.argv.slice(2)
await Flushes.install()
const { bench }: { readonly bench: Bench } = await import(`./${name}.ts`)
process.stdout.write(`${JSON.stringify(await bench(scale === "small" ? "small" : "full"))}\n`)
process.exit(0)
