import * as Fs from "node:fs/promises"
import { join, relative } from "node:path"
import * as Effect from "effect/Effect"
import { compileFile } from "../compiler/compile-file.ts"
import * as PlanSides from "../daemon/plan-sides.ts"
import { attempt } from "../services/durable-files.ts"
import * as GitTree from "../services/git-tree.ts"
import * as SettingsFiles from "../services/settings-files.ts"
import * as Compiling from "./compiling.ts"
import { shownPath } from "./pipeline-validate.ts"

/** A pipeline as its file says it now. */
export const ofFile = Effect.fnUntraced(function* (
  project: string,
  file: string,
  configuration: SettingsFiles.Configuration,
) {
  const { plan } = yield* compileFile(shownPath(file))
  return yield* PlanSides.complete(project, plan, configuration)
})

/** A project at a git revision. */
export interface Revision {
  readonly name: string
  readonly tree: GitTree.Tree
}

/** A pipeline as its file said it at a git revision, with the configuration of then; undefined where it had no such file. */
export const ofRevision = Effect.fnUntraced(function* (
  project: string,
  env: string,
  { name, tree: { folder } }: Revision,
  file: string,
) {
  const refuse = (reason: string) => new GitTree.RevisionUnusable({ revision: name, reason })
  const inside = relative(project, file)
  if (inside.startsWith("..")) {
    return yield* refuse(`${shownPath(file)} does not lie in the project, so no revision of the project holds it`)
  }
  const then = join(folder, inside)
  const there = yield* attempt("look at", then, () => Fs.stat(then)).pipe(
    Effect.as(true),
    Effect.orElseSucceed(() => false),
  )
  if (!there) return undefined
  return yield* Effect.gen(function* () {
    const configuration = yield* SettingsFiles.load(folder, env)
    const { plan } = yield* compileFile(then)
    return (yield* PlanSides.complete(folder, plan, configuration)).side
  }).pipe(
    Effect.provide(Compiling.layer(folder, env)),
    Effect.mapError(({ message }) => refuse(message.replaceAll(`${folder}/`, `${name}:`))),
  )
})
