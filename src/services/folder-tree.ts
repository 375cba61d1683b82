import * as Fs from "node:fs/promises"
import { join } from "node:path"
import * as Effect from "effect/Effect"
import * as Durable from "./durable-files.ts"

/** What lies in a folder; paths relative to it, `/`-separated, sorted. Links are not followed. */
export interface FolderTree {
  readonly files: ReadonlyArray<string>
  readonly folders: ReadonlyArray<{ readonly path: string; readonly mode: number }>
  readonly links: ReadonlyArray<{ readonly path: string; readonly target: string }>
  /** Sockets, pipes, devices. */
  readonly others: ReadonlyArray<string>
}

/** Walks a folder. Fails when it, or a folder in it, cannot be read; and with ELOOP when it is itself a link. */
export const walk = (root: string): Effect.Effect<FolderTree, Durable.FileFailed> =>
  Effect.gen(function* () {
    const stat = yield* Durable.attempt("look at", root, () => Fs.lstat(root))
    if (!stat.isDirectory()) {
      const code = stat.isSymbolicLink() ? "ELOOP" : "ENOTDIR"
      return yield* new Durable.FileFailed({ path: root, operation: "walk", code, reason: "it is no folder" })
    }
    const files: Array<string> = []
    const folders: Array<{ readonly path: string; readonly mode: number }> = []
    const links: Array<{ readonly path: string; readonly target: string }> = []
    const others: Array<string> = []
    const open = [""]
    for (let folder = open.pop(); folder !== undefined; folder = open.pop()) {
      const at = join(root, folder)
      for (const entry of yield* Durable.attempt("list", at, () => Fs.readdir(at, { withFileTypes: true }))) {
        const path = folder === "" ? entry.name : `${folder}/${entry.name}`
        const full = join(root, path)
        if (entry.isFile()) files.push(path)
        else if (entry.isDirectory()) {
          const { mode } = yield* Durable.attempt("look at", full, () => Fs.lstat(full))
          folders.push({ path, mode: mode & 0o777 })
          open.push(path)
        } else if (entry.isSymbolicLink()) {
          links.push({ path, target: yield* Durable.attempt("read the link", full, () => Fs.readlink(full)) })
        } else others.push(path)
      }
    }
    const byPath = (x: { readonly path: string }, y: { readonly path: string }) => (x.path < y.path ? -1 : 1)
    return {
      files: files.toSorted(),
      folders: folders.toSorted(byPath),
      links: links.toSorted(byPath),
      others: others.toSorted(),
    }
  })
