import * as CliConfig from "effect/cli/CliConfig"
import * as CliOutput from "effect/cli/CliOutput"
import * as GlobalFlag from "effect/cli/GlobalFlag"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as TerminalCapabilities from "effect/cli/TerminalCapabilities"
import * as Output from "./output.ts"

const presenter: CliOutput.Presenter = {
  present: (event) =>
    event._tag !== "InvalidInvocation"
      ? CliOutput.defaultPresenter.present(event)
      : Effect.gen(function* () {
          const { canColor } = yield* TerminalCapabilities.TerminalCapabilities
          const words = CliOutput.defaultFormatter({ colors: canColor }).formatErrors(event.errors)
          yield* Output.message(`${words.trim()}\n\n${event.commandPath.join(" ")} --help shows how it is called.`)
        }),
}

/** How the command line answers words that do not fit: a few lines on standard error. Help is for who asks for it. */
export const layer = Layer.mergeAll(
  CliOutput.layerPresenter(presenter),
  CliConfig.layer({ builtIns: [GlobalFlag.Help, GlobalFlag.Version] }),
)
