import * as Fs from "node:fs/promises"
import { join } from "node:path"
import * as Effect from "effect/Effect"
import { attempt } from "./durable-files.ts"

/** A task type that lies in a project: the name of its folder, and its file. */
export interface ProjectTaskType {
  readonly name: string
  readonly file: string
}

/** The task types below `<project>/tasks`, by name; none where there is no such folder. Links are followed. */
export const list = Effect.fn("ProjectTaskTypes.list")(function* (project: string) {
  const folder = join(project, "tasks")
  const names = yield* attempt("list", folder, () => Fs.readdir(folder)).pipe(Effect.orElseSucceed(() => []))
  const found = yield* Effect.forEach(names.toSorted(), (name) => {
    const file = join(folder, name, "index.ts")
    return attempt("follow", file, () => Fs.realpath(file)).pipe(
      Effect.map((real): ReadonlyArray<ProjectTaskType> => [{ name, file: real }]),
      Effect.orElseSucceed(() => []),
    )
  })
  return found.flat()
})

/** True for a checkout of Dandori itself, whose task types are the ones that ship. */
export const isProgram = Effect.fn("ProjectTaskTypes.isProgram")(function* (project: string) {
  const file = join(project, "package.json")
  return yield* attempt("read", file, () => Fs.readFile(file, "utf8")).pipe(
    Effect.map((text) => /"name":\s*"dandori"/.test(text)),
    Effect.orElseSucceed(() => false),
  )
})
