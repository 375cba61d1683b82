// An owner of child processes for tests to kill: `bun processes-owner.fixture.ts FOLDER GRACE_MILLIS JSON_LIST_OF_ARGV`.
import * as Effect from "effect/Effect"
import { ProcessMark } from "../../src/services/process-launch.ts"
import { layer } from "../../src/services/processes-local.ts"
import { Processes } from "../../src/services/processes.ts"

const [folder, grace, list] = process.argv.slice(2)
const argvs: ReadonlyArray<ReadonlyArray<string>> = JSON.parse(list)

const program = Effect.gen(function* () {
  const processes = yield* Processes
  yield* Effect.forEach(argvs, (argv) => processes.run({ argv, graceMillis: Number(grace) }), {
    concurrency: "unbounded",
  })
})

await Effect.runPromise(
  program.pipe(
    Effect.provide(layer({ folder })),
    Effect.provideService(ProcessMark, { run: "run-1", task: "work", attempt: 2 }),
  ),
)
