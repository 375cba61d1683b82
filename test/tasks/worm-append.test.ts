import * as Fs from "node:fs/promises"
import { join } from "node:path"
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Schema from "effect/Schema"
import { TestClock } from "effect/testing"
import * as Sha256 from "../../src/domain/sha256.ts"
import * as WormChain from "../../src/services/worm-chain.ts"
import wormAppend, { Input } from "../../tasks/worm-append/index.ts"
import * as Workplace from "./workplace.ts"

type RecordType = typeof Input.Type.recordType

const append = (root: string, task: string, recordType: RecordType = "ops", payload: typeof Input.Type.payload = {}) =>
  wormAppend.run({ recordType, payload }).pipe(Effect.provide(Workplace.attempt(root, { task })))
const probe = (root: string, task: string) =>
  (wormAppend.probe?.({ recordType: "ops", payload: {} }) ?? Effect.succeedNone).pipe(
    Effect.provide(Workplace.attempt(root, { task })),
  )
const wormRoot = (root: string) => join(root, ".dandori", "worm")
const filled = (root: string, count: number) =>
  Effect.forEach(Array.from({ length: count }), (_, index) => append(root, `task${index}`, "ops", { index }))
const text = (path: string) => Effect.promise(() => Fs.readFile(path, "utf8"))

/** Overwrites as root could. */
const overwrite = (path: string, bytes: string) =>
  Effect.promise(async () => {
    await Fs.chmod(path, 0o644)
    await Fs.writeFile(path, bytes)
    await Fs.chmod(path, 0o444)
  })
const kinds = (report: WormChain.WormReport) =>
  report.problems.map(({ kind, recordType, sequence }) => `${kind} ${recordType} ${sequence}`)

describe("worm-append", () => {
  it.effect("writes a read-only record with its place in the chain", () =>
    Effect.gen(function* () {
      const root = yield* Workplace.project
      yield* TestClock.setTime(Date.UTC(2025, 4, 5, 3, 14, 15, 9))
      const first = yield* append(root, "one", "model_publish", { model: "m1" })
      const second = yield* append(root, "two", "model_publish", { model: "m2" })
      assert.match(
        first.path,
        /^\.dandori\/worm\/model_publish\/2025\/202505\/model_publish_20250505T031415Z_[0-9a-f-]{36}\.json$/,
      )
      const bytes = yield* text(join(root, first.path))
      assert.strictEqual(Sha256.of(bytes), first.sha256)
      assert.strictEqual((yield* Effect.promise(() => Fs.stat(join(root, first.path)))).mode & 0o777, 0o444)
      assert.deepStrictEqual(JSON.parse(bytes), {
        record_type: "model_publish",
        created_at: "2025-05-05T03:14:15.009Z",
        payload: { model: "m1" },
        sequence: 1,
        prev_sha256: "0".repeat(64),
        record_id: "0190a000-0000-7000-8000-000000000001/one",
      })
      assert.strictEqual(second.sequence, 2)
      assert.strictEqual(second.prevSha256, first.sha256)
    }),
  )

  it("refuses a record type that is none of the seven, and so any path", () => {
    const decode = Schema.decodeUnknownOption(Input)
    for (const recordType of ["../../x", "ops/../../x", "OPS", ""]) {
      assert.isTrue(Option.isNone(decode({ recordType, payload: {} })), recordType)
    }
    assert.isTrue(Option.isNone(decode({ recordType: "ops", payload: "text" })))
    assert.isTrue(Option.isSome(decode({ recordType: "ops", payload: { a: [1, null] } })))
  })

  it.effect("writes one record per task of a run, whatever number of attempts", () =>
    Effect.gen(function* () {
      const root = yield* Workplace.project
      assert.isTrue(Option.isNone(yield* probe(root, "one")))
      const first = yield* append(root, "one")
      yield* append(root, "two")
      assert.deepStrictEqual(yield* append(root, "one"), first)
      assert.deepStrictEqual(yield* probe(root, "one"), Option.some(first))
      assert.isTrue(Option.isNone(yield* probe(root, "three")))
    }),
  )

  it.live("gives every one of many simultaneous records its own sequence", () =>
    Effect.gen(function* () {
      const root = yield* Workplace.project
      const appended = yield* Effect.forEach(
        Array.from({ length: 15 }, (_, index) => `task${index}`),
        (task) => append(root, task),
        { concurrency: "unbounded" },
      )
      const sequences = appended.map((record) => record.sequence).toSorted((x, y) => x - y)
      assert.deepStrictEqual(
        sequences,
        Array.from({ length: 15 }, (_, index) => index + 1),
      )
      assert.deepStrictEqual((yield* WormChain.verifyWorm(wormRoot(root))).problems, [])
    }),
  )

  it.effect("after a crash before the link nothing has happened, after it the record stands", () =>
    Effect.gen(function* () {
      const root = yield* Workplace.project
      yield* append(root, "before")
      const done = yield* append(root, "crashed")
      const chain = join(wormRoot(root), "ops", "chain")
      const pending = join(chain, "000000000002.pending")
      const link = join(chain, "000000000002.json")
      const linkText = yield* text(link)
      yield* Effect.promise(() => Fs.rename(join(root, done.path), pending))

      assert.deepStrictEqual((yield* WormChain.verifyWorm(wormRoot(root))).problems, [])
      assert.deepStrictEqual(yield* probe(root, "crashed"), Option.some(done))
      assert.strictEqual(Sha256.of(yield* text(join(root, done.path))), done.sha256)

      yield* Effect.promise(async () => {
        await Fs.rename(join(root, done.path), pending)
        await Fs.rm(link)
      })
      assert.isTrue(Option.isNone(yield* probe(root, "crashed")))
      assert.notInclude(yield* Effect.promise(() => Fs.readdir(chain)), "000000000002.pending")
      const again = yield* append(root, "other")
      assert.strictEqual(again.sequence, 2)
      assert.include(linkText, done.sha256)
    }),
  )
})

