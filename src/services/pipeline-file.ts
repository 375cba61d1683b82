import * as Fs from "node:fs/promises"
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import { attempt, writeFileDurably } from "./durable-files.ts"

/** There is no file to compile at this path, or it cannot be read. */
export class PipelineMissing extends Schema.TaggedError<PipelineMissing>()("PipelineMissing", {
  file: Schema.String,
  reason: Schema.String,
}) {
  override get message() {
    return `No pipeline at ${this.file}: ${this.reason}`
  }
}

const words: Readonly<Record<string, string>> = {
  ENOENT: "there is no such file",
  ENOTDIR: "there is no such file",
  EISDIR: "it is a folder; name a file in it",
  EACCES: "you may not read it",
}

/** The text of a pipeline file, and its absolute path with links followed. */
export const read = Effect.fn("PipelineFile.read")(function* (file: string) {
  const refuse = (code: string, reason: string) => new PipelineMissing({ file, reason: words[code] ?? reason })
  return yield* attempt("read", file, async () => ({
    text: await Fs.readFile(file, "utf8"),
    path: await Fs.realpath(file),
  })).pipe(Effect.mapError(({ code, reason }) => refuse(code, reason)))
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
    Effect.map((names) => [...new Set(names.flatMap((name) => /^(.*)\.(?:yaml|yml|ts)$/.exec(name)?.[1] ?? []))]),
  )
