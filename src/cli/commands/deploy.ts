import * as Argument from "effect/cli/Argument"
import * as Command from "effect/cli/Command"
import * as Flag from "effect/cli/Flag"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Schema from "effect/Schema"

const Reason = Schema.String.check(Schema.isPattern(/\S/, { message: "must say why" }))

/** `dandori deploy FILE…`: records pipelines as the deployed ones. */
export const deploy = Command.make(
  "deploy",
  {
    files: Argument.String("file").pipe(
      Argument.withDescription("Pipeline files, or ids of pipelines/"),
      Argument.variadic({ min: 1 }),
    ),
    acceptWeaker: Flag.String("accept-weaker").pipe(
      Flag.withMetavar("REASON"),
      Flag.withDescription("Deploy although a safeguard is weaker; the reason is recorded"),
      Flag.withSchema(Reason),
      Flag.optional,
    ),
  },
  Effect.fn(function* ({ acceptWeaker, files }) {
    const { deployFiles } = yield* Effect.promise(() => import("../pipeline-deploy.ts"))
    yield* deployFiles(files, Option.getOrUndefined(acceptWeaker))
  }),
).pipe(
  Command.withDescription(
    "Record pipelines in the ledger as deployed, all or none. Exit codes: 3 a safeguard is weaker, 65 one does not compile",
  ),
  Command.withExamples([
    { command: "dandori deploy pipelines/*.yaml", description: "All, or none" },
    {
      command: 'dandori deploy sample-e2e --accept-weaker "the feed has gaps until March"',
      description: "With a weaker safeguard",
    },
  ]),
)
