import { join } from "node:path"
import { assert, describe, it } from "@effect/vitest"
import type { ProcessUsage } from "../../src/services/process-usage.ts"

/** Looks at itself, opens three files, works for a fifth of a second, and looks again. */
const program = `
  import { openSync } from "node:fs"
  import { read } from ${JSON.stringify(join(import.meta.dirname, "../../src/services/process-usage.ts"))}
  read()
  const first = read()
  for (let nth = 0; nth < 3; nth++) openSync("/dev/null", "r")
  const { system, user } = process.cpuUsage()
  for (let used = 0; used < 200_000; ) {
    const now = process.cpuUsage()
    used = now.system + now.user - system - user
  }
  console.log(JSON.stringify([first, read()]))
`

describe("what a process has of the machine", () => {
  it("counts its open files and its time on processors", () => {
    const before = Date.now() / 1_000
    const { stdout } = Bun.spawnSync(["sh", "-c", 'ulimit -n 200; exec "$0" -e "$1"', process.execPath, program])
    const [first, second] = JSON.parse(stdout.toString()) as [ProcessUsage, ProcessUsage]
    assert.strictEqual(second.openFiles, Number(first.openFiles) + 3)
    assert.isAtLeast(second.cpuSeconds - first.cpuSeconds, 0.2)
    assert.isAbove(first.residentBytes, 10_000_000)
    assert.isTrue(first.startSeconds > before - 1 && first.startSeconds < Date.now() / 1_000, `${first.startSeconds}`)
    if (process.platform === "linux") assert.strictEqual(first.mostFiles, 200)
  })
})
