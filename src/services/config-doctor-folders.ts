/** Whether the folders that a configuration names can be made and written. Makes none. */
import { constants } from "node:fs"
import * as Fs from "node:fs/promises"
import { dirname, isAbsolute, resolve } from "node:path"
import * as Effect from "effect/Effect"
import * as Result from "effect/Result"
import type { Sections } from "../domain/config/sections.ts"
import { roots } from "../domain/config/storage.ts"
import { bad, type Finding, ok } from "./config-finding.ts"
import { attempt } from "./durable-files.ts"

const writable = (path: string) => attempt("write to", path, () => Fs.access(path, constants.W_OK | constants.X_OK))

/** The nearest folder at a path or above it that exists. */
export const existing = (path: string): Effect.Effect<string> =>
  attempt("look at", path, () => Fs.stat(path)).pipe(
    Effect.as(path),
    Effect.catch(() => (path === dirname(path) ? Effect.succeed(path) : existing(dirname(path)))),
  )

const folder = Effect.fnUntraced(function* (
  section: string,
  key: string,
  path: string,
  has: { readonly mount: boolean },
) {
  const found = yield* Effect.result(attempt("look at", path, () => Fs.stat(path)))
  if (Result.isFailure(found)) {
    if (found.failure.code !== "ENOENT") {
      return bad(section, "error", `${key}: ${found.failure.message}`, `make ${path} a folder`)
    }
    if (has.mount) {
      const fix = `mount its volume, or make the folder: mkdir -p ${path}`
      return bad(section, "missing", `${key}: the folder ${path} does not exist`, fix)
    }
  } else if (!found.success.isDirectory()) {
    return bad(section, "error", `${key}: ${path} is not a folder`, `move the file away, or change ${key}`)
  }
  const nearest = yield* existing(path)
  const access = yield* Effect.result(writable(nearest))
  if (Result.isFailure(access)) {
    const fix = `give this user the right to write to ${nearest}`
    return bad(section, "error", `${key}: ${access.failure.message}`, fix)
  }
  return ok(section, `${key}: ${path} ${nearest === path ? "is writable" : "will be made when it is needed"}`)
})

/** A relative root is made when it is needed; an absolute one may be a volume that is not mounted, so it has to exist. */
export const root = (project: string, key: string, configured: string): Effect.Effect<Finding> =>
  folder("storage", key, resolve(project, configured), { mount: isAbsolute(configured) })

/** Folders that files of routes and of exporters go into, each once. */
const ofFiles = ({ exporters, notifications }: Sections): ReadonlyArray<readonly [section: string, path: string]> => {
  const routes = Object.values(notifications.channels).flatMap(({ routes }) => routes)
  const paths = new Set(routes.flatMap((route) => (route.to === "file" ? [dirname(route.path)] : [])))
  const ofExporters = new Set(exporters.exporters.flatMap((each) => ("path" in each ? [dirname(each.path)] : [])))
  return [
    ...[...paths].map((path) => ["notifications", path] as const),
    ...[...ofExporters].map((path) => ["exporters", path] as const),
  ]
}

/** The roots, and where notifications and views go that are written to files. */
export const look = (project: string, sections: Sections): Effect.Effect<ReadonlyArray<Finding>> =>
  Effect.forEach(
    [
      ...roots(sections.storage).map(([key, path]) => root(project, key, path)),
      ...ofFiles(sections).map(([section, path]) => folder(section, "files", resolve(project, path), { mount: false })),
    ],
    (each) => each,
  )
