import { assert, describe, it } from "@effect/vitest"
import type { ListedFile } from "../../src/domain/file-arrival.ts"
import * as FileTrigger from "../../src/domain/file-trigger.ts"
import * as Sha256 from "../../src/domain/sha256.ts"
import * as TriggerParams from "../../src/domain/trigger-params.ts"

const file: ListedFile = { path: "a.csv", size: 3, modified: "1764270000123456789", changed: "1", inode: "7" }
const named = { env: "dev", pipeline: "p", key: Sha256.of("a"), file }

describe("the folder of a path", () => {
  for (const [path, folder, pattern] of [
    ["incoming/*.csv", "incoming", "*.csv"],
    ["a/b/**/*.csv", "a/b", "**/*.csv"],
    ["a/{b,c}/*.csv", "a", "{b,c}/*.csv"],
    ["*.csv", ".", "*.csv"],
    ["a/b.csv", "a", "b.csv"],
    ["/data/in/*", "/data/in", "*"],
    ["/*.csv", "/", "*.csv"],
  ]) {
    it(`${path} is ${folder}`, () => assert.deepStrictEqual(FileTrigger.partsOf(path), { folder, pattern }))
  }
})

describe("the run of a file", () => {
  it("is a UUIDv7 of the time of its content, and always the same one", () => {
    const run = FileTrigger.runOf(named)
    assert.match(run, /^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/)
    assert.strictEqual(Number.parseInt(run.replace("-", "").slice(0, 12), 16), 1_764_270_000_123)
    assert.strictEqual(FileTrigger.runOf({ ...named, file: { ...file, changed: "2" } }), run)
  })

  it("is another one for another file, pipeline or environment", () => {
    const all = [named, { ...named, key: Sha256.of("b") }, { ...named, pipeline: "q" }, { ...named, env: "prod" }].map(
      FileTrigger.runOf,
    )
    assert.strictEqual(new Set(all).size, 4)
  })

  it("has a time that fits, whatever the clock of its disk says", () => {
    for (const modified of ["-1", "0", "999999999999999999999999"]) {
      assert.match(FileTrigger.runOf({ ...named, file: { ...file, modified } }), /^[0-9a-f]{8}-[0-9a-f]{4}-7/)
    }
  })

  it("gets params of what is known of the file, and says what does not fit", () => {
    const facts = FileTrigger.factsFor({ path: "in/a.csv", name: "a.csv", size: 3 })
    const schemas = { of: { type: "string", pattern: "csv$" }, bytes: { type: "integer" }, more: { default: 4 } }
    const given = { of: "${{ run.file.path }}", bytes: "${{ run.file.size * 2 }}" }
    assert.deepStrictEqual(TriggerParams.all(schemas, given, facts), {
      values: { of: "in/a.csv", bytes: 6, more: 4 },
      faults: [],
    })
    const { faults } = TriggerParams.all(schemas, { ...given, of: "${{ run.file.name + '!' }}" }, facts)
    assert.lengthOf(faults, 1)
    assert.match(faults[0], /^of: "a\.csv!" does not match/)
  })
})
