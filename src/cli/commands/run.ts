import * as Argument from "effect/cli/Argument"
import * as Command from "effect/cli/Command"
import * as Flag from "effect/cli/Flag"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import { againFlags, waitFlag } from "../run-flags.ts"
import * as ServerChoice from "../server-choice.ts"

interface Asked {
  readonly pipeline: Option.Option<string>
  readonly param: ReadonlyArray<string>
  readonly resume: Option.Option<string>
  readonly from: Option.Option<string>
  readonly only: Option.Option<string>
  readonly of: Option.Option<string>
  readonly dryRun: boolean
}

/** Why flags say nothing together; undefined when they do. */
const clash = (input: Asked): string | undefined => {
  const again = Option.isSome(input.from) || Option.isSome(input.only)
  if (Option.isSome(input.resume)) {
    const others = again || input.dryRun || input.param.length > 0 || Option.isSome(input.of)
    return others || Option.isSome(input.pipeline)
      ? "A resumed run goes on with its own plan and params: leave out the pipeline and all flags but --resume and --wait."
      : undefined
  }
  if (input.dryRun && again) return "--dry-run looks at every task of the pipeline: leave out --from and --only."
  return Option.isSome(input.of) && !again
    ? "--of says where --from or --only take over from: give one of them."
    : undefined
}

/** `dandori run FILE|ID`: runs a pipeline once, in this process or by a daemon. */
export const run = Command.make(
  "run",
  {
    pipeline: Argument.String("pipeline").pipe(
      Argument.withDescription("A pipeline file, or the id of one in pipelines/"),
      Argument.optional,
    ),
    param: Flag.String("param").pipe(
      Flag.withAlias("p"),
      Flag.withMetavar("NAME=VALUE"),
      Flag.withDescription("A param; may be given several times"),
      Flag.between(0, Number.MAX_SAFE_INTEGER),
    ),
    resume: Flag.String("resume").pipe(
      Flag.withMetavar("RUN"),
      Flag.withDescription("Go on with a run that was interrupted"),
      Flag.optional,
    ),
    wait: waitFlag,
    ...againFlags,
    of: Flag.String("of").pipe(
      Flag.withMetavar("RUN"),
      Flag.withDescription("With --from or --only: the run to take over from (default: the newest that has ended)"),
      Flag.optional,
    ),
    dryRun: Flag.Boolean("dry-run").pipe(
      Flag.withDescription("Say what each task would do, and change nothing"),
      Flag.withDefault(false),
    ),
  },
  Effect.fn(function* (input) {
    const problem = clash(input)
    if (problem !== undefined) {
      const Output = yield* Effect.promise(() => import("../output.ts"))
      return yield* new Output.UsageError({ reason: problem })
    }
    const pipeline = Option.getOrUndefined(input.pipeline)
    if (input.dryRun) {
      yield* ServerChoice.filesOnly("A dry run", "Call dandori run --dry-run in the project, without --server")
      const { dryRunPipeline } = yield* Effect.promise(() => import("../run-dry.ts"))
      return yield* dryRunPipeline(pipeline, input.param)
    }
    const { runPipeline, resumeRun } = yield* ServerChoice.either(
      () => import("../remote/run-pipeline.ts"),
      () => import("../run-pipeline.ts"),
    )
    if (Option.isSome(input.resume)) return yield* resumeRun(input.resume.value, input.wait)
    return yield* runPipeline(pipeline, input.param, {
      wait: input.wait,
      from: Option.getOrUndefined(input.from),
      only: Option.getOrUndefined(input.only),
      of: Option.getOrUndefined(input.of),
    })
  }),
).pipe(
  Command.withDescription("Run a pipeline once, in this process"),
  Command.withExamples([
    { command: "dandori run pipelines/sample-e2e.yaml", description: "The sample, end to end" },
    { command: "dandori run sample-e2e --param to=2025-11", description: "By id, with a param" },
    { command: "dandori run sample-e2e --from backtest", description: "Again from a task on" },
    { command: "dandori run --resume 01990000-0000-7000-8000-000000000000", description: "After a crash" },
  ]),
)
