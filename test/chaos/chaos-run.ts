// A process for the chaos test to kill: `bun chaos-run.ts PROJECT [EVENTS SIGNAL]` starts or resumes the run of a project and
// drives it to its end. With EVENTS it sends itself the signal right after that many events.
import * as Effect from "effect/Effect"
import * as NodeRuntime from "@effect/platform-node/NodeRuntime"
import * as Resume from "../../src/engine/resume.ts"
import * as Run from "../../src/engine/run.ts"
import { runStatus } from "../../src/engine/run-state.ts"
import { Ledger } from "../../src/ledger/ledger.ts"
import * as Root from "../../src/ledger/root.ts"
import * as StreamName from "../../src/ledger/stream-name.ts"
import { Observer } from "../../src/services/observer.ts"
import * as Project from "../support/engine-project.ts"
import * as Pipeline from "./chaos-pipeline.ts"

const [project, limit, signal = "SIGKILL"] = process.argv.slice(2)
const types = Pipeline.types(project)
let eventsLeft = limit === undefined ? Infinity : Number(limit)

const resume = (run: string) =>
  Effect.flatMap(Resume.recall(run), (recalled) =>
    Resume.resume(run, recalled, { capacity: Project.capacity, who: "tester", now: Date.now() }),
  )

/** What an operator does: looks at what happened, and says it. */
const resolveUnknown = Effect.fnUntraced(function* (run: string, task: string) {
  const happened = Pipeline.effectsOf(project).some(({ key }) => key === `${run}/${task}`)
  yield* Effect.scoped(
    Effect.gen(function* () {
      const { writer } = yield* (yield* Ledger).reopen(StreamName.ofRun(run))
      writer.append({
        type: "dev.dandori.task.resolved.v1",
        data: happened
          ? { task, as: "succeeded", reason: "it is in the file", output: { value: ["resolved"] } }
          : { task, as: "failed", reason: "it is not in the file" },
      })
      yield* writer.durable
    }),
  )
})

const program = Effect.gen(function* () {
  const ledger = yield* Ledger
  yield* Root.reconcile()
  process.stdout.write("ready\n")
  // A run whose first event did not reach the disk never was.
  const begun = yield* Effect.filter(yield* ledger.runs, (run) =>
    ledger.read(StreamName.ofRun(run)).pipe(
      Effect.map(({ entries }) => entries.length > 0),
      Effect.catchTag("StreamMissing", () => Effect.succeed(false)),
    ),
  )
  let result =
    begun[0] === undefined
      ? yield* Run.start(Project.request(Pipeline.pipeline(types)))
      : yield* resume(begun[0]).pipe(Effect.catchTag("RunEnded", () => Effect.undefined))
  while (result !== undefined && runStatus(result.state) === "waiting") {
    for (const [index] of result.state.unknown) yield* resolveUnknown(result.run, result.state.plan.tasks[index].id)
    result = yield* resume(result.run)
  }
}).pipe(
  Effect.provideService(Observer, {
    onEvent: () => {
      if (--eventsLeft === -1) process.kill(process.pid, signal)
    },
    onProgress: () => {},
    onLog: () => {},
    onWaiting: () => {},
  }),
  Effect.provide(Project.services(Project.at(project), { types: Object.values(types) })),
)

NodeRuntime.runMain(program, { disableErrorReporting: false })
