import { writeSync } from "node:fs"
import { exitCodes } from "./exit-code.ts"

/** Ends the process, whose standard output cannot be written. A reader that went away (`| head`) is no mistake of ours. */
export const unwritable = (error: { readonly code?: string; readonly message: string }): void => {
  if (error.code === "EPIPE") process.exit(exitCodes.ok)
  writeSync(2, `The output could not be written: ${error.message}\n`)
  process.exit(exitCodes.io)
}
