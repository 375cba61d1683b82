import * as Fs from "node:fs/promises"
import { join } from "node:path"
import { afterAll, assert, beforeAll, describe, it } from "@effect/vitest"
import * as Sample from "../support/sample-project.ts"

let project: Sample.SampleProject

beforeAll(async () => {
  project = await Sample.make()
  await Fs.writeFile(join(project.folder, "pipelines/broken.yaml"), "tasks:\n  one: [\n")
})

afterAll(() => Sample.remove(project))

const unknownRun = "01990000-0000-7000-8000-000000000000"

/** A call that cannot work, its exit code, and what the message has to tell. */
const calls: ReadonlyArray<readonly [words: string, code: number, tells: RegExp]> = [
  ["run nosuch", 66, /no pipeline "nosuch".*sample-e2e/],
  ["run pipelines/nothing.yaml", 66, /pipelines\/nothing\.yaml/],
  ["run pipelines/broken.yaml", 65, /broken\.yaml:\d+:\d+: /],
  ["run pipelines/sample-e2e.yaml --param form=2024-01", 64, /form.*from/],
  ["run pipelines/sample-e2e.yaml --param from=2024", 64, /from: "2024" does not match/],
  ["run pipelines/sample-e2e.yaml --env nowhere", 64, /nowhere.*dev/],
  [`run --resume ${unknownRun}`, 66, /no run .*dandori runs list/],
  ["runs show nope", 66, /nope.*dandori runs list/],
  ["model show nope", 66, /nope.*dandori model list/],
  ["ledger show nope", 66, /nope/],
  ["ledger verify", 66, /\.dandori/],
  ["worm verify", 66, /worm/],
  ["snapshot restore nowhere 20250505T031400Z_0123456789ab into", 66, /nowhere/],
  ["frobnicate", 64, /frobnicate/],
]

describe("a command that cannot work", () => {
  for (const [words, code, tells] of calls) {
    it(`dandori ${words} exits with ${code} and says why, without a stack trace`, async () => {
      const said = await Sample.dandori(project, ...words.split(" "))
      assert.strictEqual(said.code, code, said.err)
      assert.match(said.err, tells)
      assert.isFalse(Sample.hasStackTrace(said.out + said.err), said.err)
      assert.isBelow(said.err.split("\n").length, 25)
      assert.notInclude(await Fs.readdir(project.folder), ".dandori")
    })
  }

  it("names the file, line and column of a configuration that cannot be read and exits with 78", async () => {
    const file = join(project.folder, "configs/envs/dev/dq.yaml")
    await Fs.writeFile(file, "strict: maybe\nchecks: { max_gap: 72 }\n")
    const said = await Sample.dandori(project, "run", "pipelines/sample-e2e.yaml")
    await Fs.rm(file)
    assert.strictEqual(said.code, 78, said.err)
    assert.match(said.err, /configs\/envs\/dev\/dq\.yaml:1:9: .*strict/)
    assert.match(said.err, /configs\/envs\/dev\/dq\.yaml:2:\d+: .*max_gap/)
    assert.isFalse(Sample.hasStackTrace(said.err), said.err)
  })
})
