import { spawnSync } from "node:child_process"
import { existsSync } from "node:fs"
import { fileURLToPath } from "node:url"
import { assert, describe, it } from "@effect/vitest"

const repository = fileURLToPath(new URL("../..", import.meta.url))

/** `dandori compile` with its standard output sent elsewhere by the shell. */
const compile = (redirection: string) => {
  const command = `"$0" src/cli/main.ts compile pipelines/hello.yaml ${redirection}`
  return spawnSync("bash", ["-o", "pipefail", "-c", command, process.execPath], { cwd: repository, encoding: "utf8" })
}

describe("standard output", () => {
  // /dev/full is Linux's; elsewhere there is no device that is always full.
  it.runIf(existsSync("/dev/full"))("that cannot be written ends with 74 and says why", () => {
    const { status, stderr } = compile("> /dev/full")
    assert.strictEqual(status, 74)
    assert.include(stderr, "The output could not be written: ENOSPC")
  })

  it("whose reader has gone is no mistake", () => {
    assert.strictEqual(compile("| head -c 1").status, 0)
  })
})
