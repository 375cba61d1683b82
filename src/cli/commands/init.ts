import * as Argument from "effect/cli/Argument"
import * as Command from "effect/cli/Command"
import * as Flag from "effect/cli/Flag"
import * as Effect from "effect/Effect"

/** `dandori init [FOLDER]`: a new project that runs, type-checks and tests. */
export const init = Command.make(
  "init",
  {
    folder: Argument.String("folder").pipe(
      Argument.withDescription("Where to make it (default: the working folder)"),
      Argument.withDefault("."),
    ),
    force: Flag.Boolean("force").pipe(
      Flag.withDescription("Overwrite files that are there with other content, and say which"),
      Flag.withDefault(false),
    ),
  },
  Effect.fn(function* ({ folder, force }) {
    const { initProject } = yield* Effect.promise(() => import("../init-project.ts"))
    yield* initProject(folder, force)
  }),
).pipe(
  Command.withDescription(
    "Make a project: pipelines in YAML and TypeScript, a task type with its test, configuration, editor settings. Exit code: 73 when it would overwrite files",
  ),
  Command.withExamples([{ command: "dandori init 'my project'", description: "In a new folder" }]),
)
