import { chmodSync, mkdtempSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"

/** Gives the whole suite one temporary folder, with a space in its name, and removes it with all that tests left in it. */
export default () => {
  const folder = mkdtempSync(join(tmpdir(), "dandori tests "))
  // PostgreSQL's own user passes through to its data.
  chmodSync(folder, 0o711)
  process.env.TMPDIR = folder
  return () => rmSync(folder, { recursive: true, force: true, maxRetries: 3 })
}
