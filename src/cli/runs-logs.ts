import { readFile } from "node:fs/promises"
import * as Effect from "effect/Effect"
import { didYouMean } from "../domain/suggest.ts"
import * as Takeover from "../engine/takeover.ts"
import { AttemptFiles } from "../services/attempt-files.ts"
import * as Hint from "./hint.ts"
import { Missing } from "./missing.ts"
import * as ProjectReaders from "./project-readers.ts"
import * as RecordedRun from "../engine/recorded-run.ts"
import * as RunChoice from "./run-choice.ts"
import { clean } from "./render/line.ts"
import * as Output from "./output.ts"

/** Which logs are wanted. */
export interface LogsRequest {
  readonly run: string
  readonly task: string | undefined
  readonly attempt: number | undefined
}

/** Attempts by task, in the order in which the tasks first started. */
const attemptsOf = ({ entries }: RecordedRun.RecordedRun): ReadonlyMap<string, ReadonlyArray<number>> => {
  const found = new Map<string, Array<number>>()
  for (const { data, type } of entries) {
    if (type !== "dev.dandori.attempt.started.v1") continue
    const { attempt, task } = data as { readonly task: string; readonly attempt: number }
    found.set(task, [...(found.get(task) ?? []), attempt])
  }
  return found
}

const choose = Effect.fnUntraced(function* (run: RecordedRun.RecordedRun, { attempt, task }: LogsRequest) {
  const all = attemptsOf(run)
  const chosen = [...all].filter(([id]) => task === undefined || Takeover.within(task, id))
  if (task !== undefined && chosen.length === 0) {
    const known = [...all.keys()]
    const started = known.length === 0 ? "none has" : `these have: ${known.slice(0, 20).join(", ")}`
    return yield* new Missing({
      what: `No task ${clean(task)} has started in run ${run.id}; ${started}`,
      next: `${didYouMean(task, known)} See all: ${(yield* Hint.here).either(`runs show ${run.id}`)}`.trim(),
    })
  }
  return yield* Effect.forEach(chosen, ([id, tries]) => {
    const wanted = attempt ?? tries.at(-1) ?? 1
    if (tries.includes(wanted) || id !== task) return Effect.succeed({ task: id, attempt: wanted })
    const had = tries.length === 1 ? "attempt 1 only" : `attempts ${tries.join(", ")}`
    return Effect.fail(
      new Missing({ what: `Task ${id} of run ${run.id} had ${had}`, next: `Name one: --attempt ${tries.at(-1)}` }),
    )
  })
})

const forTerminal = (text: string): string =>
  text
    .split("\n")
    .map((line) => clean(line.trimEnd()))
    .join("\n")

/** Prints the logs of a run's attempts: the newest of each task unless one is named; of a matrix or a sub-pipeline, all of it. */
export const showLogs = Effect.fnUntraced(function* (request: LogsRequest) {
  const { env, flags, home, project } = yield* ProjectReaders.find
  const run = yield* RunChoice.choose(request.run).pipe(
    Effect.flatMap((id) => RecordedRun.read(home, id)),
    Effect.provide(ProjectReaders.ledger({ project, home, env })),
  )
  const files = yield* AttemptFiles.pipe(Effect.provide(AttemptFiles.layer(home)))
  const chosen = yield* choose(run, request)
  let silent = 0
  for (const { attempt, task } of chosen) {
    const path = files.logPath(run.id, task, attempt)
    const text = yield* Effect.tryPromise(() => readFile(path, "utf8")).pipe(Effect.orElseSucceed(() => ""))
    if (text === "") {
      silent++
      continue
    }
    if (flags.json) {
      const lines = text.replace(/\n$/, "").split("\n")
      yield* Output.data(
        lines.map((line) => JSON.stringify({ v: 1, kind: "log", run: run.id, task, attempt, line })).join("\n"),
      )
      continue
    }
    if (task !== request.task) yield* Output.message(`── ${task}, attempt ${attempt}`)
    yield* Output.data(process.stdout.isTTY ? forTerminal(text) : text)
  }
  if (silent === chosen.length && !flags.quiet) yield* Output.message("Nothing was logged.")
})
