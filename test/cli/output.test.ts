import { spawnSync } from "node:child_process"
import { existsSync } from "node:fs"
import { fileURLToPath } from "node:url"
import { assert, describe, it } from "@effect/vitest"

const repository = fileURLToPath(new URL("../..", import.meta.url))

/** A command with its standard output sent elsewhere by the shell. */
const dandori = (words: string, redirection: string) => {
  const command = `"$0" src/cli/main.ts ${words} ${redirection}`
  return spawnSync("bash", ["-o", "pipefail", "-c", command, process.execPath], { cwd: repository, encoding: "utf8" })
}

const compile = "compile pipelines/hello.yaml"

describe("standard output", () => {
  // /dev/full is Linux's; elsewhere there is no device that is always full.
  it.runIf(existsSync("/dev/full"))("that cannot be written ends with 74 and says why", () => {
    for (const words of [compile, "--version", "--help", "run --help"]) {
      const { status, stderr } = dandori(words, "> /dev/full")
      assert.strictEqual(status, 74, words)
      assert.strictEqual(
        stderr.split("\n")[0],
        "The output could not be written: ENOSPC: no space left on device, write",
      )
    }
  })

  it("whose reader has gone is no mistake", () => {
    for (const words of [compile, "--version", "--help"]) {
      assert.strictEqual(dandori(words, "| head -c 1").status, 0, words)
    }
  })
})
