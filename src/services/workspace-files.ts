/** Where the project is on this machine's disk, and which paths may be touched. */
import * as Fs from "node:fs/promises"
import { dirname, isAbsolute, join, relative, resolve, sep } from "node:path"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Schema from "effect/Schema"
import { attempt, type FileFailed } from "./durable-files.ts"
import { PathRefused, Workspace } from "./workspace.ts"

/** No folder at or above this one holds `configs/` or `pipelines/`. */
export class ProjectNotFound extends Schema.TaggedError<ProjectNotFound>()("ProjectNotFound", { cwd: Schema.String }) {
  override get message() {
    return `No project at ${this.cwd} or above it: no folder there holds configs/ or pipelines/; \`dandori init\` makes one`
  }
}

/** A project's folder and its home, both absolute. */
export interface Project {
  readonly project: string
  readonly home: string
}

const isFolder = (path: string) =>
  attempt("look at", path, () => Fs.stat(path)).pipe(
    Effect.map((found) => found.isDirectory()),
    Effect.orElseSucceed(() => false),
  )

/**
 * The nearest folder, from `cwd` upwards, that holds `configs/` or `pipelines/`. Its home is `.dandori` in it, or
 * `dandoriHome` (the value of `$DANDORI_HOME`, relative to `cwd`).
 */
export const findProject = Effect.fn("WorkspaceFiles.findProject")(function* (cwd: string, dandoriHome?: string) {
  for (let folder = resolve(cwd); ; folder = dirname(folder)) {
    if ((yield* isFolder(join(folder, "configs"))) || (yield* isFolder(join(folder, "pipelines")))) {
      const home =
        dandoriHome === undefined || dandoriHome === "" ? join(folder, ".dandori") : resolve(cwd, dandoriHome)
      return { project: folder, home } satisfies Project
    }
    if (folder === dirname(folder)) return yield* new ProjectNotFound({ cwd })
  }
})

/** Makes a project's home, for its owner only, before anything else makes it. One that is there stays as it is. */
export const makeHome = (home: string): Effect.Effect<void, FileFailed> =>
  attempt("make the folder", home, () => Fs.mkdir(home, { recursive: true, mode: 0o700 })).pipe(Effect.asVoid)

const refusal = (path: string) => (error: FileFailed) => new PathRefused({ path, reason: error.message })

const isLink = (path: string) =>
  attempt("look at", path, () => Fs.lstat(path)).pipe(
    Effect.map((found) => found.isSymbolicLink()),
    Effect.catchIf(
      (error) => error.code === "ENOENT",
      () => Effect.undefined,
    ),
  )

/**
 * The path that the operating system would reach from `folder`: links are followed part by part, so that `link/..` is
 * the parent of what the link points to. Parts that do not exist yet are kept as they are.
 */
const real = Effect.fnUntraced(function* (folder: string, path: string) {
  if (path === "") return yield* new PathRefused({ path, reason: "it is empty; name a file or a folder" })
  if (path.includes("\0")) {
    return yield* new PathRefused({ path: path.replaceAll("\0", "\\0"), reason: "it holds a NUL character" })
  }
  let at = isAbsolute(path) ? "/" : yield* Effect.mapError(follow(folder), refusal(path))
  for (const part of path.split(sep)) {
    if (part === "" || part === ".") continue
    if (part === "..") {
      at = dirname(at)
      continue
    }
    const next = join(at, part)
    const link = yield* Effect.mapError(isLink(next), refusal(path))
    at = link === true ? yield* Effect.mapError(follow(next), refusal(path)) : next
  }
  return at
})

const follow = (path: string) => attempt("follow", path, () => Fs.realpath(path))

const holds = (root: string, path: string): boolean =>
  path === root || path.startsWith(root.endsWith(sep) ? root : `${root}${sep}`)

/**
 * The workspace of a project. `extraRoots` are the configured roots (project-relative or absolute; they need not exist
 * yet). With `allowUserPaths`, for a person on a command line, any path is allowed; it is still followed and made
 * absolute. What leads into `<home>/keys` is refused for everyone. Fails when the project's folder does not exist.
 */
export const layer = (options: {
  readonly project: string
  readonly home?: string
  readonly extraRoots: ReadonlyArray<string>
  readonly allowUserPaths: boolean
}): Layer.Layer<Workspace, PathRefused> =>
  Layer.effect(
    Workspace,
    Effect.gen(function* () {
      const project = yield* Effect.mapError(follow(resolve(options.project)), refusal(options.project))
      const home = yield* real(project, options.home ?? ".dandori")
      return Workspace.of({
        project,
        home,
        resolve: Effect.fnUntraced(function* (path) {
          const target = yield* real(project, path)
          if (holds(yield* real(home, "keys"), target) || holds(join(home, "keys"), target)) {
            const reason = "it leads to the private keys of the ledger, which no task reads, copies or changes"
            return yield* new PathRefused({ path, reason })
          }
          if (options.allowUserPaths || holds(project, target) || holds(home, target)) return target
          for (const root of options.extraRoots) {
            if (holds(yield* real(project, root), target)) return target
          }
          const leads = target === resolve(project, path) ? "it lies" : `it leads to ${target},`
          return yield* new PathRefused({
            path,
            reason: `${leads} outside the project and the configured roots; move it, or add its folder to the storage section`,
          })
        }),
        display: (path) => {
          const target = resolve(project, path)
          return holds(project, target) ? relative(project, target) || "." : target
        },
      })
    }),
  )
