import * as Fs from "node:fs/promises"
import { join } from "node:path"
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Schema from "effect/Schema"
import type { Dataset } from "../../src/domain/dataset.ts"
import * as Sha256 from "../../src/domain/sha256.ts"
import cleanup, { Input } from "../../tasks/cleanup/index.ts"
import * as Workplace from "./workplace.ts"

const canonical = ".dandori/canonical/1h/EURUSD/2025-01"
const listed = (path: string, text: string) => ({ path, sha256: Sha256.of(text) })

const write = (root: string, path: string, text: string) =>
  Effect.promise(async () => {
    await Fs.mkdir(join(root, path, ".."), { recursive: true })
    await Fs.writeFile(join(root, path), text)
  })
const there = (root: string, path: string) => Effect.promise(() => Bun.file(join(root, path)).exists())
const run = (root: string, input: Input) => cleanup.run(input).pipe(Effect.provide(Workplace.attempt(root)))
const probe = (root: string, input: Input) =>
  (cleanup.probe?.(input) ?? Effect.succeedNone).pipe(Effect.provide(Workplace.attempt(root)))
const dryRun = (root: string, input: Input) =>
  (cleanup.dryRun?.(input) ?? Effect.succeed("")).pipe(Effect.provide(Workplace.attempt(root)))

const seeded = Effect.gen(function* () {
  const root = yield* Workplace.project
  yield* write(root, `${canonical}/canonical.json`, "bars")
  yield* write(root, `${canonical}/__meta.json`, "{}")
  return root
})

