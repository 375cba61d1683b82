/** Pushes a planted project: `bun push.fixture.ts ROOT OPTIONS`, the options in JSON. Prints its answer and peak memory in MiB. */
import { readFileSync } from "node:fs"
import * as Effect from "effect/Effect"
import { run } from "../../../../tasks/evacuate/push/run.ts"
import * as Place from "../../../support/evacuation-place.ts"
import { open } from "../../../support/plain-reading.ts"

const [root = "", options = "{}"] = process.argv.slice(2)
const pushed = await run({ incident: Place.incident }, open).pipe(
  Effect.provide(Place.services(root, JSON.parse(options))),
  Effect.runPromise,
)
// Not maxRSS, which counts what its parent had when it began.
const peak = Number(/^VmHWM:\s+(\d+) kB$/m.exec(readFileSync("/proc/self/status", "utf8"))?.[1]) / 1024
process.stdout.write(`${JSON.stringify({ ...pushed, peak })}\n`)
