import * as NodeServices from "@effect/platform-node/NodeServices"
import * as Prompt from "effect/cli/Prompt"
import * as Effect from "effect/Effect"
import * as Output from "./output.ts"

/** Asks a person at the terminal; no where nothing is typed. */
const ask = (message: string) =>
  Effect.provide(Prompt.run(Prompt.Confirm({ message, initial: false })), NodeServices.layer)

/** Whether a dangerous thing may be done: by `--yes`, or by the person at the terminal, who is told what it is first. */
export const confirm = Effect.fnUntraced(function* (given: {
  readonly yes: boolean
  readonly noInput: boolean
  readonly what: string
  readonly question: string
}) {
  if (given.yes) return true
  yield* Output.message(given.what)
  if (process.stdin.isTTY === true && !given.noInput) return yield* ask(given.question)
  return yield* new Output.UsageError({ reason: "To do that, say --yes" })
})
