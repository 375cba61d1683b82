import * as Effect from "effect/Effect"
import * as Output from "../output.ts"
import { type ResolveRequest, readOutput } from "../runs-resolve.ts"
import * as Client from "./daemon-client.ts"
import * as RunChoice from "./run-choice.ts"

/** Asks a run of a daemon to be cancelled. */
export const cancelRun = Effect.fnUntraced(function* (name: string, reason: string) {
  const { daemon, flags } = yield* Client.find
  const run = yield* RunChoice.choose(daemon, name)
  const { by } = yield* daemon.ask((api) => api.runs.cancel({ params: { run }, payload: { reason } }))
  if (flags.json) return yield* Output.json({ v: 1, kind: "cancelled", run, by })
  yield* Output.data(`${run} is being cancelled. Its tasks get their grace to stop.`)
})

/** Says what became of a task whose outcome nobody knows. */
export const resolveTask = Effect.fnUntraced(function* (request: ResolveRequest) {
  const { as, output: file, reason, task } = request
  if (as === "succeeded" && file === undefined) {
    return yield* new Output.UsageError({
      reason: "--as succeeded needs --output FILE: the task's output as JSON, which other tasks read",
    })
  }
  const output = file === undefined ? {} : { output: yield* readOutput(file) }
  const { daemon, flags } = yield* Client.find
  const run = yield* RunChoice.choose(daemon, request.run)
  yield* daemon.ask((api) => api.runs.resolve({ params: { run }, payload: { task, as, reason, ...output } }))
  if (flags.json) return yield* Output.json({ v: 1, kind: "resolved", run, task, as })
  yield* Output.data(`${task} is ${as} now. Its run goes on.`)
})
