import { join } from "node:path"
import { isUtf8 } from "node:buffer"
import * as Fs from "node:fs/promises"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Result from "effect/Result"
import * as Schema from "effect/Schema"
import * as MachineCode from "./machine-code.ts"
import { attempt, writeFileDurably } from "./durable-files.ts"

/** A file of so many bytes is work, not a part of the start. */
const large = 64 * 1024

/** There is no file to compile at this path, or it cannot be read. */
export class PipelineMissing extends Schema.TaggedError<PipelineMissing>()("PipelineMissing", {
  file: Schema.String,
  reason: Schema.String,
  /** That the disk could not tell, as it may another time. */
  mayPass: Schema.optionalKey(Schema.Boolean),
}) {
  override get message() {
    return `No pipeline at ${this.file}: ${this.reason}`
  }
}

/** A pipeline file that is not text in UTF-8. */
export class PipelineNotUtf8 extends Schema.TaggedError<PipelineNotUtf8>()("PipelineNotUtf8", {
  file: Schema.String,
  line: Schema.Int,
  column: Schema.Int,
}) {
  override get message() {
    return `${this.file}:${this.line}:${this.column}: This is not UTF-8. Save the file in UTF-8; as it is, letters of it would be lost.`
  }
}

const words: Readonly<Record<string, string>> = {
  ENOENT: "there is no such file",
  ENOTDIR: "there is no such file",
  EISDIR: "it is a folder; name a file in it",
  EACCES: "you may not read it",
}

/** The text of a file's bytes, a byte order mark included; else where they stop being UTF-8. */
export const textOf = (file: string, bytes: Uint8Array): Result.Result<string, PipelineNotUtf8> => {
  const text = Buffer.from(bytes).toString("utf8")
  if (isUtf8(bytes)) return Result.succeed(text)
  const before = text.slice(0, text.indexOf("\uFFFD")).split("\n")
  return Result.fail(new PipelineNotUtf8({ file, line: before.length, column: (before.at(-1) ?? "").length + 1 }))
}

/** The text of a pipeline file, and its absolute path with links followed. */
export const read = Effect.fn("PipelineFile.read")(function* (file: string) {
  const refuse = (code: string, reason: string) =>
    words[code] === undefined
      ? new PipelineMissing({ file, reason, mayPass: true })
      : new PipelineMissing({ file, reason: words[code] })
  const { bytes, path } = yield* attempt("read", file, async () => ({
    bytes: await Fs.readFile(file),
    path: await Fs.realpath(file),
  })).pipe(Effect.mapError(({ code, reason }) => refuse(code, reason)))
  if (bytes.length > large) MachineCode.usual()
  return { text: yield* Effect.fromResult(textOf(file, bytes)), path }
})

/** Where a file of each language says its pipeline's id. */
const saysId = { ts: /\bpipeline\(\s*["'`]([a-z0-9][\w-]*)/, yaml: /^["']?id["']?:\s*["']?([a-z0-9][\w-]*)/m }

/**
 * The id that a pipeline file says it has, as far as that can be seen without compiling it: it may be broken. Undefined where
 * none can be seen.
 */
export const saidId = Effect.fn("PipelineFile.saidId")(function* (file: string) {
  const said = yield* Effect.option(read(file))
  if (Option.isNone(said)) return undefined
  return saysId[file.endsWith(".ts") ? "ts" : "yaml"].exec(said.value.text)?.[1]
})

/** Writes the text of a pipeline file that is there (links followed), whole or not at all; its mode stays. */
export const replace = Effect.fn("PipelineFile.replace")(function* (path: string, text: string) {
  const { mode } = yield* attempt("look at", path, () => Fs.stat(path))
  yield* writeFileDurably(path, text, { mode: mode & 0o7777 })
})

/** Whether a file lies at the path. */
export const exists = (file: string): Effect.Effect<boolean> =>
  Effect.promise(() =>
    Fs.stat(file).then(
      (found) => found.isFile(),
      () => false,
    ),
  )

/** The ids of the pipelines in a folder: their names without their endings. */
export const idsIn = (folder: string): Effect.Effect<ReadonlyArray<string>> =>
  Effect.promise(() => Fs.readdir(folder).catch((): Array<string> => [])).pipe(
    Effect.map((names) =>
      [...new Set(names.flatMap((name) => /^(.*)\.(?:yaml|yml|ts)$/.exec(name)?.[1] ?? []))].toSorted(),
    ),
  )

/** The pipeline files of a folder, by name; fails where it cannot be listed. */
export const filesIn = (folder: string) =>
  attempt("list", folder, () => Fs.readdir(folder)).pipe(
    Effect.map((names) =>
      names
        .filter((name) => /\.(?:yaml|yml|ts)$/.test(name))
        .toSorted()
        .map((name) => join(folder, name)),
    ),
  )
