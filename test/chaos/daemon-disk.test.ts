import * as Fs from "node:fs/promises"
import { join } from "node:path"
import { afterEach, assert, beforeEach, describe, it } from "@effect/vitest"
import { ticking } from "../cli/daemon-project.ts"
import * as Sample from "../support/sample-project.ts"
import * as Weather from "../support/weather.ts"

let project: Sample.SampleProject
let disk: Weather.Disk | undefined
let daemon: Sample.Call | undefined

beforeEach(async () => {
  project = await Weather.project()
})

afterEach(async () => {
  daemon?.kill("SIGKILL")
  await daemon?.said
  await disk?.remove()
  await Sample.remove(project)
})

const until = async (holds: () => boolean | Promise<boolean>) => {
  while (!(await holds())) await Bun.sleep(50)
}

describe("a daemon whose disk is full", () => {
  it(
    "withholds the dead-man signal, says once what it waits for, and closes each tick when there is room again",
    { timeout: 120_000 },
    async () => {
      const section = join(project.folder, "configs/base/daemon.yaml")
      const usual = await Fs.readFile(section, "utf8")
      await Fs.writeFile(section, usual.replace(/^dead_man:\n.*\n/m, "dead_man: { every: 1s, file: alive }\n"))
      const text = ticking("often", "* * * * * *", ["true"], ["catchup: { policy: all, window: 1h }", "overlap: allow"])
      await Fs.writeFile(join(project.folder, "pipelines/often.yaml"), text)
      const small = await Weather.smallDisk(project, ".dandori", 8 << 20)
      disk = small
      const said: Array<string> = []
      daemon = Sample.start(project, ["daemon", "--port", "0"], {
        before: small.before,
        onLine: (line) => void said.push(line),
      })
      const stream = join(small.inside, "ledger/schedules/dev.ndjson")
      const closed = async () => {
        const lines = (await Fs.readFile(stream, "utf8").catch(() => "")).split("\n").slice(0, -1)
        return lines.flatMap((line) => {
          const { data, type } = JSON.parse(line)
          return type === "dev.dandori.schedule.tick.closed.v1" ? [data] : []
        })
      }
      const saying = (pattern: RegExp) => said.filter((line) => pattern.test(line))
      await until(async () => (await closed()).length >= 2)
      await small.fill()
      await until(() => saying(/dead-man signal does not leave/).length > 0)
      const alive = async () => (await Fs.stat(join(project.folder, "alive"))).mtimeMs
      const last = await alive()
      await Bun.sleep(2_000)
      assert.strictEqual(await alive(), last)
      assert.lengthOf(saying(/Schedules wait: .*full/), 1, said.join("\n"))
      await small.free()
      await until(() => saying(/Schedules go on/).length > 0)
      await until(async () => (await alive()) > last)
      const before = (await closed()).length
      await until(async () => (await closed()).length > before + 1)
      daemon.kill("SIGTERM")
      assert.strictEqual((await daemon.said).code, 0, said.join("\n"))
      let next: number | undefined
      for (const { tick, ticks = 1 } of await closed()) {
        if (next !== undefined) assert.strictEqual(Date.parse(tick), next, tick)
        next = Date.parse(tick) + ticks * 1_000
      }
    },
  )
})
