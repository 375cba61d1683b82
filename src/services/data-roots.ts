import * as Fs from "node:fs/promises"
import { join, sep } from "node:path"
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import { roots } from "../domain/config/storage.ts"
import type { DataClass } from "../domain/data-retention.ts"
import * as Durable from "./durable-files.ts"
import { Settings } from "./settings.ts"
import { Workspace } from "./workspace.ts"

/** The folder of a class of data lies where removing from it could take something else. Nothing was removed. */
export class DataRootRefused extends Schema.TaggedError<DataRootRefused>()("DataRootRefused", {
  key: Schema.String,
  path: Schema.String,
  reason: Schema.String,
}) {
  readonly notApplied = true
  override get message() {
    return `Nothing is removed while ${this.key} is ${this.path}: it ${this.reason}; give it a folder of its own in the storage section`
  }
}

/** A folder, links followed, below which data of a class lies. */
export interface DataRoot {
  readonly class: DataClass
  readonly path: string
}

const classes: Readonly<Record<string, DataClass>> = {
  canonical_root: "canonical",
  features_root: "features",
  raw_root: "raw",
  snapshots_root: "snapshots",
}

/** What lies in a home by its own names: records, keys, and what they need. */
const ofHome = [
  ..."artifacts bookmarks cache cleanups cordons inbox incidents instances keys ledger logs outbox owners processes".split(
    " ",
  ),
  ..."receipts reports retention scratch signals state.db term-owners".split(" "),
]
/** What a project is made of, and what a repository keeps of it. */
const ofProject = [
  ".git",
  "configs",
  "deploy",
  "node_modules",
  "pipelines",
  "samples",
  "schema",
  "src",
  "tasks",
  "test",
]

const holds = (folder: string, path: string): boolean =>
  path === folder || path.startsWith(folder.endsWith(sep) ? folder : `${folder}${sep}`)

/** Why nothing must be removed below a path, whatever the other roots are; undefined where it may. */
const ownProblem = (path: string, { home, project }: Pick<Workspace["Service"], "home" | "project">) => {
  if (holds(path, home)) return `is or holds ${home}, where all records are`
  if (holds(path, project)) return `is or holds the project ${project}`
  // Where $DANDORI_HOME is elsewhere, the usual one may be that of others.
  const homes = [home, join(project, ".dandori")]
  const own = [
    ...homes.flatMap((one) => ofHome.map((name) => join(one, name))),
    ...ofProject.map((name) => join(project, name)),
  ]
  const kept = own.find((folder) => holds(path, folder) || holds(folder, path))
  return kept === undefined ? undefined : `overlaps ${kept}`
}

type Place = readonly [key: string, path: string]

/** As `ownProblem`, by the other roots. */
const otherProblem = ([key, path]: Place, places: ReadonlyArray<Place>) => {
  const found = places.find(([other, at]) => other !== key && (holds(path, at) || holds(at, path)))
  return found === undefined ? undefined : `overlaps ${found[0]}`
}

const isFolder = (path: string) =>
  Durable.attempt("look at", path, () => Fs.lstat(path)).pipe(
    Effect.map((stat) => stat.isDirectory()),
    Effect.catchIf(
      (error) => error.code === "ENOENT" || error.code === "ENOTDIR",
      () => Effect.succeed(false),
    ),
  )

/**
 * The roots that are there, by the storage section. Fails when one of them, there or not, is, holds or lies inside what is
 * not its own: the home or what the home keeps, the project or what it is made of, another root.
 */
export const list = Effect.gen(function* () {
  const workspace = yield* Workspace
  const { storage } = (yield* Settings).sections
  const places = yield* Effect.forEach(roots(storage), ([key, path]) =>
    Effect.map(workspace.resolve(path), (real): Place => [key, real]),
  )
  const ofData = places.flatMap(([key, path]) => {
    const kind = classes[key]
    return kind === undefined ? [] : [{ key, class: kind, path }]
  })
  const problems = [
    ...ofData.map((one) => ({ ...one, reason: ownProblem(one.path, workspace) })),
    ...ofData.map((one) => ({ ...one, reason: otherProblem([one.key, one.path], places) })),
  ]
  for (const { key, path, reason } of problems) {
    if (reason !== undefined) return yield* new DataRootRefused({ key, path: workspace.display(path), reason })
  }
  return (yield* Effect.filter(ofData, ({ path }) => isFolder(path))) satisfies ReadonlyArray<DataRoot>
}).pipe(Effect.withSpan("DataRoots.list"))
