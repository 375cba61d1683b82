import * as Fs from "node:fs/promises"
import { join } from "node:path"
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Marks from "../../src/services/quarantine-marks.ts"
import * as Workplace from "../tasks/workplace.ts"

describe("quarantine marks", () => {
  it("stand beside a partition, and bear the name of any other file", () => {
    assert.strictEqual(Marks.ofPartition("/data/2025-01/canonical.parquet"), "/data/2025-01/__quarantine.json")
    assert.strictEqual(Marks.ofFile("/data/bars.csv"), "/data/bars.csv.__quarantine.json")
  })

  it("hold a gate's bytes only, but whatever a person put one beside", () => {
    assert.isTrue(Marks.holds({ who: Marks.gateName, sha256: "a" }, "a"))
    assert.isFalse(Marks.holds({ who: Marks.gateName, sha256: "b" }, "a"))
    assert.isTrue(Marks.holds({ who: "anna", sha256: "b" }, "a"))
    assert.isTrue(Marks.holds({ who: "anna" }, "a"))
  })

  it.effect("hold when they cannot be read, and are none when there is no file", () =>
    Effect.gen(function* () {
      const path = join(yield* Workplace.project, "__quarantine.json")
      assert.isTrue(Option.isNone(yield* Marks.read(path)))
      yield* Effect.promise(() => Fs.writeFile(path, "do not use"))
      const mark = Option.getOrThrow(yield* Marks.read(path))
      assert.isTrue(Marks.holds(mark, "a"))
    }),
  )
})
