import * as Command from "effect/cli/Command"
import * as Flag from "effect/cli/Flag"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"

/** `dandori schema`: the JSON Schema by which editors complete and check pipelines in YAML. */
export const schema = Command.make(
  "schema",
  {
    out: Flag.String("out").pipe(
      Flag.withAlias("o"),
      Flag.withMetavar("FILE"),
      Flag.withDescription("Write it to this file, if it differs (default: print it)"),
      Flag.optional,
    ),
  },
  Effect.fn(function* ({ out }) {
    const { writeSchema } = yield* Effect.promise(() => import("../pipeline-schema-file.ts"))
    yield* writeSchema(Option.getOrUndefined(out))
  }),
).pipe(
  Command.withDescription("Print the JSON Schema of pipelines, with all task types of the project"),
  Command.withExamples([{ command: "dandori schema --out schema/pipeline.schema.json", description: "For editors" }]),
)
