/** The project's code as bytes: what a release is judged by. */
import * as Fs from "node:fs/promises"
import { join, relative, sep } from "node:path"
import * as Effect from "effect/Effect"
import type { Sha256 } from "../domain/sha256.ts"
import * as Digest from "../domain/sha256.ts"
import * as Durable from "./durable-files.ts"
import { Processes } from "./processes.ts"
import { Workspace } from "./workspace.ts"

/** The code at a moment: the SHA-256 over its sorted `sha256  path` lines, and the digest of each file. */
export interface ProjectCode {
  readonly sha256: Sha256
  readonly files: ReadonlyMap<string, string>
}

const longestList = 64 * 2 ** 20
const unlisted = new Set([".git", "node_modules"])

/** All files below a folder, relative to the project. */
const walk = (project: string, folder: string): Effect.Effect<ReadonlyArray<string>, Durable.FileFailed> =>
  Durable.attempt("list", folder, () => Fs.readdir(folder, { withFileTypes: true })).pipe(
    Effect.flatMap((entries) =>
      Effect.forEach(
        entries.filter(({ name }) => !unlisted.has(name)),
        (entry) => {
          const path = join(folder, entry.name)
          return entry.isDirectory() ? walk(project, path) : Effect.succeed([relative(project, path)])
        },
      ),
    ),
    Effect.map((found) => found.flat()),
  )

/**
 * What git counts to the project: tracked, or neither tracked nor ignored. Undefined where there is no git, or the
 * project is in no repository.
 */
const listed = Effect.fnUntraced(function* (project: string) {
  const processes = yield* Processes
  const argv = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
  const { exitCode, stdout } = yield* processes
    .run({ argv, cwd: project, env: { LC_ALL: "C" }, keep: longestList })
    .pipe(Effect.catchTag("ProcessNotStarted", () => Effect.succeed({ exitCode: 127, stdout: "" })))
  if (exitCode !== 0 || stdout.length >= longestList) return undefined
  return stdout.split("\0").filter((path) => path !== "")
})

type Found = ReadonlyArray<readonly [path: string, digest: string]>

/** The digest of a file, of where a link points to, of all that is in a folder (a repository in the repository). */
const digestOf = (project: string, path: string): Effect.Effect<Found, Durable.FileFailed> =>
  Effect.gen(function* () {
    const absolute = join(project, path)
    const stat = yield* Durable.attempt("look at", absolute, () => Fs.lstat(absolute))
    if (stat.isSymbolicLink()) {
      const target = yield* Durable.attempt("read the link", absolute, () => Fs.readlink(absolute))
      return [[path, Digest.of(`link to ${target}`)]] as Found
    }
    if (stat.isDirectory()) {
      const inner = yield* walk(project, absolute)
      return (yield* Effect.forEach(inner, (file) => digestOf(project, file))).flat()
    }
    if (!stat.isFile()) return []
    const { sha256 } = yield* Durable.digestFile(absolute)
    return [[path, sha256]] as Found
  }).pipe(
    // Deleted, but not in git's index yet.
    Effect.catchIf(
      (error) => error.code === "ENOENT",
      () => Effect.succeed<Found>([]),
    ),
  )

/**
 * Reads the project's code: what git counts to it, changed and new files included, or, without git, all below its folder
 * but `node_modules`. What Dandori itself keeps in the project's home is none of it.
 */
export const read = Effect.fn("ProjectCode.read")(function* () {
  const { home, project } = yield* Workspace
  const all = (yield* listed(project)) ?? (yield* walk(project, project))
  const inHome = `${relative(project, home)}${sep}`
  const paths = [...new Set(all.filter((path) => !path.startsWith(inHome)))].toSorted()
  const found = yield* Effect.forEach(paths, (path) => digestOf(project, path), { concurrency: 8 })
  const files = new Map(found.flat())
  const lines = [...files].map(([path, digest]) => `${digest}  ${path}\n`)
  return { sha256: Digest.of(lines.join("")), files } satisfies ProjectCode
})

/** The paths at which two readings differ, sorted. */
export const changes = (before: ProjectCode, after: ProjectCode): ReadonlyArray<string> =>
  [...new Set([...before.files.keys(), ...after.files.keys()])]
    .filter((path) => before.files.get(path) !== after.files.get(path))
    .toSorted()
