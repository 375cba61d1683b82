import { basename, dirname, extname, join, resolve } from "node:path"
import * as Effect from "effect/Effect"
import type { Catalog, TaskTypeBroken } from "../domain/catalog.ts"
import { ConfiguredSchedules, withoutRetries } from "../domain/configured-schedules.ts"
import { didYouMean } from "../domain/suggest.ts"
import type * as CompileChild from "../services/compile-child.ts"
import * as PipelineFile from "../services/pipeline-file.ts"
import type { Compiled } from "./compile.ts"
import type { PipelineInvalid } from "./diagnostic.ts"
import * as Source from "./source.ts"
import { SubPipelines, type SubPipeline } from "./sub-pipeline.ts"

const extensions = [".yaml", ".yml", ".ts"]

const unusable = (reason: string, mayPass = false): SubPipeline => ({
  _tag: "Unusable",
  reason,
  diagnostics: [],
  mayPass,
})

/**
 * The pipelines beside a file (links followed), each compiled once, without the retries that come with a schedule: theirs
 * starts none of these tasks. `open` are the ids of those that are being compiled. Of two files with one id, the one in the
 * language of the file that uses it.
 */
const beside = (path: string, open: ReadonlyArray<string>): (typeof SubPipelines)["Service"] => {
  const folder = dirname(path)
  const preferred = path.endsWith(".ts") ? extensions.toReversed() : extensions
  const known = new Map<string, SubPipeline>()
  const compile = Effect.fnUntraced(function* (id: string) {
    if (open.includes(id)) {
      const circle = [...open.slice(open.indexOf(id)), id].join(" → ")
      return unusable(`These pipelines use each other: ${circle}. Break the circle.`)
    }
    for (const extension of preferred) {
      const file = join(folder, `${id}${extension}`)
      if (!(yield* PipelineFile.exists(file))) continue
      return yield* compileBeside(file, [...open, id]).pipe(
        Effect.updateService(ConfiguredSchedules, withoutRetries),
        Effect.map(({ outputs, plan, requires }): SubPipeline => ({ _tag: "Compiled", outputs, plan, requires })),
        Effect.catchTags({
          PipelineInvalid: ({ diagnostics, mayPass = false }) =>
            Effect.succeed<SubPipeline>({
              _tag: "Unusable",
              reason: `The pipeline ${id} does not compile.`,
              diagnostics,
              mayPass,
            }),
          PipelineMissing: ({ mayPass, message }) => Effect.succeed(unusable(message, mayPass)),
          PipelineNotUtf8: ({ message }) => Effect.succeed(unusable(message)),
          PipelineTooSlow: ({ mayPass, message }) => Effect.succeed(unusable(message, mayPass)),
          CompileChildFailed: ({ mayPass, message }) => Effect.succeed(unusable(message, mayPass)),
        }),
      )
    }
    const ids = (yield* PipelineFile.idsIn(folder)).filter((other) => !open.includes(other))
    return unusable(`There is no pipeline "${id}" in this folder.${didYouMean(id, ids)} Known: ${ids.join(", ")}.`)
  })
  return {
    load: (id) => {
      const found = known.get(id)
      if (found !== undefined) return Effect.succeed(found)
      return Effect.tap(compile(id), (made) => Effect.sync(() => known.set(id, made)))
    },
  }
}

type CompileError =
  | PipelineFile.PipelineMissing
  | PipelineFile.PipelineNotUtf8
  | PipelineInvalid
  | TaskTypeBroken
  | CompileChild.CompileChildFailed
  | CompileChild.PipelineTooSlow

const compileYaml = Effect.fnUntraced(function* (source: Source.Source) {
  const Compile = yield* Effect.promise(() => import("./compile.ts"))
  return yield* Compile.compileYaml(source)
})

/** The rest of the compiler is imported while the child process of the file is at work. */
const compileTypeScript = Effect.fnUntraced(function* (source: Source.Source, path: string) {
  const TypeScript = yield* Effect.promise(() => import("./typescript.ts"))
  return yield* TypeScript.compileTypeScript(source, path)
})

const compileBeside = (file: string, open: ReadonlyArray<string>): Effect.Effect<Compiled, CompileError, Catalog> =>
  Effect.gen(function* () {
    const { text, path } = yield* PipelineFile.read(file)
    const source = Source.make(file, text.replace(/^\uFEFF/, ""))
    const compiling = file.endsWith(".ts") ? compileTypeScript(source, path) : compileYaml(source)
    return yield* Effect.provideService(compiling, SubPipelines, beside(resolve(file) === path ? file : path, open))
  })

/**
 * Compiles a pipeline file by its ending: `.yaml`, `.yml` or `.ts`. Messages name it as `file` does; the pipelines that
 * it uses lie beside it.
 */
export const compileFile = Effect.fn("Compiler.compileFile")(function* (file: string) {
  if (!extensions.includes(extname(file))) {
    return yield* new PipelineFile.PipelineMissing({ file, reason: "a pipeline is a .yaml, .yml or .ts file" })
  }
  return yield* compileBeside(file, [basename(file, extname(file))])
})
