/**
 * Trains over and over by the built-in trainer, in fresh children or in kept workers, and ends:
 * `bun trainings-child.ts MANIFEST fresh|kept COUNT WIDTH`.
 */
import { mkdirSync, readFileSync, writeFileSync } from "node:fs"
import { dirname, join } from "node:path"
import * as Effect from "effect/Effect"
import * as ProcessesLocal from "../src/services/processes-local.ts"
import { Processes } from "../src/services/processes.ts"

const [path, mode, count, width] = process.argv.slice(2)
const folder = dirname(path)
const manifest: Readonly<Record<string, unknown>> = JSON.parse(readFileSync(path, "utf8"))

const training = (index: number) =>
  Effect.gen(function* () {
    const output = join(folder, `output ${index}`)
    mkdirSync(output, { recursive: true })
    const own = join(folder, `manifest ${index}.json`)
    writeFileSync(own, JSON.stringify({ ...manifest, output }))
    const { run, self } = yield* Processes
    const argv = [...self, "__trainer"]
    const { exitCode, stderr } = yield* run(
      mode === "kept" ? { argv: [...argv, folder], job: own } : { argv: [...argv, own] },
    )
    if (exitCode !== 0) return yield* Effect.die(new Error(stderr))
  })

await Effect.runPromise(
  Effect.forEach(
    Array.from({ length: Number(count) }, (_, i) => i),
    training,
    { concurrency: Number(width), discard: true },
  ).pipe(Effect.provide(ProcessesLocal.layer({ folder: join(folder, "processes") }))),
)
// A moment for what has ended to be waited for, so that its time on the processors counts.
await Bun.sleep(20)
process.exit(0)
