import * as CliConfig from "effect/cli/CliConfig"
import * as CliError from "effect/cli/CliError"
import * as CliOutput from "effect/cli/CliOutput"
import * as GlobalFlag from "effect/cli/GlobalFlag"
import type * as HelpDoc from "effect/cli/HelpDoc"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as TerminalCapabilities from "effect/cli/TerminalCapabilities"
import { nearest } from "../domain/suggest.ts"
import * as ExitCode from "./exit-code.ts"
import * as Output from "./output.ts"

const invalid = Effect.fnUntraced(function* ({ commandPath, errors }: CliOutput.Presenter.InvalidInvocation) {
  const { canColor } = yield* TerminalCapabilities.TerminalCapabilities
  const words = CliOutput.defaultFormatter({ colors: canColor }).formatErrors(errors)
  yield* Output.message(`${words.trim()}\n\n${commandPath.join(" ")} --help shows how it is called.`)
})

/** The words of a call that are neither flags nor their values. */
const plainWords = (argv: ReadonlyArray<string>, { flags, globalFlags = [], inheritedFlags = [] }: HelpDoc.HelpDoc) => {
  const valued = [...flags, ...inheritedFlags, ...globalFlags].filter(({ type }) => type !== "boolean")
  const names = new Set(valued.flatMap(({ aliases, name }) => [`--${name}`, ...aliases]))
  return argv.filter((word, i) => !word.startsWith("-") && !names.has(argv[i - 1]))
}

/** A word where a command should stand that is none: asked for help, the library shows that of the group before it. */
const unknownCommand = (argv: ReadonlyArray<string>, { commandPath, helpDoc }: CliOutput.Presenter.Help) => {
  const known = helpDoc.subcommands?.flatMap(({ commands }) => commands.map(({ name }) => name)) ?? []
  const word = plainWords(argv, helpDoc)[commandPath.length - 1]
  if (known.length === 0 || word === undefined) return undefined
  const meant = nearest(word, known)
  return new CliError.UnknownSubcommand({
    subcommand: word,
    parent: commandPath,
    suggestions: meant === undefined ? [] : [meant],
  })
}

const help = (argv: ReadonlyArray<string>, event: CliOutput.Presenter.Help) => {
  const unknown = unknownCommand(argv, event)
  if (unknown === undefined) return CliOutput.defaultPresenter.present(event)
  process.exitCode = ExitCode.exitCodes.usage
  return invalid({ ...event, _tag: "InvalidInvocation", errors: [unknown] })
}

const presenter = (argv: ReadonlyArray<string>): CliOutput.Presenter => ({
  present: (event) =>
    Effect.suspend(() => {
      if (event._tag === "InvalidInvocation") return invalid(event)
      return event._tag === "Help" ? help(argv, event) : CliOutput.defaultPresenter.present(event)
    }),
})

/** How the command line answers words that do not fit: a few lines on standard error. Help is for who asks for it. */
export const layer = (argv: ReadonlyArray<string>) =>
  Layer.mergeAll(
    CliOutput.layerPresenter(presenter(argv)),
    CliConfig.layer({ builtIns: [GlobalFlag.Help, GlobalFlag.Version] }),
  )
