import { fileURLToPath } from "node:url"
import * as Fs from "node:fs"
import { join } from "node:path"
import * as Context from "effect/Context"
import type { Sha256 } from "../domain/sha256.ts"

declare const DANDORI_CODE_DIGEST: string | undefined

const filesBelow = (folder: string): ReadonlyArray<string> =>
  Fs.readdirSync(folder, { withFileTypes: true }).flatMap((entry) => {
    const path = join(folder, entry.name)
    if (entry.isDirectory()) return filesBelow(path)
    return /\.(ts|mjs|json|py|sh)$/.test(entry.name) ? [path] : []
  })

/** Paths and bytes of files, in byte order of the path. */
const ofFiles = (root: string, files: ReadonlyArray<string>): Sha256 => {
  const hasher = new Bun.CryptoHasher("sha256")
  for (const file of files.toSorted()) hasher.update(`${file.slice(root.length)}\n`).update(Fs.readFileSync(file))
  return hasher.digest("hex") as Sha256
}

/** Digest over the program's sources and its lock file. */
export const ofSources = (root: string): Sha256 =>
  ofFiles(root, [...filesBelow(join(root, "src")), ...filesBelow(join(root, "tasks")), join(root, "bun.lock")])

/** Digest over the sources of a project's own task types: all of its `tasks/`, as one may import another. */
export const ofProject = (project: string): Sha256 => ofFiles(project, filesBelow(join(project, "tasks")))

let known: Sha256 | undefined

/** Digest of the code that runs: put in by the build, or computed from the checkout once per process. */
export const CodeDigest = Context.Reference<() => Sha256>("dandori/services/CodeDigest", {
  defaultValue: () => () => {
    if (known === undefined) {
      known =
        typeof DANDORI_CODE_DIGEST === "string"
          ? (DANDORI_CODE_DIGEST as Sha256)
          : ofSources(fileURLToPath(new URL("../..", import.meta.url)).replace(/\/$/, ""))
    }
    return known
  },
})