describe("cleanup", () => {
  it.effect("removes what is listed with its digest, and names what it left beside it", () =>
    Effect.gen(function* () {
      const root = yield* seeded
      const output = yield* run(root, {
        files: [listed(`${canonical}/canonical.json`, "bars")],
        reason: "sample ended",
      })
      assert.deepStrictEqual(output, {
        removed: [{ ...listed(`${canonical}/canonical.json`, "bars"), bytes: 4 }],
        left: [{ path: `${canonical}/__meta.json`, reason: "it is not listed" }],
        bytes: 4,
        reason: "sample ended",
      })
      assert.isFalse(yield* there(root, `${canonical}/canonical.json`))
      assert.isTrue(yield* there(root, `${canonical}/__meta.json`))
    }),
  )

  it.effect("leaves and lists files that changed, are missing, are folders or are listed with two digests", () =>
    Effect.gen(function* () {
      const root = yield* seeded
      const path = `${canonical}/canonical.json`
      const { left, removed } = yield* run(root, {
        files: [
          listed(path, "other bars"),
          listed(`${canonical}/gone.json`, "x"),
          listed(canonical, "x"),
          listed(`${canonical}/__meta.json`, "{}"),
          listed(`${canonical}/__meta.json`, "[]"),
        ],
        reason: "test",
      })
      assert.deepStrictEqual(removed, [])
      assert.deepStrictEqual(
        left.map((file) => file.reason),
        [
          "it is not a file",
          "it is listed with two digests",
          `its digest is ${Sha256.of("bars")}, ${Sha256.of("other bars")} is listed`,
          "it is not there",
        ],
      )
      assert.isTrue(yield* there(root, path))
    }),
  )

  it.effect("refuses paths that are outside the roots, and then removes nothing at all", () =>
    Effect.gen(function* () {
      const root = yield* seeded
      yield* write(root, "src/main.ts", "code")
      yield* write(root, ".dandori/worm/ops/record.json", "record")
      const good = listed(`${canonical}/canonical.json`, "bars")
      const bad = [
        listed("src/main.ts", "code"),
        listed(join(root, "src/main.ts"), "code"),
        listed(`${canonical}/../../../../../src/main.ts`, "code"),
        listed(".dandori/canonical", "code"),
        listed(".dandori/worm/ops/record.json", "record"),
        listed("/etc/hostname", "x"),
      ]
      for (const file of bad) {
        const error = yield* Effect.flip(run(root, { files: [good, file], reason: "test" }))
        assert.strictEqual(error._tag, "RemovalRefused", file.path)
        assert.include(error.message, file.path)
      }
      assert.isTrue(yield* there(root, good.path))
      assert.isTrue(yield* there(root, "src/main.ts"))
      assert.isTrue(yield* there(root, ".dandori/worm/ops/record.json"))
    }),
  )

  it.effect("follows no link, neither at the file nor above it", () =>
    Effect.gen(function* () {
      const root = yield* seeded
      yield* write(root, "keep/secret.json", "bars")
      yield* Effect.promise(async () => {
        await Fs.symlink(join(root, "keep/secret.json"), join(root, canonical, "link.json"))
        await Fs.symlink(join(root, "keep"), join(root, canonical, "folder"))
      })
      const { left, removed } = yield* run(root, {
        files: [listed(`${canonical}/link.json`, "bars"), listed(`${canonical}/folder/secret.json`, "bars")],
        reason: "test",
      })
      assert.deepStrictEqual(removed, [])
      assert.strictEqual(left.length, 2)
      for (const file of left) assert.include(file.reason, "is a symbolic link")
      assert.isTrue(yield* there(root, "keep/secret.json"))
    }),
  )

  it.effect("takes the list from a manifest or from a dataset", () =>
    Effect.gen(function* () {
      const root = yield* seeded
      const file = listed(`${canonical}/canonical.json`, "bars")
      yield* write(root, "manifest.json", JSON.stringify({ source: "sample", files: [file] }))
      assert.strictEqual((yield* run(root, { manifest: "manifest.json", reason: "test" })).removed.length, 1)
      yield* write(root, "manifest.json", "no json")
      const refused = yield* Effect.flip(dryRun(root, { manifest: "manifest.json", reason: "test" }))
      assert.include(refused.message, "it must be JSON")

      const other = yield* seeded
      const dataset: Dataset = {
        timeframe: "1h",
        symbols: ["EURUSD"],
        format: "json",
        partitions: [
          {
            ...file,
            symbol: "EURUSD",
            month: "2025-01",
            bytes: 4,
            rows: 1,
            firstTimestamp: "2025-01-01T00:00:00Z",
            lastTimestamp: "2025-01-01T00:00:00Z",
          },
        ],
        rows: 1,
        synthetic: false,
        source: "sample",
        digest: Sha256.of(file.sha256),
      }
      assert.strictEqual((yield* run(other, { dataset, reason: "test" })).removed.length, 1)
      assert.isFalse(yield* there(other, file.path))
    }),
  )

  it.effect("after a crash in the middle goes on, and reports all that it removed", () =>
    Effect.gen(function* () {
      const root = yield* seeded
      const input = {
        files: [listed(`${canonical}/__meta.json`, "{}"), listed(`${canonical}/canonical.json`, "bars")],
        reason: "test",
      }
      assert.isTrue(Option.isNone(yield* probe(root, input)))
      const output = yield* run(root, input)
      assert.strictEqual(output.removed.length, 2)
      assert.deepStrictEqual(yield* probe(root, input), Option.some(output))

      yield* write(root, `${canonical}/canonical.json`, "bars")
      assert.isTrue(Option.isNone(yield* probe(root, input)))
      assert.deepStrictEqual(yield* run(root, input), output)
      assert.isFalse(yield* there(root, `${canonical}/canonical.json`))
    }),
  )

  it.effect("leaves a file that was replaced between the decision and its removal", () =>
    Effect.gen(function* () {
      const root = yield* seeded
      const input = { files: [listed(`${canonical}/canonical.json`, "bars")], reason: "test" }
      yield* run(root, input)
      yield* write(root, `${canonical}/canonical.json`, "new bars")
      const output = yield* run(root, input)
      assert.deepStrictEqual(output.removed, [])
      assert.include(output.left.map((file) => file.reason).join(), "replaced by something else")
      assert.isTrue(yield* there(root, `${canonical}/canonical.json`))
    }),
  )

  it.effect("says in a dry run what would go and what would stay, and removes nothing", () =>
    Effect.gen(function* () {
      const root = yield* seeded
      const words = yield* dryRun(root, { files: [listed(`${canonical}/canonical.json`, "bars")], reason: "test" })
      assert.deepStrictEqual(words.split("\n"), [
        "would remove 1 file(s), 4 B",
        `  remove ${canonical}/canonical.json`,
        `  leave ${canonical}/__meta.json: it is not listed`,
      ])
      assert.isTrue(yield* there(root, `${canonical}/canonical.json`))
      assert.notInclude(yield* Effect.promise(() => Fs.readdir(join(root, ".dandori"))), "cleanups")
    }),
  )

  it("wants exactly one list, and a reason", () => {
    const decode = Schema.decodeUnknownOption(Input)
    assert.isTrue(Option.isNone(decode({ reason: "x" })))
    assert.isTrue(Option.isNone(decode({ manifest: "m", files: [], reason: "x" })))
    assert.isTrue(Option.isNone(decode({ files: [] })))
    assert.isTrue(Option.isNone(decode({ files: [], reason: "" })))
    assert.isTrue(Option.isSome(decode({ files: [], reason: "x" })))
  })
})
