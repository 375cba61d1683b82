import * as Argument from "effect/cli/Argument"
import * as Command from "effect/cli/Command"
import * as Effect from "effect/Effect"
import { root } from "../root.ts"

/** `dandori completion SHELL`: a completion script for the other commands and for itself. */
export const completion = (others: ReadonlyArray<Command.Command.Any>) => {
  const shell = {
    shell: Argument.Literals("shell", ["bash", "zsh", "fish"]).pipe(Argument.withDescription("Whose script")),
  }
  const self = Command.make("completion", shell)
  return self.pipe(
    Command.withHandler(
      Effect.fn(function* (input) {
        const Completions = yield* Effect.promise(() => import("effect/cli/Completions"))
        const Output = yield* Effect.promise(() => import("../output.ts"))
        const tree = root.pipe(Command.withSubcommands([...others, self]))
        const { json } = yield* root
        const script = Completions.generate("dandori", input.shell, Completions.fromCommand(tree))
        yield* json ? Output.json({ v: 1, kind: "completion", shell: input.shell, script }) : Output.data(script)
      }),
    ),
    Command.withDescription("Print a completion script for a shell"),
    Command.withExamples([
      { command: "dandori completion bash > ~/.local/share/bash-completion/completions/dandori", description: "bash" },
      { command: "dandori completion zsh > ~/.zfunc/_dandori", description: "zsh; ~/.zfunc must be in $fpath" },
      { command: "dandori completion fish > ~/.config/fish/completions/dandori.fish", description: "fish" },
    ]),
  )
}
