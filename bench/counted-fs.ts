/** `node:fs` whose asynchronous flushes are counted: `flushes.ts` puts it in the place of the program's. */
import * as Fs from "node:fs"
import { counting } from "./flushes.ts"

export * from "node:fs"

/** As the given flush, counted from the call to its callback. */
const counted = (flush: typeof Fs.fsync): typeof Fs.fsync =>
  Object.assign(
    (fd: number, callback: Fs.NoParamCallback) => {
      const done = counting()
      flush(fd, (error) => {
        done()
        callback(error)
      })
    },
    { __promisify__: flush.__promisify__ },
  )

export const fsync = counted(Fs.fsync)
export const fdatasync = counted(Fs.fdatasync)
