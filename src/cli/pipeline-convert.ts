import { basename, dirname, extname, join, relative, resolve } from "node:path"
import * as Effect from "effect/Effect"
import * as Result from "effect/Result"
import { compileFile } from "../compiler/compile-file.ts"
import { toTypeScript } from "../compiler/convert/to-typescript.ts"
import { toYaml } from "../compiler/convert/to-yaml.ts"
import { blocks } from "../compiler/definition.ts"
import * as Located from "../compiler/located.ts"
import * as Source from "../compiler/source.ts"
import { readTypeScript } from "../compiler/typescript.ts"
import * as YamlDocument from "../compiler/yaml-document.ts"
import * as DurableFiles from "../services/durable-files.ts"
import * as PipelineFile from "../services/pipeline-file.ts"
import * as ProjectTaskTypes from "../services/project-task-types.ts"
import * as Compiling from "./compiling.ts"
import * as Output from "./output.ts"
import * as PipelineFiles from "./pipeline-files.ts"
import { shownPath } from "./pipeline-validate.ts"
import * as ProjectReaders from "./project-readers.ts"

type Language = "ts" | "yaml"
type Document = Readonly<Record<string, unknown>>

const languageOf = (file: string): Language => (file.endsWith(".ts") ? "ts" : "yaml")

/** The file of a pipeline in the language that is not asked for. */
const locate = Effect.fnUntraced(function* (project: string, name: string, to: Language) {
  const files = yield* PipelineFiles.list(project)
  const other = files.find((file) => basename(file, extname(file)) === name && languageOf(file) !== to)
  const file = shownPath(other ?? (yield* PipelineFiles.locate(project, name)))
  if (languageOf(file) !== to) return file
  const next = to === "yaml" ? ` "dandori fmt ${file}" formats it.` : ""
  return yield* new Output.UsageError({
    reason: `${file} is in ${to === "ts" ? "TypeScript" : "YAML"} already.${next}`,
  })
})

const importPath = (from: string, to: string): string => {
  const path = relative(from, to)
  return path.startsWith(".") ? path : `./${path}`
}

/** Modules of what does not ship, as a file in `folder` imports them: the project's task types and its pipelines. */
const modules = Effect.fnUntraced(function* (project: string, folder: string) {
  const own = (yield* ProjectTaskTypes.isProgram(project)) ? [] : yield* ProjectTaskTypes.list(project)
  const pipelines = yield* PipelineFiles.list(project)
  return new Map([
    ...own.map(({ name }) => [name, importPath(folder, join(project, "tasks", name, "index.ts"))] as const),
    ...pipelines
      .filter((file) => languageOf(file) === "ts")
      .map((file) => [`pipeline/${basename(file, ".ts")}`, importPath(folder, file)] as const),
  ])
})

/** The document of a pipeline that compiles. */
const documentOf = Effect.fnUntraced(function* (file: string) {
  yield* compileFile(file)
  const { path, text } = yield* PipelineFile.read(file)
  const source = Source.make(file, text.replace(/^\uFEFF/, ""))
  const document = languageOf(file) === "ts" ? yield* readTypeScript(source, path) : YamlDocument.read(source).document
  return (document === undefined ? {} : Located.toJson(document)) as Document
})

/** Fails when a pipeline that is used is not there in TypeScript: it could not be imported. */
const checkUsed = Effect.fnUntraced(function* (document: Document, known: ReadonlyMap<string, string>) {
  const tasks = blocks.flatMap((block) => Object.values((document[block] ?? {}) as Record<string, { uses?: unknown }>))
  for (const { uses } of tasks) {
    const id = /^pipeline\/(.*)$/.exec(String(uses))?.[1]
    if (id === undefined || known.has(`pipeline/${id}`)) continue
    return yield* new Output.UsageError({
      reason: `It uses pipeline/${id}, which TypeScript can only import from TypeScript. First: dandori convert ${id} --to ts --output pipelines/${id}.ts`,
    })
  }
})

const write = Effect.fnUntraced(function* (output: string, text: string) {
  const { flags } = yield* ProjectReaders.find
  const path = resolve(output)
  const before = yield* Effect.result(PipelineFile.read(path))
  const same = Result.isSuccess(before) && before.success.text === text
  if (!same) yield* DurableFiles.writeNewFileDurably(path, text)
  if (!flags.quiet && !flags.json) yield* Output.message(same ? `${output} is up to date` : `wrote ${output}`)
})

/** Writes a pipeline in the other language, to standard output or to a file that is not there yet. */
export const convertFile = Effect.fnUntraced(function* (name: string, to: Language, output: string | undefined) {
  const { env, flags, project } = yield* ProjectReaders.find
  const file = yield* locate(project, name, to)
  if (output !== undefined && languageOf(output) !== to) {
    return yield* new Output.UsageError({ reason: `${output} must end with ${to === "ts" ? ".ts" : ".yaml"}.` })
  }
  const text = yield* Effect.gen(function* () {
    const document = yield* documentOf(file)
    if (to === "yaml") return yield* Effect.fromResult(toYaml(file, document))
    const known = yield* modules(project, dirname(resolve(output ?? file)))
    yield* checkUsed(document, known)
    return yield* toTypeScript(document, (type) => known.get(type))
  }).pipe(Effect.provide(Compiling.layer(project, env)))
  if (output !== undefined) yield* write(output, text)
  else if (!flags.json) yield* Output.data(text)
  const written = output === undefined ? {} : { file: output }
  if (flags.json) yield* Output.json({ v: 1, kind: "conversion", from: file, to, ...written, text })
})
