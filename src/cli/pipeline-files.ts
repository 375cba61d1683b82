import { basename, extname, isAbsolute, join, resolve } from "node:path"
import * as Effect from "effect/Effect"
import * as FileSystem from "effect/FileSystem"
import { didYouMean } from "../domain/suggest.ts"
import * as Schema from "effect/Schema"
import * as Output from "./output.ts"

/** No pipeline has the id that a person named. */
export class PipelineUnknown extends Schema.TaggedError<PipelineUnknown>()("PipelineUnknown", {
  id: Schema.String,
  known: Schema.Array(Schema.String),
}) {
  override get message() {
    const has = this.known.length === 0 ? "pipelines/ has none yet" : `pipelines/ has ${this.known.join(", ")}`
    return `There is no pipeline "${this.id}".${didYouMean(this.id, this.known)} ${has}.`
  }
}

const extensions = [".yaml", ".yml", ".ts"]

/** Pipeline files of a project: `pipelines/<id>.yaml|yml|ts`. */
export const list = Effect.fnUntraced(function* (project: string) {
  const fs = yield* FileSystem.FileSystem
  const folder = join(project, "pipelines")
  const names = yield* fs.readDirectory(folder).pipe(Effect.orElseSucceed((): Array<string> => []))
  return names
    .filter((name) => extensions.includes(extname(name)))
    .toSorted()
    .map((name) => join(folder, name))
})

/** The file of a pipeline that a person named by path or by id. */
export const locate = Effect.fnUntraced(function* (project: string, name: string | undefined) {
  const files = yield* list(project)
  const ids = files.map((file) => basename(file, extname(file)))
  if (name === undefined) {
    const known = ids.length === 0 ? "pipelines/ has none yet" : `pipelines/ has ${[...new Set(ids)].join(", ")}`
    return yield* new Output.UsageError({ reason: `Which pipeline? Name a file or an id; ${known}.` })
  }
  if (extensions.includes(extname(name))) return isAbsolute(name) ? name : resolve(process.cwd(), name)
  const [found, ...others] = extensions
    .map((extension) => join(project, "pipelines", `${name}${extension}`))
    .filter((file) => files.includes(file))
  if (found !== undefined) {
    const also = others.map((file) => basename(file)).join(" and ")
    if (also !== "")
      yield* Output.message(`Taking ${basename(found)}; ${also} has the same id, name the file to take it.`)
    return found
  }
  return yield* new PipelineUnknown({ id: name, known: [...new Set(ids)] })
})
