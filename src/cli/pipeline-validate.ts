import { relative } from "node:path"
import * as Effect from "effect/Effect"
import * as Result from "effect/Result"
import { compileFile } from "../compiler/compile-file.ts"
import { inOrder, render } from "../compiler/diagnostic.ts"
import { digest } from "../domain/plan.ts"
import * as Compiling from "./compiling.ts"
import * as ExitCode from "./exit-code.ts"
import * as Output from "./output.ts"
import * as PipelineFiles from "./pipeline-files.ts"
import { count } from "./plain-text.ts"
import * as ProjectReaders from "./project-readers.ts"
import * as Standard from "./standard-streams.ts"

/** A pipeline file as people name it: from the working folder. */
export const shownPath = (file: string): string => {
  const path = relative(process.cwd(), file)
  return path.startsWith("..") ? file : path
}

type Refusal = Effect.Error<ReturnType<typeof compileFile>>

/** Says why a file does not compile: every mistake of it. */
export const refused = (file: string, error: Refusal, json: boolean): Effect.Effect<void> => {
  const invalid = error._tag === "PipelineInvalid"
  if (json) {
    const detail = invalid ? { diagnostics: inOrder(error.diagnostics) } : { message: error.message }
    return Output.json({ v: 1, kind: "pipeline", file, ok: false, error: error._tag, ...detail })
  }
  if (!invalid) return Output.message(`${error.message}\n`)
  const mistakes = count(error.diagnostics.length, "mistake", "mistakes")
  return Output.message(`${inOrder(error.diagnostics).map(render).join("\n\n")}\n\n${file}: ${mistakes}\n`)
}

/** Compiles files and says which are in order; shows every mistake of the others. Runs nothing. */
export const validateFiles = Effect.fnUntraced(
  function* (names: ReadonlyArray<string>) {
    const { flags, project } = yield* ProjectReaders.find
    const files =
      names.length === 0
        ? yield* PipelineFiles.list(project)
        : yield* Effect.forEach(names, (name) => PipelineFiles.locate(project, name))
    if (files.length === 0) return yield* Output.message("pipelines/ has no pipeline yet.")
    let code = 0
    for (const path of files) {
      const file = shownPath(path)
      const compiled = yield* Effect.result(compileFile(file))
      if (Result.isFailure(compiled)) {
        code = code === ExitCode.exitCodes.badData ? code : ExitCode.ofError(compiled.failure)
        yield* refused(file, compiled.failure, flags.json)
        continue
      }
      const { plan } = compiled.success
      if (flags.json) {
        yield* Output.json({
          v: 1,
          kind: "pipeline",
          file,
          ok: true,
          id: plan.id,
          tasks: plan.tasks.length,
          digest: digest(plan),
        })
      } else if (!flags.quiet) {
        const good = Output.green("ok", Output.colours(Standard.output))
        yield* Output.data(`${good}  ${file}  ${plan.id}, ${count(plan.tasks.length, "task", "tasks")}`)
      }
    }
    yield* Output.exitWith(code)
  },
  (effect) =>
    Effect.flatMap(ProjectReaders.find, ({ env, project }) => Effect.provide(effect, Compiling.layer(project, env))),
)
