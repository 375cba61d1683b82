import { fileURLToPath } from "node:url"

/** The argv prefix that starts this program again: the compiled binary itself, or Bun with `src/cli/main.ts`. */
export const thisProgram = (): ReadonlyArray<string> =>
  /\$bunfs|~BUN/.test(import.meta.url)
    ? [process.execPath]
    : [process.execPath, fileURLToPath(new URL("../cli/main.ts", import.meta.url))]
