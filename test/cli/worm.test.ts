import * as Fs from "node:fs/promises"
import { join } from "node:path"
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as WormDirectory from "../../src/services/worm-directory.ts"
import { projectAt, runId, writeRun } from "../ledger/fixtures/project.ts"
import { dandori, ndjson, project } from "./evidence-project.ts"

const worm = (folder: string) => join(folder, ".dandori/worm")
const append = (folder: string, number: number) =>
  WormDirectory.append(worm(folder), {
    recordType: "ops",
    recordId: `run/task_${number}`,
    payload: { number },
  })
/** Three records, whose appending a run of the ledger testifies to. */
const withRecords = Effect.gen(function* () {
  const folder = yield* project
  const records = yield* Effect.forEach([1, 2, 3], (number) => append(folder, number))
  const events = records.map(({ path, ...record }, at) => ({
    type: "dev.dandori.attempt.succeeded.v1" as const,
    data: { task: `task_${at + 1}`, attempt: 1, output: { ...record, path: path.slice(folder.length + 1) } },
  }))
  yield* writeRun(runId(1), events).pipe(Effect.provide(projectAt(join(folder, ".dandori"))))
  return { folder, paths: records.map(({ path }) => path) }
})
const rewrite = (path: string, change: (text: string) => string) =>
  Effect.promise(async () => {
    const text = await Fs.readFile(path, "utf8")
    await Fs.chmod(path, 0o644)
    await Fs.writeFile(path, change(text))
  })
const remove = (...paths: ReadonlyArray<string>) =>
  Effect.promise(async () => {
    for (const path of paths) await Fs.rm(path, { force: true })
  })
const linkOf = (folder: string, sequence: number) =>
  join(worm(folder), "ops/chain", `${String(sequence).padStart(12, "0")}.json`)

describe("dandori worm verify", () => {
  it.live("is intact with exit 0, and says that the ledger covers the end", () =>
    Effect.gen(function* () {
      const { folder } = yield* withRecords
      const { code, out } = yield* dandori(folder, "worm", "verify")
      assert.strictEqual(code, 0, out)
      assert.match(out, /^intact .* 3 records in 1 chain\n/)
      assert.match(out, /ops +3 records +[0-9a-f]{16} +its end is in the ledger/)
    }).pipe(Effect.scoped),
  )

  it.live("needs no project for a folder, and then says that the end is not covered", () =>
    Effect.gen(function* () {
      const { folder } = yield* withRecords
      const { code, out } = yield* dandori("/", "worm", "verify", worm(folder), "--json")
      const [report] = ndjson(out)
      assert.strictEqual(code, 0)
      assert.deepInclude(report, { v: 1, kind: "worm-verify" })
      assert.deepInclude((report.chains as ReadonlyArray<object>)[0], {
        recordType: "ops",
        records: 3,
        covered: false,
      })
    }).pipe(Effect.scoped),
  )

  it.live("names an edited record and exits with 10", () =>
    Effect.gen(function* () {
      const { folder, paths } = yield* withRecords
      yield* rewrite(paths[1] ?? "", (text) => text.replace('"number":2', '"number":5'))
      const { code, out } = yield* dandori(folder, "worm", "verify")
      assert.strictEqual(code, 10, out)
      assert.match(out, /edited +record 2 +ops\//)
    }).pipe(Effect.scoped),
  )

  it.live("names two records that changed places and exits with 10", () =>
    Effect.gen(function* () {
      const { folder, paths } = yield* withRecords
      const [one = "", two = ""] = paths
      yield* Effect.promise(async () => {
        await Fs.rename(one, `${one}.away`)
        await Fs.rename(two, one)
        await Fs.rename(`${one}.away`, two)
      })
      const { code, out } = yield* dandori(folder, "worm", "verify")
      assert.strictEqual(code, 10, out)
      assert.match(out, /reordered +record \d +ops\/.*its body belongs to/)
    }).pipe(Effect.scoped),
  )

  it.live("names a deleted record and exits with 13", () =>
    Effect.gen(function* () {
      const { folder, paths } = yield* withRecords
      yield* remove(paths[1] ?? "")
      const { code, out } = yield* dandori(folder, "worm", "verify", "-q")
      assert.strictEqual(code, 13, out)
      assert.match(out, /^deleted +record 2 +ops\/.*the record is missing$/m)
    }).pipe(Effect.scoped),
  )

  it.live("finds by the ledger that the end of a chain was cut off, link and all, or that the folder is gone", () =>
    Effect.gen(function* () {
      const { folder, paths } = yield* withRecords
      yield* remove(paths[2] ?? "", linkOf(folder, 3))
      const cut = yield* dandori(folder, "worm", "verify")
      assert.strictEqual(cut.code, 13, cut.out)
      assert.match(cut.out, /truncated +record 3 .*the chain ends at 2/)
      yield* Effect.promise(() => Bun.$`chmod -R u+w ${worm(folder)} && rm -r ${worm(folder)}`.quiet())
      const gone = yield* dandori(folder, "worm", "verify")
      assert.strictEqual(gone.code, 13, gone.out)
      assert.include(gone.out, "3 problems")
    }).pipe(Effect.scoped),
  )

  it.live("says in one line that there are no records where there are none", () =>
    Effect.gen(function* () {
      const folder = yield* project
      const { code, err, out } = yield* dandori(folder, "worm", "verify")
      assert.strictEqual(code, 66)
      assert.strictEqual(out, "")
      assert.include(err, "There are no write-once records at")
      const other = yield* dandori("/", "worm", "verify", join(folder, "configs"))
      assert.strictEqual(other.code, 66)
    }).pipe(Effect.scoped),
  )
})
