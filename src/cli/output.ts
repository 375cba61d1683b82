import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import * as Standard from "./standard-streams.ts"

/** Ends a command with an exit code after it has said all that there is to say. */
export class Exit extends Schema.TaggedError<Exit>()("Exit", { exitCode: Schema.Int }) {}

/** The command was called with words that do not fit. */
export class UsageError extends Schema.TaggedError<UsageError>()("UsageError", { reason: Schema.String }) {
  override get message() {
    return this.reason
  }
}

/**
 * Succeeds when the text has left this process: a pipe that is read slowly loses nothing. Never where standard output
 * cannot be written: its "error" follows, which ends the process.
 */
const write = (stream: NodeJS.WriteStream, text: string): Effect.Effect<void> =>
  Effect.andThen(
    Standard.flushed,
    Effect.callback<void>((resume) => {
      stream.write(text.endsWith("\n") ? text : `${text}\n`, (error) => {
        if (!(error instanceof Error) || stream === process.stderr) resume(Effect.void)
      })
    }),
  )

/** Data, for people and programs: standard output. */
export const data = (text: string): Effect.Effect<void> => write(process.stdout, text)

/** One JSON value per line on standard output. */
export const json = (value: unknown): Effect.Effect<void> => data(JSON.stringify(value))

/** Words beside the data: standard error. */
export const message = (text: string): Effect.Effect<void> => write(process.stderr, text)

/** Succeeds when all that was written so far has left this process. */
export const drained: Effect.Effect<void> = Effect.all(
  [
    Standard.flushed,
    ...[process.stdout, process.stderr].map((stream) =>
      Effect.callback<void>((resume) => void stream.write("", () => resume(Effect.void))),
    ),
  ],
  { concurrency: "unbounded", discard: true },
)

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
