import { extname } from "node:path"
import * as Effect from "effect/Effect"
import * as Result from "effect/Result"
import * as Diagnostic from "../compiler/diagnostic.ts"
import { format } from "../compiler/format/format.ts"
import * as PipelineFile from "../services/pipeline-file.ts"
import * as ExitCode from "./exit-code.ts"
import * as Output from "./output.ts"
import * as PipelineFiles from "./pipeline-files.ts"
import { shownPath } from "./pipeline-validate.ts"
import { count } from "./plain-text.ts"
import * as ProjectReaders from "./project-readers.ts"
import { root } from "./root.ts"

const isYaml = (file: string): boolean => /\.ya?ml$/.test(file)
const standardInput = "standard input"

/** Every YAML file of pipelines/; says what it leaves. */
const all = Effect.gen(function* () {
  const { flags, project } = yield* ProjectReaders.find
  const files = yield* PipelineFiles.list(project)
  const left = files.filter((file) => !isYaml(file)).map(shownPath)
  if (left.length > 0 && !flags.quiet) {
    yield* Output.message(`Leaving ${left.join(", ")}: TypeScript has formatters of its own.`)
  }
  return files.filter(isYaml)
})

const named = Effect.fnUntraced(function* (name: string) {
  const file = extname(name) === "" ? yield* PipelineFiles.locate((yield* ProjectReaders.find).project, name) : name
  if (isYaml(file)) return file
  return yield* new Output.UsageError({
    reason: `${shownPath(file)} is not YAML. fmt formats pipelines in YAML only; TypeScript has formatters of its own.`,
  })
})

const refused = Effect.fnUntraced(function* (
  file: string,
  error: Diagnostic.PipelineInvalid | PipelineFile.PipelineMissing,
) {
  const { json } = yield* root
  const invalid = error._tag === "PipelineInvalid"
  if (json) {
    const detail = invalid ? { diagnostics: error.diagnostics } : { message: error.message }
    return yield* Output.json({ v: 1, kind: "fmt", file, ok: false, error: error._tag, ...detail })
  }
  if (!invalid) return yield* Output.message(error.message)
  const mistakes = count(error.diagnostics.length, "mistake", "mistakes")
  yield* Output.message(
    `${error.diagnostics.map(Diagnostic.render).join("\n\n")}\n\n${file}: ${mistakes}; left as it was`,
  )
})

const said = Effect.fnUntraced(function* (file: string, changed: boolean, check: boolean) {
  const { json, quiet } = yield* root
  if (json) return yield* Output.json({ v: 1, kind: "fmt", file, ok: true, changed })
  if (!changed) return
  if (check) yield* Output.data(file)
  else if (!quiet) yield* Output.data(`formatted  ${file}`)
})

const fromStandardInput = Effect.fnUntraced(function* (check: boolean) {
  const { json } = yield* root
  const text = yield* Effect.promise(() => Bun.stdin.text())
  const result = format(standardInput, text)
  if (Result.isFailure(result)) {
    yield* refused(standardInput, result.failure)
    return ExitCode.exitCodes.badData
  }
  const changed = result.success !== text
  if (check || json) yield* said(standardInput, changed, check)
  else yield* Output.data(result.success)
  return check && changed ? ExitCode.exitCodes.failed : ExitCode.exitCodes.ok
})

const one = Effect.fnUntraced(function* (path: string, check: boolean) {
  const file = shownPath(path)
  const read = yield* Effect.result(PipelineFile.read(file))
  const formatted = Result.flatMap(read, (before) =>
    Result.map(format(file, before.text), (text) => ({ before, text })),
  )
  if (Result.isFailure(formatted)) {
    yield* refused(file, formatted.failure)
    return ExitCode.ofError(formatted.failure)
  }
  const { before, text } = formatted.success
  const changed = text !== before.text
  if (changed && !check) yield* PipelineFile.replace(before.path, text)
  yield* said(file, changed, check)
  return check && changed ? ExitCode.exitCodes.failed : ExitCode.exitCodes.ok
})

/**
 * Formats files in place, or lists those that would change (exit code 1). A file with mistakes of YAML stays as it is
 * (exit code 65), and the others are formatted all the same.
 */
export const formatFiles = Effect.fnUntraced(function* (names: ReadonlyArray<string>, check: boolean) {
  if (names.includes("-")) {
    if (names.length > 1) return yield* new Output.UsageError({ reason: "Name files or standard input (-), not both." })
    return yield* Output.exitWith(yield* fromStandardInput(check))
  }
  const files = names.length === 0 ? yield* all : yield* Effect.forEach(names, named)
  const codes = yield* Effect.forEach(files, (file) => one(file, check))
  const { json, quiet } = yield* root
  const worst = Math.max(ExitCode.exitCodes.ok, ...codes)
  if (worst === ExitCode.exitCodes.ok && !json && !quiet)
    yield* Output.message(`${count(files.length, "file", "files")} in order`)
  yield* Output.exitWith(worst)
})
