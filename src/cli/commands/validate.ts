import * as Argument from "effect/cli/Argument"
import * as Command from "effect/cli/Command"
import * as Effect from "effect/Effect"

/** `dandori validate FILE…`: all mistakes of all files, without running anything. */
export const validate = Command.make(
  "validate",
  {
    files: Argument.String("file").pipe(
      Argument.withDescription("Pipeline files or ids (default: all of pipelines/)"),
      Argument.variadic(),
    ),
  },
  Effect.fn(function* ({ files }) {
    const { validateFiles } = yield* Effect.promise(() => import("../pipeline-validate.ts"))
    yield* validateFiles(files)
  }),
).pipe(
  Command.withDescription("Check pipelines and show all of their mistakes. Exit code: 65 when there are some"),
  Command.withExamples([{ command: "dandori validate pipelines/*.yaml", description: "Several files at once" }]),
)
