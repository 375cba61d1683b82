import * as Fs from "node:fs/promises"
import { join } from "node:path"
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import { projectAt, runId, writeRun } from "../ledger/fixtures/project.ts"
import { dandori, ndjson, project, shifted } from "./evidence-project.ts"

interface Finding {
  readonly section: string
  readonly level: string
  readonly what: string
  readonly fix: string
}
const findings = (out: string) => ndjson(out)[0].findings as ReadonlyArray<Finding>
const withRun = Effect.gen(function* () {
  const folder = yield* project
  yield* writeRun(runId(1), []).pipe(Effect.provide(projectAt(join(folder, ".dandori"))))
  return folder
})

describe("dandori doctor", () => {
  it.live("measures the disk, looks at runtime, clock, ledger and key, and leaves nothing behind", () =>
    Effect.gen(function* () {
      const folder = yield* withRun
      const home = join(folder, ".dandori")
      const before = yield* Effect.promise(() => Fs.readdir(home))
      const { code, out } = yield* dandori(folder, "doctor", "--json")
      assert.strictEqual(code, 0, out)
      const found = findings(out)
      assert.include(found.find(({ section }) => section === "runtime")?.what, `bun ${Bun.version}`)
      const flush = found.find(({ what }) => what.startsWith("fdatasync"))?.what ?? ""
      const [, median = "", worst = ""] = /takes (\d+\.\d\d) ms, at worst (\d+\.\d\d) ms \(20 tries\)/.exec(flush) ?? []
      assert.isAtMost(Number(median), Number(worst))
      assert.isAbove(Number(worst), 0)
      assert.isTrue(found.some(({ what }) => /free in .*\.dandori/.test(what)))
      assert.isTrue(found.some(({ what }) => what === "root has 2 entries and is whole"))
      assert.isTrue(found.some(({ section, what }) => section === "key" && what.endsWith("for this user only")))
      assert.deepStrictEqual(yield* Effect.promise(() => Fs.readdir(home)), before)
    }).pipe(Effect.scoped),
  )

  it.live("exits with 78 for a key that others may read, a key that is gone and a damaged root", () =>
    Effect.gen(function* () {
      const folder = yield* withRun
      const key = join(folder, ".dandori/keys/ledger.key")
      yield* Effect.promise(() => Fs.chmod(key, 0o644))
      const open = yield* dandori(folder, "doctor", "--quiet")
      assert.strictEqual(open.code, 78)
      assert.match(open.out, /error +key .*mode 644: others may read it -> chmod 600/)

      yield* Effect.promise(() => Fs.rm(key))
      const root = join(folder, ".dandori/ledger/root.ndjson")
      yield* Effect.promise(async () =>
        Fs.writeFile(root, (await Fs.readFile(root, "utf8")).replace('"first":"', '"first":"0')),
      )
      const gone = yield* dandori(folder, "doctor", "--quiet")
      assert.strictEqual(gone.code, 78)
      assert.match(gone.out, /missing +key .*is gone, but ledger\.pub/)
      assert.match(gone.out, /error +ledger +root is damaged: line 1 was changed/)
    }).pipe(Effect.scoped),
  )

  it.live("says by how much the clock is behind the ledger's newest entry", () =>
    Effect.gen(function* () {
      const folder = yield* project
      yield* writeRun(runId(1), []).pipe(Effect.provide(projectAt(join(folder, ".dandori"))), shifted(3_600_000))
      const { code, out } = yield* dandori(folder, "doctor", "--quiet")
      assert.strictEqual(code, 78, out)
      assert.match(out, /error +clock +the clock is 3[56]\d\d s behind the ledger's newest entry/)
    }).pipe(Effect.scoped),
  )

  it.live("looks at the machine alone where there is no project, and makes no folder", () =>
    Effect.gen(function* () {
      const folder = yield* project
      const parent = join(folder, "..")
      const { code, out } = yield* dandori(parent, "doctor")
      assert.strictEqual(code, 0, out)
      assert.match(out, /warning +project +no project at/)
      const fresh = yield* dandori(folder, "doctor")
      assert.strictEqual(fresh.code, 0, fresh.out)
      assert.deepStrictEqual(yield* Effect.promise(() => Fs.readdir(folder)), ["configs"])
    }).pipe(Effect.scoped),
  )
})
