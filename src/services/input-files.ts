/** Files that a user named, read as they are. */
import { stat } from "node:fs/promises"
import * as Effect from "effect/Effect"
import * as Durable from "./durable-files.ts"

/** The text of a file (UTF-8). */
export const readText = (path: string): Effect.Effect<string, Durable.FileFailed> =>
  Durable.attempt("read", path, () => Bun.file(path).text())

/** True when there is something at the path. */
export const exists = (path: string): Effect.Effect<boolean, Durable.FileFailed> =>
  Durable.attempt("look at", path, () => stat(path)).pipe(
    Effect.as(true),
    Effect.catchIf(
      (error) => error.code === "ENOENT",
      () => Effect.succeed(false),
    ),
  )

/** True when there is a folder at the path. */
export const isFolder = (path: string): Effect.Effect<boolean, Durable.FileFailed> =>
  Durable.attempt("look at", path, () => stat(path)).pipe(
    Effect.map((found) => found.isDirectory()),
    Effect.catchIf(
      (error) => error.code === "ENOENT",
      () => Effect.succeed(false),
    ),
  )

/** The files that an absolute path or pattern (`*`, `?`, `**`, `[…]`, `{…}`) names, sorted. A plain path names itself. */
export const matching = (pattern: string): Effect.Effect<ReadonlyArray<string>, Durable.FileFailed> => {
  const special = /[*?[{]/.exec(pattern)
  if (special === null) return Effect.succeed([pattern])
  const folder = pattern.slice(0, pattern.lastIndexOf("/", special.index) + 1)
  return Durable.attempt("list", folder, async () => {
    const files: Array<string> = []
    const glob = new Bun.Glob(pattern.slice(folder.length))
    for await (const file of glob.scan({ cwd: folder, absolute: true, onlyFiles: true })) files.push(file)
    return files.sort()
  })
}
