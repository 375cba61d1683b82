import * as Fs from "node:fs"
import { join } from "node:path"
import { assert, describe } from "@effect/vitest"
import * as Effect from "effect/Effect"
import purgeType from "../../tasks/data-purge/index.ts"
import * as Place from "./data-place.ts"
import * as Stage from "./publish/stage.ts"

const { test } = Place
const canonical = ".dandori/canonical"

describe("what lies below the roots of data", () => {
  test("leaves a partition with something in it that is not its own, and follows no link", ({ root, wait }) =>
    Effect.gen(function* () {
      const outside = join(root, "outside")
      Place.put(root, "outside/a.parquet", "not below any root")
      Place.put(root, "outside/1h/EURUSD/2020-05/canonical.parquet", "nor this")
      for (const month of ["01", "02", "03"]) Place.partition(root, `${canonical}/1h/EURUSD/2020-${month}`, month)
      Place.put(root, `${canonical}/1h/EURUSD/2020-01/notes.txt`, "mine")
      Fs.mkdirSync(join(root, canonical, "1h/EURUSD/2020-02/mine"))
      Fs.symlinkSync(join(outside, "a.parquet"), join(root, canonical, "1h/EURUSD/2020-03/__quarantine.json"))
      Fs.symlinkSync(join(outside, "1h/EURUSD/2020-05"), join(root, canonical, "1h/EURUSD/2020-05"))
      Fs.symlinkSync(outside, join(root, canonical, "4h"))
      Fs.mkdirSync(join(root, ".dandori/features"), { recursive: true })
      Fs.symlinkSync(outside, join(root, ".dandori/features/folder"))
      Fs.symlinkSync(join(outside, "a.parquet"), join(root, ".dandori/features/file"))
      Place.put(root, ".dandori/snapshots/s1/a", "a")
      Fs.symlinkSync(join(outside, "a.parquet"), join(root, ".dandori/snapshots/s1/link"))
      Fs.symlinkSync(outside, join(root, ".dandori/snapshots/s2"))
      Place.put(root, `${canonical}/1h/EURUSD/readme.md`, "no partition")
      Place.put(root, `${canonical}/2h/EURUSD/2020-01/canonical.parquet`, "no timeframe of ours")
      const before = Place.below(root, ".")
      const marked = yield* Place.pass("marks")
      wait(3)
      const gone = yield* Place.pass("purges")
      assert.deepStrictEqual([marked.due, gone.due, gone.purged], [[], [], []])
      assert.deepStrictEqual(
        Place.below(root, ".").filter((path) => !/^\.dandori\/(retention|ledger|state)/.test(path)),
        before.filter((path) => !/^\.dandori\/(ledger|state)/.test(path)),
      )
      const dry = purgeType.dryRun?.({ reason: "old" }) ?? Effect.succeed("")
      const text = yield* dry.pipe(Effect.provide(Stage.attempt("dry")))
      assert.match(text, /leave .*2020-01: there is something in it that is not its own: notes\.txt/)
      assert.match(text, /leave .*2020-02: .*: mine/)
      assert.match(text, /leave .*2020-03: .*: __quarantine\.json, a symbolic link/)
      assert.match(text, /leave \.dandori\/snapshots\/s1: .*: link, a symbolic link/)
    }))

  for (const [what, storage, reason] of [
    ["the home", { features_root: ".dandori" }, /is or holds .*\.dandori, where all records are/],
    ["the project", { raw_root: "." }, /is or holds/],
    ["a folder above", { raw_root: ".." }, /is or holds/],
    ["the artifacts", { snapshots_root: ".dandori/artifacts/sha256" }, /overlaps .*artifacts/],
    ["the pipelines", { raw_root: "pipelines" }, /overlaps .*pipelines/],
    ["the models", { features_root: ".dandori/models" }, /overlaps models_root/],
    ["something in the backups", { canonical_root: ".dandori/backups/x" }, /overlaps backups_root/],
    ["a folder of another root", { raw_root: ".dandori/worm/.." }, /is or holds/],
    ["what holds another root", { features_root: "data", canonical_root: "data/canonical" }, /overlaps/],
    ["a link to the models", { features_root: "link" }, /overlaps models_root/],
  ] as const) {
    test(
      `is refused where a root is ${what}`,
      ({ root }) =>
        Effect.gen(function* () {
          Place.put(root, ".dandori/models/v1/a", "a model")
          Fs.symlinkSync(join(root, ".dandori/models"), join(root, "link"))
          const before = Place.below(root, ".")
          const refused = yield* Effect.flip(Place.pass("r"))
          assert.strictEqual(refused._tag, "DataRootRefused")
          assert.match(refused.message, reason)
          assert.match(refused.message, /^Nothing is removed while \w+_root is /)
          const same = (path: string) => !/^\.dandori\/(retention|ledger|state)/.test(path)
          assert.deepStrictEqual(Place.below(root, ".").filter(same), before.filter(same))
        }),
      Place.sectionsWith(storage),
    )
  }
})
