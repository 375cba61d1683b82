import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import type { RunSummary } from "../../daemon/api/run-views.ts"
import type * as Standing from "../../engine/standing.ts"
import * as Hint from "../hint.ts"
import * as Output from "../output.ts"
import { tableOf } from "../runs-list.ts"
import * as Client from "./daemon-client.ts"
import * as RunChoice from "./run-choice.ts"

/** What is waited for, out of what the API says of it. */
export const waitsOf = ({ waiting }: RunSummary): { readonly waits?: Standing.Waits } => {
  if (waiting === undefined) return {}
  const moments = ["due", "until"].flatMap((name) =>
    waiting[name] === undefined ? [] : [[name, Date.parse(String(waiting[name]))] as const],
  )
  return { waits: { ...waiting, ...Object.fromEntries(moments) } as Standing.Waits }
}

const toJson = (run: RunSummary, hint: Hint.Hint) => ({
  v: 1,
  kind: "run",
  ...run,
  ...(run.status === "interrupted" ? { resume: hint.either(`runs resume ${run.run}`) } : {}),
})

/** Lists the newest runs of a daemon, newest first. */
export const listRuns = Effect.fnUntraced(function* (limit: number, labels: ReadonlyArray<string>) {
  if (labels.length > 0) {
    return yield* new Output.UsageError({
      reason: "A daemon does not list runs by --label. Leave it out, or call dandori runs list where the files are",
    })
  }
  const { daemon, flags } = yield* Client.find
  const hint = Hint.of(flags)
  const { more, runs } = yield* RunChoice.newest(daemon, limit)
  if (flags.json) return yield* Effect.forEach(runs, (run) => Output.json(toJson(run, hint)), { discard: true })
  if (runs.length === 0)
    return yield* Output.message(`The daemon has no runs yet. Start one: ${hint.either("run PIPELINE")}`)
  const now = yield* Clock.currentTimeMillis
  const listed = runs.map((run) => ({
    id: run.run,
    pipeline: run.pipeline,
    env: run.env,
    status: run.status,
    ...waitsOf(run),
    owned: run.status !== "interrupted" && run.status !== "empty",
    created: Date.parse(run.created),
    durationMillis: run.durationMillis,
    damaged: run.damaged,
  }))
  yield* Output.data(tableOf(listed, now))
  if (flags.quiet) return undefined
  if (more) yield* Output.message(`The newest ${runs.length} runs; --limit N shows more`)
  for (const { run, status } of runs) {
    if (status === "interrupted")
      yield* Output.message(`interrupted; to go on with it: ${hint.either(`runs resume ${run}`)}`)
  }
  return undefined
})
