import * as NodeFileSystem from "@effect/platform-node/NodeFileSystem"
import * as NodePath from "@effect/platform-node/NodePath"
import * as Cause from "effect/Cause"
import * as Command from "effect/cli/Command"
import * as Console from "effect/Console"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import type { ChildProcessSpawner } from "effect/process/ChildProcessSpawner"
import type { Stdio } from "effect/Stdio"
import type { Terminal } from "effect/Terminal"
import { commandLine } from "./command-list.ts"
import * as ExitCode from "./exit-code.ts"
import * as Logging from "./logging.ts"
import * as Output from "./output.ts"
import * as Usage from "./usage.ts"

const isUsage = (error: unknown): boolean =>
  typeof error === "object" &&
  error !== null &&
  "_tag" in error &&
  [
    "ShowHelp",
    "UnrecognizedOption",
    "MissingOption",
    "MissingArgument",
    "UnexpectedArgument",
    "InvalidValue",
    "UnknownSubcommand",
    "DuplicateOption",
    "ValidationError",
  ].includes(String(error._tag))

const explain = (cause: Cause.Cause<unknown>, debug: boolean): { readonly code: number; readonly text: string } => {
  const found = Cause.findErrorOption(cause)
  const error = Option.isSome(found) ? found.value : Cause.squash(cause)
  if (Cause.hasInterruptsOnly(cause)) return { code: ExitCode.exitCodes.terminated, text: "" }
  if (isUsage(error)) return { code: ExitCode.exitCodes.usage, text: "" }
  const code = ExitCode.ofError(error)
  if (typeof error === "object" && error !== null && "_tag" in error && error._tag === "Exit") return { code, text: "" }
  const message =
    error instanceof Error || (typeof error === "object" && error !== null && "message" in error)
      ? String(error.message)
      : String(error)
  const hint = Option.isSome(found) || debug ? "" : "\nThis is a defect in dandori. --debug shows where."
  return { code, text: `${debug ? Cause.pretty(cause) : message}${hint}` }
}

/**
 * Leaves out what only the library's prompts and wizard use: to make a terminal opens standard input and takes a
 * command ten milliseconds. A command that asks something brings its own.
 */
const withoutPrompts = <A, E, R>(program: Effect.Effect<A, E, R>) =>
  program as Effect.Effect<A, E, Exclude<R, ChildProcessSpawner | Stdio | Terminal>>

/**
 * Runs the command line and exits with its code. SIGTERM and SIGHUP stop the work and leave runs to be resumed; so does
 * Ctrl-C where no run listens to it, and a second one does not wait for that.
 */
export const main = async (argv: ReadonlyArray<string>, version: string): Promise<void> => {
  const program = Command.runWith(await commandLine(argv, version), { version })(argv).pipe(
    withoutPrompts,
    Effect.provideService(Console.Console, Output.console),
    Effect.provide(
      Layer.mergeAll(Usage.layer(argv), Logging.layer(Output.message), NodeFileSystem.layer, NodePath.layer),
    ),
  )
  const fiber = Effect.runFork(program)
  const stop = (code: number) => {
    process.exitCode = code
    fiber.interruptUnsafe()
  }
  process.on("SIGTERM", () => stop(ExitCode.exitCodes.terminated))
  process.on("SIGHUP", () => stop(129))
  let interrupted = false
  process.on("SIGINT", () => {
    if (process.listenerCount("SIGINT") > 1) return
    if (interrupted) process.exit(ExitCode.exitCodes.interrupted)
    interrupted = true
    stop(ExitCode.exitCodes.interrupted)
  })
  return new Promise(() => {
    fiber.addObserver((exit) => {
      const { code, text } = Exit.isFailure(exit)
        ? explain(exit.cause, argv.includes("--debug"))
        : { code: undefined, text: "" }
      process.exitCode ??= code
      const last = text === "" ? Effect.void : Output.message(text)
      void Effect.runPromise(Effect.andThen(last, Output.drained)).then(() => process.exit())
    })
  })
}
