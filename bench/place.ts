import { chmodSync, mkdirSync, mkdtempSync, readdirSync, rmSync } from "node:fs"
import { join } from "node:path"

/** The checkout. */
export const repository = join(import.meta.dir, "..")

const parent = join(repository, ".cache", "bench")

const writable = (folder: string): void => {
  chmodSync(folder, 0o700)
  for (const entry of readdirSync(folder, { withFileTypes: true })) {
    if (entry.isDirectory()) writable(join(folder, entry.name))
  }
}

/** Where benches write: on the checkout's disk. */
export const folder = (): string => {
  mkdirSync(parent, { recursive: true })
  return parent
}

/** Gives a new folder on the checkout's disk, and removes it afterwards. */
export const withFolder = async <A>(use: (path: string) => Promise<A>): Promise<A> => {
  const path = mkdtempSync(join(folder(), "place-"))
  try {
    return await use(path)
  } finally {
    writable(path)
    rmSync(path, { recursive: true, force: true })
  }
}
