/** `node:fs` whose asynchronous flush is counted: `flushes.ts` puts it in the place of the ledger's. */
import * as Fs from "node:fs"
import { counting } from "./flushes.ts"

export * from "node:fs"

/** As `node:fs`, counted from the call to its callback. */
export const fdatasync: typeof Fs.fdatasync = Object.assign(
  (fd: number, callback: Fs.NoParamCallback) => {
    const done = counting()
    Fs.fdatasync(fd, (error) => {
      done()
      callback(error)
    })
  },
  { __promisify__: Fs.fdatasync.__promisify__ },
)
