import { chmodSync, mkdtempSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"

/**
 * Gives the whole suite one temporary folder, with a space in its name, and removes it with all that tests left in it.
 * `DANDORI_TEST_SHARED` names it for what its test files share.
 */
export default () => {
  const folder = mkdtempSync(join(tmpdir(), "dandori tests "))
  // PostgreSQL's own user passes through to its data.
  chmodSync(folder, 0o711)
  process.env.TMPDIR = folder
  process.env.DANDORI_TEST_SHARED = folder
  return () => rmSync(folder, { recursive: true, force: true, maxRetries: 3 })
}
