import * as Argument from "effect/cli/Argument"
import * as Command from "effect/cli/Command"
import * as Flag from "effect/cli/Flag"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"

/** `dandori convert FILE --to ts|yaml`: the same plan, written in the other language. */
export const convert = Command.make(
  "convert",
  {
    file: Argument.String("file").pipe(Argument.withDescription("A pipeline file, or the id of one in pipelines/")),
    to: Flag.Literals("to", ["ts", "yaml"]).pipe(Flag.withDescription("The language to write (required)")),
    output: Flag.String("output").pipe(
      Flag.withAlias("o"),
      Flag.withMetavar("FILE"),
      Flag.withDescription("Write it to this new file (default: print it)"),
      Flag.optional,
    ),
  },
  Effect.fn(function* ({ file, output, to }) {
    const { convertFile } = yield* Effect.promise(() => import("../pipeline-convert.ts"))
    yield* convertFile(file, to, Option.getOrUndefined(output))
  }),
).pipe(
  Command.withDescription(
    "Write a pipeline in the other language. The plan and its digest stay the same; comments are lost, and so are loops and names of a TypeScript file",
  ),
  Command.withExamples([
    { command: "dandori convert hello --to ts --output pipelines/hello.ts", description: "YAML to TypeScript" },
  ]),
)
