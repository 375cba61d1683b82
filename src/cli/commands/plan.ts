import * as Argument from "effect/cli/Argument"
import * as Command from "effect/cli/Command"
import * as Flag from "effect/cli/Flag"
import * as Effect from "effect/Effect"

/** `dandori plan FILE…`: what would change. */
export const plan = Command.make(
  "plan",
  {
    files: Argument.String("file").pipe(
      Argument.withDescription("Pipeline files or ids (default: all of pipelines/)"),
      Argument.variadic(),
    ),
    against: Flag.String("against").pipe(
      Flag.withMetavar("WHAT"),
      Flag.withDescription("deployed (default), a pipeline file, or a git revision of the same file (git:REV)"),
      Flag.withDefault("deployed"),
    ),
  },
  Effect.fn(function* ({ against, files }) {
    const { compileAll } = yield* Effect.promise(() => import("../compiled-files.ts"))
    // What compares is made ready while the pipelines are being compiled; their mistakes are told first. What compiles
    // is imported first, so that the processes of TypeScript pipelines are at work by then.
    const ready = Effect.gen(function* () {
      yield* Effect.promise(() => import("../../compiler/typescript.ts"))
      const { configurationNow, showChanges } = yield* Effect.promise(() => import("../plan-changes.ts"))
      return { loaded: yield* Effect.exit(configurationNow), showChanges }
    })
    const [compiled, { loaded, showChanges }] = yield* Effect.all([compileAll(files), ready], {
      concurrency: "unbounded",
    })
    yield* showChanges(compiled, files.length === 0, against, yield* loaded)
  }),
).pipe(
  Command.withDescription(
    "Show what would change. Exit codes: 0 nothing, 2 something, 3 a safeguard (audit, gate, approval, retention) is weaker",
  ),
  Command.withExamples([
    { command: "dandori plan", description: "All of pipelines/, compared with what is deployed" },
    { command: "dandori plan sample-e2e --against git:main", description: "Compared with a git revision" },
    { command: "dandori plan new.yaml --against old.yaml", description: "Two files" },
  ]),
)
