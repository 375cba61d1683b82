import * as Argument from "effect/cli/Argument"
import * as Command from "effect/cli/Command"
import * as Flag from "effect/cli/Flag"
import * as Effect from "effect/Effect"

/** `dandori compile FILE`: the plan of a pipeline as canonical JSON. */
export const compile = Command.make(
  "compile",
  {
    file: Argument.String("file").pipe(Argument.withDescription("A pipeline file, or the id of one in pipelines/")),
    digest: Flag.Boolean("digest").pipe(
      Flag.withDescription("Print only the plan's SHA-256 digest"),
      Flag.withDefault(false),
    ),
  },
  Effect.fn(function* ({ digest, file }) {
    const { printPlan } = yield* Effect.promise(() => import("../pipeline-plan.ts"))
    yield* printPlan(file, digest)
  }),
).pipe(Command.withDescription("Print a pipeline's plan as canonical JSON; its digest goes to standard error"))
