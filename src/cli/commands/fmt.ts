import * as Argument from "effect/cli/Argument"
import * as Command from "effect/cli/Command"
import * as Flag from "effect/cli/Flag"
import * as Effect from "effect/Effect"

/** `dandori fmt FILE…`: YAML pipelines in their one form. */
export const fmt = Command.make(
  "fmt",
  {
    files: Argument.String("file").pipe(
      Argument.withDescription("Pipelines in YAML, by file or id; - is standard input (default: all of pipelines/)"),
      Argument.variadic(),
    ),
    check: Flag.Boolean("check").pipe(
      Flag.withDescription("Change nothing; list the files that would change and exit with 1"),
      Flag.withDefault(false),
    ),
  },
  Effect.fn(function* ({ check, files }) {
    const { formatFiles } = yield* Effect.promise(() => import("../pipeline-format.ts"))
    yield* formatFiles(files, check)
  }),
).pipe(
  Command.withDescription(
    "Format pipelines in YAML: keys in order, short maps on one line, comments kept. The plan stays the same",
  ),
  Command.withExamples([{ command: "dandori fmt --check", description: "For continuous integration" }]),
)
