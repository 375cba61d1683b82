import * as Fs from "node:fs/promises"
import { join } from "node:path"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Sha256 from "../domain/sha256.ts"

/**
 * Texts that spare a process what another one has read already. Nothing depends on them: one that is gone or damaged is as
 * if it had never been.
 */
export interface Bookmarks {
  /** After so many bytes that were read it pays to keep one. */
  readonly every: number
  readonly read: (name: string) => Effect.Effect<string | undefined>
  readonly write: (name: string, text: string) => Effect.Effect<void>
}

/** The bookmarks of the project; there are none unless they are provided. */
export const Bookmarks = Context.Reference<Bookmarks>("dandori/services/Bookmarks", {
  defaultValue: () => ({ every: Infinity, read: () => Effect.undefined, write: () => Effect.void }),
})

const usually = 4 << 20

/** Bookmarks as files `<folder>/<name>.json`: the SHA-256 of the text, a newline, the text. The folder is made with the first. */
export const inFolder = (folder: string, every = usually): Bookmarks => ({
  every,
  read: (name) =>
    Effect.promise(async () => {
      const file = await Fs.readFile(join(folder, `${name}.json`), "utf8").catch(() => "")
      const text = file.slice(65)
      return file.startsWith(`${Sha256.of(text)}\n`) ? text : undefined
    }),
  write: (name, text) =>
    Effect.promise(async () => {
      const path = join(folder, `${name}.json`)
      const own = `${path}.${process.pid}.tmp`
      try {
        await Fs.mkdir(folder, { recursive: true, mode: 0o700 })
        await Fs.writeFile(own, `${Sha256.of(text)}\n${text}`, { mode: 0o600 })
        await Fs.rename(own, path)
      } catch {
        await Fs.rm(own, { force: true }).catch(() => {})
      }
    }),
})
