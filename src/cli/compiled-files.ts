import * as Effect from "effect/Effect"
import * as Result from "effect/Result"
import { compileFile } from "../compiler/compile-file.ts"
import type { CompiledFile } from "../daemon/plan-sides.ts"
import * as Compiling from "./compiling.ts"
import * as ExitCode from "./exit-code.ts"
import * as Output from "./output.ts"
import * as PipelineFiles from "./pipeline-files.ts"
import { refused, shownPath } from "./pipeline-validate.ts"
import * as ProjectReaders from "./project-readers.ts"

/**
 * The pipelines that a person named, each compiled; all of `pipelines/` where none is named. Ends the command when one
 * does not compile, after every mistake of all of them.
 */
export const compileAll = Effect.fnUntraced(
  function* (names: ReadonlyArray<string>) {
    const { flags, project } = yield* ProjectReaders.find
    const files =
      names.length === 0
        ? yield* PipelineFiles.list(project)
        : yield* Effect.forEach(names, (name) => PipelineFiles.locate(project, name))
    const compiled: Array<CompiledFile> = []
    let code = 0
    for (const file of new Set(files)) {
      const one = yield* Effect.result(compileFile(shownPath(file)))
      if (Result.isSuccess(one)) compiled.push({ file, plan: one.success.plan })
      else {
        code = code === ExitCode.exitCodes.badData ? code : ExitCode.ofError(one.failure)
        yield* refused(shownPath(file), one.failure, flags.json)
      }
    }
    yield* Output.exitWith(code)
    return compiled
  },
  (effect) =>
    Effect.flatMap(ProjectReaders.find, ({ env, project }) => Effect.provide(effect, Compiling.layer(project, env))),
)
