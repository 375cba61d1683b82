import * as Fs from "node:fs/promises"
import { join } from "node:path"
import * as Effect from "effect/Effect"
import * as Sha256 from "../domain/sha256.ts"

const lookAt = async (path: string): Promise<string> => {
  const found = await Fs.stat(path, { bigint: true }).catch(() => undefined)
  return found === undefined ? `${path} -` : `${path} ${found.ino} ${found.size} ${found.mtimeNs} ${found.ctimeNs}`
}

const below = async (folder: string): Promise<ReadonlyArray<string>> => {
  const entries = await Fs.readdir(folder, { withFileTypes: true }).catch(() => [])
  const found = await Promise.all(
    entries.map((entry) => {
      const path = join(folder, entry.name)
      return entry.isDirectory() && entry.name !== "node_modules" ? below(path) : lookAt(path)
    }),
  )
  return [`${folder}/`, ...found.flat()]
}

/**
 * A digest that changes with the files of folders and with single files: by their inodes, sizes and times, without reading
 * them. What cannot be looked at counts as missing.
 */
export const of = (folders: ReadonlyArray<string>, files: Iterable<string>): Effect.Effect<Sha256.Sha256> =>
  Effect.promise(async () => {
    const all = await Promise.all([...folders.map(below), ...[...files].map(async (file) => [await lookAt(file)])])
    return Sha256.of(all.flat().toSorted().join("\n"))
  })
