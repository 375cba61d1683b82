import * as Effect from "effect/Effect"
import * as Client from "./daemon-client.ts"
import { follow } from "./run-follow.ts"
import * as RunChoice from "./run-choice.ts"
import * as Hint from "../hint.ts"

/** Shows a run of a daemon as `run` would, until it ends or only people are awaited; ends with its exit code. */
export const watchRun = Effect.fnUntraced(function* (name: string) {
  const { daemon, flags } = yield* Client.find
  const run = yield* RunChoice.choose(daemon, name)
  yield* follow(daemon, run, { isNew: false, wait: false, ...flags, hint: Hint.of(flags) })
})