describe("verifyWorm", () => {
  it.effect("finds nothing wrong with an untouched tree, and says whether its end is covered", () =>
    Effect.gen(function* () {
      const root = yield* Workplace.project
      const records = yield* filled(root, 4)
      const head = { recordType: "ops" as const, sequence: 4, sha256: records[3].sha256 }
      const open = yield* WormChain.verifyWorm(wormRoot(root))
      assert.deepStrictEqual(open, { chains: [{ recordType: "ops", records: 4, head, covered: false }], problems: [] })
      assert.isTrue((yield* WormChain.verifyWorm(wormRoot(root), [head])).chains[0].covered)
    }),
  )

  it.effect("finds an edited record, also when its link was edited with it", () =>
    Effect.gen(function* () {
      const root = yield* Workplace.project
      const records = yield* filled(root, 4)
      const path = join(root, records[1].path)
      const edited = (yield* text(path)).replace('"index":1', '"index":9')
      yield* overwrite(path, edited)
      assert.deepStrictEqual(kinds(yield* WormChain.verifyWorm(wormRoot(root))), ["edited ops 2"])

      const link = join(wormRoot(root), "ops", "chain", "000000000002.json")
      yield* overwrite(link, (yield* text(link)).replace(records[1].sha256, Sha256.of(edited)))
      assert.deepStrictEqual(kinds(yield* WormChain.verifyWorm(wormRoot(root))), ["edited ops 2"])
    }),
  )

  it.effect("finds an edit of the last record by its link, and by the sealed head when the link was edited too", () =>
    Effect.gen(function* () {
      const root = yield* Workplace.project
      const records = yield* filled(root, 2)
      const path = join(root, records[1].path)
      const edited = (yield* text(path)).replace('"index":1', '"index":9')
      yield* overwrite(path, edited)
      assert.deepStrictEqual(kinds(yield* WormChain.verifyWorm(wormRoot(root))), ["edited ops 2"])
      const link = join(wormRoot(root), "ops", "chain", "000000000002.json")
      yield* overwrite(link, (yield* text(link)).replace(records[1].sha256, Sha256.of(edited)))
      const sealed = [{ recordType: "ops" as const, sequence: 2, sha256: records[1].sha256 }]
      assert.deepStrictEqual(kinds(yield* WormChain.verifyWorm(wormRoot(root), sealed)), ["edited ops 2"])
    }),
  )

  it.effect("finds a deleted record and a deleted link", () =>
    Effect.gen(function* () {
      const root = yield* Workplace.project
      const records = yield* filled(root, 3)
      yield* Effect.promise(() => Fs.rm(join(root, records[1].path)))
      assert.deepStrictEqual(kinds(yield* WormChain.verifyWorm(wormRoot(root))), ["deleted ops 2"])
      yield* Effect.promise(() => Fs.rm(join(wormRoot(root), "ops", "chain", "000000000003.json")))
      assert.deepStrictEqual(kinds(yield* WormChain.verifyWorm(wormRoot(root))), ["deleted ops 2", "deleted ops 3"])
    }),
  )

  it.effect("finds records that were exchanged", () =>
    Effect.gen(function* () {
      const root = yield* Workplace.project
      const records = yield* filled(root, 3)
      const [one, two] = [join(root, records[0].path), join(root, records[1].path)]
      const [textOne, textTwo] = [yield* text(one), yield* text(two)]
      yield* overwrite(one, textTwo)
      yield* overwrite(two, textOne)
      assert.sameMembers(kinds(yield* WormChain.verifyWorm(wormRoot(root))), ["reordered ops 1", "reordered ops 2"])
    }),
  )

  it.effect("finds a cut end against the sealed head", () =>
    Effect.gen(function* () {
      const root = yield* Workplace.project
      const records = yield* filled(root, 3)
      yield* Effect.promise(async () => {
        await Fs.rm(join(root, records[2].path))
        await Fs.rm(join(wormRoot(root), "ops", "chain", "000000000003.json"))
      })
      const sealed = [{ recordType: "ops" as const, sequence: 3, sha256: records[2].sha256 }]
      assert.deepStrictEqual(kinds(yield* WormChain.verifyWorm(wormRoot(root), sealed)), ["truncated ops 3"])
    }),
  )

  it.effect("finds a file that no link names", () =>
    Effect.gen(function* () {
      const root = yield* Workplace.project
      const [record] = yield* filled(root, 1)
      yield* Effect.promise(() => Fs.writeFile(join(root, record.path, "..", "extra.json"), "{}"))
      assert.deepStrictEqual(kinds(yield* WormChain.verifyWorm(wormRoot(root))), ["foreign ops undefined"])
    }),
  )
})

