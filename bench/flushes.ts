/**
 * Counts the flushes of this process and the time in which at least one was going on. The ledger and folders are
 * flushed through `node:fs`, everything else through file handles; both are wrapped before the program is imported.
 */
import { type FileHandle, open } from "node:fs/promises"
import { join } from "node:path"

/** Flushes so far, and the milliseconds in which at least one was going on. */
export interface Count {
  readonly flushes: number
  readonly millis: number
}

let flushes = 0
let going = 0
let since = 0
let millis = 0

/** Starts a flush; the result ends it. */
export const counting = (): (() => void) => {
  flushes++
  if (going++ === 0) since = performance.now()
  return () => {
    if (--going === 0) millis += performance.now() - since
  }
}

/** The flushes since this process began. */
export const count = (): Count => ({ flushes, millis })

/** The flushes between two counts. */
export const between = (before: Count, after: Count): Count => ({
  flushes: after.flushes - before.flushes,
  millis: after.millis - before.millis,
})

const countedFs = join(import.meta.dir, "counted-fs.ts")

/** Wraps what flushes. Call it before any module of the program is imported. */
export const install = async (): Promise<void> => {
  Bun.plugin({
    name: "counted flushes",
    setup(build) {
      build.onLoad({ filter: /\/src\/services\/(append-file|durable-files)\.ts$/ }, async ({ path }) => {
        const text = await Bun.file(path).text()
        return { contents: text.replace('from "node:fs"', `from ${JSON.stringify(countedFs)}`), loader: "ts" }
      })
    },
  })
  const handle = await open(import.meta.path)
  const prototype: FileHandle = Object.getPrototypeOf(handle)
  await handle.close()
  for (const name of ["sync", "datasync"] as const) {
    const real = prototype[name]
    prototype[name] = function (this: FileHandle) {
      const done = counting()
      return real.call(this).finally(done)
    }
  }
}
