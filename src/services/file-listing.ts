import { lstat, readdir, realpath } from "node:fs/promises"
import { join } from "node:path"
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import type { ListedFile } from "../domain/file-arrival.ts"
import * as Durable from "./durable-files.ts"

/** A folder has more in it than can be watched. */
export class FolderTooFull extends Schema.TaggedError<FolderTooFull>()("FolderTooFull", {
  folder: Schema.String,
  limit: Schema.Int,
}) {
  override get message() {
    return `${this.folder} holds more than ${this.limit} files; move those away that are done with, or watch a folder in it`
  }
}

/** Files that a pattern names. `unnamed` counts those whose names are no text (UTF-8): nobody could open them by it. */
export interface Listing {
  readonly files: ReadonlyArray<ListedFile>
  readonly unnamed: number
}

const mostEntries = 100_000
const deepest = 32
const atOnce = 64

/** How many folders deep a pattern can reach. */
const depthOf = (pattern: string): number => (pattern.includes("**") ? deepest : pattern.split("/").length - 1)

/** What is gone by the time it is looked at is not there. */
const unlessGone = <A>(look: Promise<A>): Promise<A | undefined> =>
  look.catch((error: unknown) => {
    if (error instanceof Error && "code" in error && error.code === "ENOENT") return undefined
    throw error
  })

const listedAt = async (folder: string, path: string): Promise<ListedFile | undefined> => {
  const found = await unlessGone(lstat(join(folder, path), { bigint: true }))
  if (found?.isFile() !== true) return undefined
  const { ctimeNs, ino, mtimeNs, size } = found
  return { path, size: Number(size), modified: String(mtimeNs), changed: String(ctimeNs), inode: String(ino) }
}

/** Paths of the files in a folder and those in it; undefined where there are too many. */
const pathsIn = async (folder: string, depth: number, hidden: boolean): Promise<ReadonlyArray<string> | undefined> => {
  const files: Array<string> = []
  const folders = [{ path: "", left: depth }]
  let entries = 0
  for (let next = folders.pop(); next !== undefined; next = folders.pop()) {
    const { left, path } = next
    const look = readdir(join(folder, path), { withFileTypes: true })
    // The folder itself has to be there: one whose disk is away is not empty.
    const found = path === "" ? await look : ((await unlessGone(look)) ?? [])
    entries += found.length
    if (entries > mostEntries) return undefined
    for (const entry of found) {
      const at = path === "" ? entry.name : `${path}/${entry.name}`
      if (entry.name.startsWith(".") && !hidden) continue
      if (entry.isDirectory() && left > 0) folders.push({ path: at, left: left - 1 })
      // Some file systems do not tell in a listing what an entry is.
      else if (!entry.isDirectory() && !entry.isSymbolicLink()) files.push(at)
    }
  }
  return files
}

/**
 * The regular files below a folder that a pattern (`*`, `?`, `**`, `[…]`, `{…}`; relative to the folder) names, and those
 * with `suffix` after such a name. Links in the folder are not followed; names that begin with a dot are looked at where the
 * pattern has some. A listing is whole, or it fails.
 */
export const list = Effect.fnUntraced(function* (
  folder: string,
  pattern: string,
  suffix?: string,
): Effect.fn.Return<Listing, Durable.FileFailed | FolderTooFull> {
  const glob = new Bun.Glob(pattern)
  const isNamed = (path: string): boolean =>
    glob.match(path) || (suffix !== undefined && path.endsWith(suffix) && glob.match(path.slice(0, -suffix.length)))
  const listing = yield* Durable.attempt("list", folder, async () => {
    const root = await realpath(folder)
    const paths = await pathsIn(root, depthOf(pattern), /(^|[/{,])\./.test(pattern))
    if (paths === undefined) return undefined
    const named = paths.filter(isNamed)
    const known = named.filter((path) => !path.includes("\ufffd"))
    const files: Array<ListedFile> = []
    for (let from = 0; from < known.length; from += atOnce) {
      const some = await Promise.all(known.slice(from, from + atOnce).map((path) => listedAt(root, path)))
      for (const file of some) if (file !== undefined) files.push(file)
    }
    return { files, unnamed: named.length - known.length }
  })
  return listing ?? (yield* new FolderTooFull({ folder, limit: mostEntries }))
})
