import * as Console from "effect/Console"
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import * as Standard from "./standard-streams.ts"
import { unwritable } from "./unwritable.ts"

/** Ends a command with an exit code after it has said all that there is to say. */
export class Exit extends Schema.TaggedError<Exit>()("Exit", { exitCode: Schema.Int }) {}

/** The command was called with words that do not fit. */
export class UsageError extends Schema.TaggedError<UsageError>()("UsageError", { reason: Schema.String }) {
  override get message() {
    return this.reason
  }
}

/** Succeeds when the text has left this process: a pipe that is read slowly loses nothing. */
const write = (descriptor: Standard.Descriptor, text: string): Effect.Effect<void> =>
  Effect.andThen(
    Standard.flushed,
    Effect.callback<void>((resume) => {
      Standard.send(descriptor, text.endsWith("\n") ? text : `${text}\n`).then(
        () => resume(Effect.void),
        (error) => (descriptor === 1 ? unwritable(error) : resume(Effect.void)),
      )
    }),
  )

/** Data, for people and programs: standard output. */
export const data = (text: string): Effect.Effect<void> => write(1, text)

/** What the command line's library writes its help by. */
export const console: Console.Console = {
  ...globalThis.console,
  log: (...words) => void Standard.send(1, `${words.join(" ")}\n`).catch(unwritable),
}

/** One JSON value per line on standard output. */
export const json = (value: unknown): Effect.Effect<void> => data(JSON.stringify(value))

/** Words beside the data: standard error. */
export const message = (text: string): Effect.Effect<void> => write(2, text)

/** Succeeds when all that was written so far has left this process. */
export const drained: Effect.Effect<void> = Effect.andThen(Standard.flushed, Standard.sent)

/** Ends the command with this code unless it is 0. */
export const exitWith = (code: number): Effect.Effect<void, Exit> =>
  code === 0 ? Effect.void : Effect.fail(new Exit({ exitCode: code }))

/** Whether colours may be used on a stream: a terminal, and NO_COLOR not set. */
export const colours = (stream: { readonly isTTY?: boolean }): boolean =>
  stream.isTTY === true && (process.env.NO_COLOR ?? "") === "" && process.env.TERM !== "dumb"

const paint = (code: string) => (text: string, on: boolean) => (on ? `\u001b[${code}m${text}\u001b[0m` : text)

export const bold = paint("1")
export const dim = paint("2")
export const red = paint("31")
export const green = paint("32")
export const yellow = paint("33")
export const cyan = paint("36")
