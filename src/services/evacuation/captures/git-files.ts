/** The state of a git repository by its files alone (gitrepository-layout(5)). */
import { existsSync, statSync } from "node:fs"
import { dirname, join, resolve } from "node:path"
import * as Machine from "./machine-files.ts"

/** Where HEAD is. `branch` is undefined where it is detached, `commit` where nothing was committed. */
export interface Head {
  /** The work tree's folder, and its git folder. */
  readonly tree: string
  readonly folder: string
  readonly head: string
  readonly branch: string | undefined
  readonly commit: string | undefined
}

const gitFolderOf = (tree: string): string | undefined => {
  const path = join(tree, ".git")
  if (!existsSync(path)) return undefined
  if (statSync(path, { throwIfNoEntry: false })?.isDirectory()) return path
  const target = /^gitdir: (.+)$/m.exec(Machine.readNow(path) ?? "")?.[1]
  return target === undefined ? undefined : resolve(tree, target)
}

/** The repository of a folder, or of one above it; undefined where there is none. */
export const read = (from: string): Head | undefined => {
  for (let tree = resolve(from); ; tree = dirname(tree)) {
    const folder = gitFolderOf(tree)
    if (folder === undefined) {
      if (tree === dirname(tree)) return undefined
      continue
    }
    const head = (Machine.readNow(join(folder, "HEAD")) ?? "").trim()
    const ref = /^ref: (.+)$/.exec(head)?.[1]
    if (ref === undefined) return { tree, folder, head, branch: undefined, commit: head || undefined }
    const common = Machine.readNow(join(folder, "commondir"))?.trim()
    const shared = common === undefined ? folder : resolve(folder, common)
    const loose = Machine.readNow(join(folder, ref)) ?? Machine.readNow(join(shared, ref))
    const packed = (Machine.readNow(join(shared, "packed-refs")) ?? "")
      .split("\n")
      .find((line) => line.endsWith(` ${ref}`))
    const commit = loose?.trim() || packed?.split(" ")[0]
    return { tree, folder, head, branch: ref.replace(/^refs\/heads\//, ""), commit }
  }
}
