import * as Effect from "effect/Effect"
import * as Hint from "../hint.ts"
import type { RunOptions } from "../run-pipeline.ts"
import * as Output from "../output.ts"
import * as Params from "../params.ts"
import * as Client from "./daemon-client.ts"
import { follow } from "./run-follow.ts"
import * as RunChoice from "./run-choice.ts"

/** Starts a pipeline that is deployed at a daemon, and follows the run; ends with the run's exit code. */
export const runPipeline = Effect.fnUntraced(function* (
  name: string | undefined,
  given: ReadonlyArray<string>,
  { from, of, only, wait }: RunOptions,
) {
  if (name === undefined || !/^[a-z][a-z0-9_-]{0,63}$/.test(name)) {
    const what = name === undefined ? "Which one?" : `${name} is no id of a pipeline.`
    return yield* new Output.UsageError({
      reason: `${what} A daemon starts pipelines that are deployed there, by their ids: dandori run nightly --server URL`,
    })
  }
  if (from !== undefined || only !== undefined) {
    return yield* new Output.UsageError({
      reason: `By a daemon, say which run is to be run again: ${(yield* Hint.here).either(`runs retry ${of ?? "RUN"} --${from === undefined ? `only ${only}` : `from ${from}`}`)}`,
    })
  }
  const { daemon, flags } = yield* Client.find
  const plan = yield* daemon.ask((api) => api.pipelines.plan({ params: { pipeline: name } }))
  const params = yield* Params.resolve(plan, given)
  const { run } = yield* daemon.askKeyed((api, headers) =>
    api.pipelines.start({ params: { pipeline: name }, headers, payload: { params } }),
  )
  yield* follow(daemon, run, { isNew: true, wait, ...flags, hint: Hint.of(flags) })
})

/** Runs the plan of a run that has ended again, but for what succeeded there, and follows it. */
export const retryRun = Effect.fnUntraced(function* (
  name: string,
  { from, only, wait }: Pick<RunOptions, "from" | "only" | "wait">,
) {
  const { daemon, flags } = yield* Client.find
  const of = yield* RunChoice.choose(daemon, name)
  const payload = { ...(from === undefined ? {} : { from }), ...(only === undefined ? {} : { only }) }
  const { run } = yield* daemon.askKeyed((api, headers) => api.runs.retry({ params: { run: of }, headers, payload }))
  yield* follow(daemon, run, { isNew: true, wait, ...flags, hint: Hint.of(flags) })
})

/** Lets the daemon go on with a run that no process drives, and follows it. */
export const resumeRun = Effect.fnUntraced(function* (name: string, wait: boolean) {
  const { daemon, flags } = yield* Client.find
  const run = yield* RunChoice.choose(daemon, name)
  yield* daemon.ask((api) => api.runs.resume({ params: { run } }))
  yield* follow(daemon, run, { isNew: true, wait, ...flags, hint: Hint.of(flags) })
})