describe("worm-append under kill -9", () => {
  const repository = join(import.meta.dirname, "../..")
  const loop = (root: string, name: string) => `
    import * as Effect from "effect/Effect"
    import wormAppend from ${JSON.stringify(join(repository, "tasks/worm-append/index.ts"))}
    import * as Workplace from ${JSON.stringify(join(repository, "test/tasks/workplace.ts"))}
    for (let index = 0; ; index++) {
      const task = ${JSON.stringify(name)} + index
      const appended = await Effect.runPromise(
        wormAppend.run({ recordType: "ops", payload: { index } }).pipe(Effect.provide(Workplace.attempt(${JSON.stringify(root)}, { task }))))
      console.log(appended.sha256)
    }`

  /** Starts a writer, kills it after it has acknowledged so many records, returns their digests. */
  const writeAndDie = (root: string, name: string, count: number) =>
    Effect.promise(async () => {
      const child = Bun.spawn([process.execPath, "-e", loop(root, name)], { cwd: repository, stdout: "pipe" })
      let seen = ""
      for await (const chunk of child.stdout) {
        seen += new TextDecoder().decode(chunk)
        if (seen.split("\n").length > count) child.kill("SIGKILL")
      }
      await child.exited
      return seen.trim().split("\n")
    })

  it.live("keeps every acknowledged record of two writers, in one whole chain", () =>
    Effect.gen(function* () {
      const root = yield* Workplace.project
      const acknowledged = yield* Effect.forEach([1, 2, 3], (round) =>
        Effect.all([writeAndDie(root, `a${round}x`, round * 3), writeAndDie(root, `b${round}x`, round * 2)], {
          concurrency: 2,
        }),
      )
      const last = yield* append(root, "last")
      const report = yield* WormChain.verifyWorm(wormRoot(root))
      assert.deepStrictEqual(report.problems, [])
      assert.strictEqual(report.chains[0].records, last.sequence)
      const links = yield* Effect.promise(async () => {
        const folder = join(wormRoot(root), "ops", "chain")
        return (
          await Promise.all((await Fs.readdir(folder)).map((name) => Fs.readFile(join(folder, name), "utf8")))
        ).join()
      })
      for (const sha256 of acknowledged.flat(2)) assert.include(links, `"sha256":"${sha256}"`)
    }),
  )
})
