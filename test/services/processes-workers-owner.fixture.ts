// An owner of workers for tests to kill: `bun processes-workers-owner.fixture.ts FOLDER GRACE_MILLIS ARGV JOBS`, lists as
// JSON. It gives out the jobs at once, and lives on when they are done.
import * as Effect from "effect/Effect"
import { ProcessMark } from "../../src/services/process-launch.ts"
import { layer } from "../../src/services/processes-local.ts"
import { Processes } from "../../src/services/processes.ts"

const [folder, grace, list, works] = process.argv.slice(2)
const argv: ReadonlyArray<string> = JSON.parse(list)
const jobs: ReadonlyArray<string> = JSON.parse(works)

const program = Effect.gen(function* () {
  const { run } = yield* Processes
  yield* Effect.forEach(jobs, (job) => run({ argv, graceMillis: Number(grace), job }), { concurrency: "unbounded" })
  return yield* Effect.never
})

await Effect.runPromise(
  program.pipe(
    Effect.provide(layer({ folder })),
    Effect.provideService(ProcessMark, { run: "run-1", task: "work", attempt: 2 }),
  ),
)
