import { lstatSync, readdirSync } from "node:fs"
import { join } from "node:path"
import * as Effect from "effect/Effect"
import * as Durable from "./durable-files.ts"

/** How much a store holds: bytes, and how many files or streams that is. */
export interface StoreSize {
  readonly bytes: number
  readonly count: number
}

/** Files that are looked at before others get their turn. */
const atOnce = 256

const othersTurn = Effect.callback<void>((resume) => {
  setImmediate(() => resume(Effect.void))
})

const isGone = (error: Durable.FileFailed) => error.code === "ENOENT" || error.code === "ENOTDIR"

const sizeOf = (path: string) =>
  Durable.attemptNow("look at", path, () => lstatSync(path)).pipe(
    Effect.map((stat) => (stat.isFile() ? stat.size : undefined)),
    Effect.catchIf(isGone, () => Effect.undefined),
  )

/** The size of one file; none where there is none. */
export const ofFile = (path: string): Effect.Effect<StoreSize, Durable.FileFailed> =>
  Effect.map(sizeOf(path), (bytes) => ({ bytes: bytes ?? 0, count: bytes === undefined ? 0 : 1 }))

/** A sum that grows. */
interface Sum {
  bytes: number
  count: number
}

/** Counts files of one folder into a sum; those that are gone do not count. */
const count = (folder: string, names: ReadonlyArray<string>, sum: Sum) =>
  Durable.attemptNow("look at", folder, () => {
    for (const name of names) {
      const stat = lstatSync(join(folder, name), { throwIfNoEntry: false })
      if (stat === undefined) continue
      sum.bytes += stat.size
      sum.count++
    }
  })

/**
 * The size of all files below a folder, links not followed; what goes away meanwhile does not count, nor does a folder that
 * is not there. Looks at each file once, in parts, so that nobody waits for all of it.
 */
export const of = Effect.fn("FolderSize.of")(function* (folder: string) {
  const sum: Sum = { bytes: 0, count: 0 }
  const open = [folder]
  let looked = 0
  for (let at = open.pop(); at !== undefined; at = open.pop()) {
    const here = at
    const entries = yield* Durable.attemptNow("list", here, () => readdirSync(here, { withFileTypes: true })).pipe(
      Effect.catchIf(isGone, () => Effect.succeed([])),
    )
    for (const entry of entries) if (entry.isDirectory()) open.push(join(here, entry.name))
    const names = entries.flatMap((entry) => (entry.isFile() ? [entry.name] : []))
    for (let from = 0; from < names.length; from += atOnce) {
      yield* Effect.ignore(count(here, names.slice(from, from + atOnce), sum))
      if (from > 0) yield* othersTurn
    }
    looked++
    if (looked >= atOnce) {
      looked = 0
      yield* othersTurn
    }
  }
  return sum satisfies StoreSize
})
