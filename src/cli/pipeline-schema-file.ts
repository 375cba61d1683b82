import { readFile } from "node:fs/promises"
import { dirname, resolve } from "node:path"
import * as Effect from "effect/Effect"
import * as PipelineSchema from "../compiler/pipeline-schema.ts"
import * as DurableFiles from "../services/durable-files.ts"
import * as Catalog from "../../tasks/catalog.ts"
import * as ProjectReaders from "./project-readers.ts"
import * as Output from "./output.ts"

/** Prints the schema of pipelines, or writes it to a file unless that has the same text already. */
export const writeSchema = Effect.fnUntraced(function* (out: string | undefined) {
  const { flags, project } = yield* ProjectReaders.find
  const text = yield* PipelineSchema.generate.pipe(Effect.provide(Catalog.layer(project)))
  if (out === undefined) return yield* flags.json ? Output.json(JSON.parse(text)) : Output.data(text)
  const path = resolve(out)
  const before = yield* Effect.tryPromise(() => readFile(path, "utf8")).pipe(Effect.orElseSucceed(() => ""))
  if (before === text) return flags.quiet ? undefined : yield* Output.message(`${out} is up to date`)
  yield* DurableFiles.makeFolderDurably(dirname(path))
  yield* DurableFiles.writeFileDurably(path, new TextEncoder().encode(text))
  if (!flags.quiet) yield* Output.message(`wrote ${out}`)
})
