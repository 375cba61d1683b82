import * as Fs from "node:fs/promises"
import { existsSync, mkdtempSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import { attempt } from "./durable-files.ts"

/** A git revision that cannot be looked at. */
export class RevisionUnusable extends Schema.TaggedError<RevisionUnusable>()("RevisionUnusable", {
  revision: Schema.String,
  reason: Schema.String,
}) {
  /** Bad data: there is no such revision, or what it holds cannot be compared. */
  readonly exitCode = 65
  override get message() {
    return `The git revision ${this.revision} cannot be used: ${this.reason}`
  }
}

/** A project as it was at a revision, in a folder of its own. */
export interface Tree {
  readonly folder: string
  /** The commit, 40 or 64 hexadecimal digits. */
  readonly commit: string
}

/** Runs git to its end; stops it when the fiber is interrupted. */
const git = (cwd: string, revision: string, args: ReadonlyArray<string>, index?: string) =>
  Effect.callback<string, RevisionUnusable>((resume) => {
    const fail = (reason: string) => resume(Effect.fail(new RevisionUnusable({ revision, reason })))
    const controller = new AbortController()
    const run = async () => {
      const child = Bun.spawn(["git", ...args], {
        cwd,
        env: { ...process.env, LC_ALL: "C", ...(index === undefined ? {} : { GIT_INDEX_FILE: index }) },
        stdin: "ignore",
        stdout: "pipe",
        stderr: "pipe",
        signal: controller.signal,
        killSignal: "SIGKILL",
      })
      const [out, err, code] = await Promise.all([
        new Response(child.stdout).text(),
        new Response(child.stderr).text(),
        child.exited,
      ])
      if (code === 0) return resume(Effect.succeed(out.trim()))
      fail(
        err
          .trim()
          .split("\n")[0]
          ?.replace(/^(fatal|error): /, "") || `git ended with ${code}`,
      )
    }
    run().catch((cause: unknown) => {
      const missing = typeof cause === "object" && cause !== null && "code" in cause && cause.code === "ENOENT"
      fail(missing ? "git is not installed" : String(cause))
    })
    return Effect.sync(() => controller.abort())
  })

/** A temporary folder that goes with the scope, and with a Ctrl-C too. */
const temporary = Effect.acquireRelease(
  Effect.sync(() => {
    const folder = mkdtempSync(join(tmpdir(), "dandori-revision-"))
    const remove = () => rmSync(folder, { recursive: true, force: true })
    const onSignal = () => {
      remove()
      process.exit(130)
    }
    process.once("SIGINT", onSignal)
    return { folder, remove, onSignal }
  }),
  ({ onSignal, remove }) =>
    Effect.sync(() => {
      process.off("SIGINT", onSignal)
      remove()
    }),
)

/**
 * The project's folder as it was at a revision, without touching the work tree or the index of the repository. Packages
 * come from the project's own `node_modules`.
 */
export const extract = Effect.fn("GitTree.extract")(function* (project: string, revision: string) {
  const refuse = (reason: string) => new RevisionUnusable({ revision, reason })
  const inside = yield* git(project, revision, ["rev-parse", "--show-prefix"])
  const named = ["rev-parse", "--verify", "--quiet", "--end-of-options", `${revision}^{commit}`]
  const commit = yield* git(project, revision, named).pipe(
    Effect.mapError(() => refuse("there is no such commit, branch or tag (git log shows what there is)")),
  )
  const { folder: root } = yield* temporary
  const folder = join(root, "tree")
  const index = join(root, "index")
  const prefix = inside.replace(/\/$/, "")
  yield* attempt("make the folder", folder, () => Fs.mkdir(folder)).pipe(
    Effect.mapError(({ message }) => refuse(message)),
  )
  yield* git(project, revision, ["read-tree", `${commit}:${prefix}`], index).pipe(
    Effect.mapError(() => refuse(`it has no folder ${prefix}`)),
  )
  const toplevel = yield* git(project, revision, ["rev-parse", "--show-toplevel"])
  yield* git(toplevel, revision, ["checkout-index", "--all", "--force", `--prefix=${folder}/`], index)
  const packages = join(project, "node_modules")
  if (existsSync(packages) && !existsSync(join(folder, "node_modules"))) {
    yield* attempt("link", packages, () => Fs.symlink(packages, join(folder, "node_modules"))).pipe(
      Effect.mapError(({ message }) => refuse(message)),
    )
  }
  return { folder, commit } satisfies Tree
})
