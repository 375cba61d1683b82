import * as Fs from "node:fs/promises"
import { join } from "node:path"
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as FileSystem from "effect/FileSystem"
import * as Layer from "effect/Layer"
import fc from "fast-check"
import * as Checkpoint from "../../src/ledger/checkpoint.ts"
import * as Ed25519 from "../../src/ledger/ed25519.ts"
import { Ledger } from "../../src/ledger/ledger.ts"
import * as Root from "../../src/ledger/root.ts"
import * as Sealing from "../../src/ledger/sealing.ts"
import * as SignedNote from "../../src/ledger/signed-note.ts"
import * as StreamName from "../../src/ledger/stream-name.ts"
import * as Verify from "../../src/ledger/verify.ts"
import type { VerifyReport } from "../../src/ledger/verify-report.ts"
import * as Damaged from "./fixtures/damaged-ledger.ts"
import * as Project from "./fixtures/project.ts"
import { apply, type Damage, damage } from "./fixtures/damage.ts"

const verify = (target: string, options: Verify.VerifyOptions = {}) =>
  Verify.verify(target, options).pipe(Effect.provide(Project.platform))
const verifyFiles = (files: Damaged.Files, options: Verify.VerifyOptions = {}) =>
  Effect.gen(function* () {
    const folder = join(yield* Project.folder, "ledger")
    yield* Effect.promise(() => Damaged.store(folder, files))
    return yield* verify(folder, options)
  })
const names = (report: VerifyReport, stream: string, line: number) =>
  report.faults.some((fault) => fault.stream === stream && fault.line === line)
const summary = ({ faults }: VerifyReport) => JSON.stringify(faults)
const pathOf = StreamName.segmentPath

/** Changes an event of a stream and chains all that follow anew, as somebody with the program could. */
const rewrite = (stream: string, bytes: Buffer, line: number, change: (data: object) => object): Buffer => {
  let head = Sealing.genesis(stream)
  const lines = Damaged.linesOf(bytes).map((text, i) => {
    const { data, type, ...meta } = JSON.parse(text)
    const event = { type, data: i + 1 === line ? change(data) : data }
    const sealed = Sealing.seal(head, meta, event, { ...meta, time: Date.parse(meta.time) })
    head = sealed.head
    return sealed.line
  })
  return Buffer.from(lines.join(""))
}
const headOf = (bytes: Buffer) => JSON.parse(Damaged.linesOf(bytes).at(-1) ?? "").entryhash

describe("verifying a ledger", () => {
  it.live("finds nothing wrong with what was written, and says how far the evidence goes", () =>
    Effect.gen(function* () {
      const { files, publicPem, covered } = yield* Damaged.sample
      const report = yield* verifyFiles(files, { key: publicPem })
      assert.strictEqual(report.exitCode, 0, summary(report))
      assert.deepStrictEqual(report.open, [Damaged.open])
      const root = covered.get("root") ?? 0
      assert.strictEqual(report.checkpoint?.size, root)
      assert.isTrue(report.key.pinned)
      assert.deepStrictEqual(
        report.uncovered.map(({ stream, line }) => [stream, line]),
        [
          ["root", root + 1],
          [Damaged.open, 2],
          [Damaged.unlisted, 1],
        ],
      )
      assert.deepStrictEqual(report.coverage, { checkpoint: 3, root: 1, notYet: 2 })
      assert.strictEqual(report.streams, 7)
      const lines = [...files]
        .filter(([name]) => name.endsWith(".ndjson"))
        .flatMap(([, bytes]) => Damaged.linesOf(bytes))
      assert.strictEqual(report.entries, lines.length)
      const unpinned = yield* verifyFiles(files)
      assert.deepStrictEqual(unpinned.key, { pinned: false, keyids: report.key.keyids })
      assert.strictEqual(unpinned.exitCode, 0)
    }),
  )

  it.live(
    "finds any damage of an event file and names its stream and line, where it was not said to be uncovered",
    () =>
      Effect.gen(function* () {
        const { files, publicPem, covered } = yield* Damaged.sample
        const streams = [...covered.keys()]
        const folder = join(yield* Project.folder, "ledger")
        const property = async (stream: string, what: Damage) => {
          const path = pathOf(stream)
          const original = files.get(path)!
          if (what.do === "remove" || what.do === "swap") if (Damaged.linesOf(original).length < 2) return
          const { bytes, line, codes, torn, cut } = apply(original, what)
          const damaged = new Map(files)
          if (bytes === undefined) damaged.delete(path)
          else damaged.set(path, bytes)
          await Damaged.store(folder, damaged)
          const report = await Effect.runPromise(verify(folder, { key: publicPem }))
          const context = `${stream} ${JSON.stringify(what)} line ${line}: ${summary(report)}`
          const isCovered = line <= (covered.get(stream) ?? 0)
          const ends = Damaged.closed.includes(stream)
          if (cut && !isCovered && !torn) return assert.strictEqual(report.exitCode, 0, context)
          if (torn && !ends && !isCovered) {
            assert.strictEqual(report.exitCode, 0, context)
            return assert.isTrue(
              report.uncovered.some((place) => place.stream === stream && place.line <= line),
              context,
            )
          }
          assert.include(codes.concat(torn ? [13] : []), report.exitCode, context)
          assert.isTrue(names(report, stream, line), context)
        }
        yield* Effect.promise(() =>
          fc.assert(fc.asyncProperty(fc.constantFrom(...streams), damage, property), {
            numRuns: 400,
            examples: [[Damaged.unlisted, { do: "cut bytes", at: 0 }]],
          }),
        )
      }),
    120_000,
  )

  it.live("finds any changed byte of a checkpoint, and a checkpoint that is gone", () =>
    Effect.gen(function* () {
      const { files, publicPem } = yield* Damaged.sample
      const checkpoints = [...files.keys()].filter((name) => name.startsWith("checkpoints/"))
      assert.lengthOf(checkpoints, 2)
      const folder = join(yield* Project.folder, "ledger")
      const place = fc.tuple(fc.constantFrom(...checkpoints), fc.nat(), fc.integer({ min: 1, max: 255 }))
      yield* Effect.promise(() =>
        fc.assert(
          fc.asyncProperty(place, fc.boolean(), async ([name, at, xor], pinned) => {
            const changed = Buffer.from(files.get(name)!)
            changed[at % changed.length]! ^= xor
            await Damaged.store(folder, new Map(files).set(name, changed))
            const report = await Effect.runPromise(verify(folder, pinned ? { key: publicPem } : {}))
            assert.include([10, 12], report.exitCode)
            assert.isTrue(names(report, name, 1), summary(report))
          }),
          { numRuns: 150 },
        ),
      )
      for (const name of checkpoints) {
        const without = new Map(files)
        without.delete(name)
        const report = yield* verifyFiles(without)
        assert.strictEqual(report.exitCode, 13)
        assert.isTrue(names(report, name, 1), summary(report))
      }
    }),
  )

  it.live(
    "finds a run that was rewritten with all its hashes, by the root, and a rewritten root, by the checkpoint",
    () =>
      Effect.gen(function* () {
        const { files, publicPem } = yield* Damaged.sample
        const stream = Damaged.closed[0]
        const run = rewrite(stream, files.get(pathOf(stream))!, 3, (data) => ({ ...data, task: "other" }))
        const byRoot = yield* verifyFiles(new Map(files).set(pathOf(stream), run), { key: publicPem })
        assert.strictEqual(byRoot.exitCode, 10)
        assert.isTrue(names(byRoot, stream, Damaged.linesOf(run).length), summary(byRoot))

        const root = files.get("root.ndjson")!
        const line = Damaged.linesOf(root).findIndex((text) => text.includes('"entries"') && text.includes(stream)) + 1
        const forged = rewrite("root", root, line, (data) => ({ ...data, head: headOf(run) }))
        const both = new Map(files).set(pathOf(stream), run).set("root.ndjson", forged)
        const byCheckpoint = yield* verifyFiles(both, { key: publicPem })
        assert.strictEqual(byCheckpoint.exitCode, 10)
        assert.isTrue(names(byCheckpoint, "root", 1), summary(byCheckpoint))

        const last = rewrite("root", root, line + 6, (data) => ({ ...data, stream: "runs/x" }))
        const later = yield* verifyFiles(new Map(files).set("root.ndjson", last), { key: publicPem })
        const sizes = [...files.keys()].flatMap((name) => /^checkpoints\/(\d+)/.exec(name)?.[1] ?? []).map(Number)
        const first = Math.min(...sizes)
        assert.isTrue(names(later, "root", first + 1), summary(later))
      }),
  )

  it.live("tells by a checkpoint that was kept elsewhere that a ledger was cut back or made anew", () =>
    Effect.gen(function* () {
      const { files, publicPem, covered } = yield* Damaged.sample
      const kept = files.get(`checkpoints/${covered.get("root")}.txt`)!.toString()
      assert.strictEqual((yield* verifyFiles(files, { key: publicPem, checkpoint: kept })).exitCode, 0)

      const lines = Damaged.linesOf(files.get("root.ndjson")!)
      const cut = new Map([...files].filter(([name]) => !name.startsWith("checkpoints/")))
      for (const name of cut.keys()) if (name.startsWith("runs/") && !name.includes("0001-7000")) cut.delete(name)
      cut.set("root.ndjson", Buffer.from(`${lines.slice(0, 2).join("\n")}\n`))
      cut.set("system.ndjson", Buffer.from(`${Damaged.linesOf(files.get("system.ndjson")!)[0]}\n`))
      const unnoticed = yield* verifyFiles(cut, { key: publicPem })
      assert.strictEqual(unnoticed.exitCode, 0, summary(unnoticed))
      assert.isTrue(unnoticed.uncovered.some(({ stream, line }) => stream === "root" && line === 1))
      const noticed = yield* verifyFiles(cut, { key: publicPem, checkpoint: kept })
      assert.strictEqual(noticed.exitCode, 13)
      assert.isTrue(names(noticed, "root", 3), summary(noticed))

      const other = yield* Damaged.sample
      const anew = yield* verifyFiles(other.files, { trusted: [other.publicPem, publicPem], checkpoint: kept })
      assert.strictEqual(anew.exitCode, 10)
      assert.isTrue(names(anew, "--checkpoint", 1))
    }),
  )

  it.live("finds a root that was made anew over a rewritten run, without its checkpoints, by the system stream", () =>
    Effect.gen(function* () {
      const { files, publicPem } = yield* Damaged.sample
      const stream = Damaged.closed[0]
      const run = rewrite(stream, files.get(pathOf(stream))!, 3, (data) => ({ ...data, task: "other" }))
      const bare = new Map([...files].filter(([name]) => !name.startsWith("checkpoints/"))).set(pathOf(stream), run)
      const root = files.get("root.ndjson")!
      const line = Damaged.linesOf(root).findIndex((text) => text.includes('"entries"') && text.includes(stream)) + 1
      const forged = rewrite("root", root, line, (data) => ({ ...data, head: headOf(run) }))
      const anew = yield* verifyFiles(new Map(bare).set("root.ndjson", forged), { key: publicPem })
      assert.strictEqual(anew.exitCode, 10)
      assert.isTrue(names(anew, "root", 1), summary(anew))

      bare.delete("root.ndjson")
      for (const name of bare.keys()) if (name.startsWith("runs/")) bare.delete(name)
      const gone = yield* verifyFiles(bare, { key: publicPem })
      assert.strictEqual(gone.exitCode, 13)
      assert.isTrue(names(gone, "root", 1), summary(gone))
    }),
  )

  it.live("lists root entries that were added after the fact, and files that are not part of the ledger", () =>
    Effect.gen(function* () {
      const home = yield* Project.folder
      const folder = join(home, "ledger")
      yield* Effect.gen(function* () {
        yield* Project.writeRun(Project.runId(1), [])
        yield* Project.writeRun(Project.runId(2), [], { unlisted: true })
        yield* Root.reconcile()
      }).pipe(Effect.provide(Project.ledgerAt(home)))
      const own = pathOf(StreamName.ofRun(Project.runId(1)))
      yield* Effect.promise(async () => {
        await Fs.mkdir(join(folder, "runs/copies"))
        await Fs.copyFile(join(folder, own), join(folder, `runs/copies/${Project.runId(1)}.ndjson`))
        await Fs.writeFile(join(folder, "runs/notes.ndjson"), "not an event\n")
      })
      const report = yield* verify(home)
      assert.strictEqual(report.exitCode, 0, summary(report))
      assert.strictEqual(report.streams, 3)
      const second = StreamName.ofRun(Project.runId(2))
      assert.deepStrictEqual(report.recovered, [
        { stream: second, line: 3 },
        { stream: second, line: 4 },
      ])
      assert.deepStrictEqual(
        report.strays.map(({ path }) => path),
        [`runs/copies/${Project.runId(1)}.ndjson`, "runs/notes.ndjson"],
      )
      assert.include(report.strays[0]?.reason, own)
    }),
  )

  it.live("does not accept a checkpoint by a key that is not pinned", () =>
    Effect.gen(function* () {
      const { files } = yield* Damaged.sample
      const stranger = yield* Ed25519.generate
      const wrong = yield* verifyFiles(files, { key: stranger.publicKey.pem })
      assert.strictEqual(wrong.exitCode, 12)
      assert.isUndefined(wrong.checkpoint)
      const resigned = new Map(files)
      for (const [name, text] of files) {
        const found = Checkpoint.parse(text.toString())
        if (!found) continue
        const note = yield* SignedNote.sign(Checkpoint.bodyOf(found), found.origin, stranger.publicKey, stranger.sign)
        resigned.set(name, Buffer.from(note))
      }
      assert.strictEqual((yield* verifyFiles(resigned)).exitCode, 12)
      assert.strictEqual((yield* verifyFiles(resigned, { key: stranger.publicKey.pem })).exitCode, 0)
      const refused = yield* Effect.flip(verifyFiles(files, { key: "no key" }))
      assert.strictEqual(refused._tag, "KeyUnreadable")
    }),
  )

  it.live("works on the home, on one file, and says when there is no ledger", () =>
    Effect.gen(function* () {
      const { files } = yield* Damaged.sample
      const home = yield* Project.folder
      yield* Effect.promise(() => Damaged.store(join(home, "ledger"), files))
      assert.strictEqual((yield* verify(home)).exitCode, 0)
      const file = join(home, "ledger", pathOf(Damaged.closed[0]))
      const one = yield* verify(file)
      assert.deepStrictEqual([one.exitCode, one.streams, one.entries], [0, 1, 8])
      yield* Effect.promise(async () =>
        Fs.writeFile(file, (await Fs.readFile(file, "utf8")).replace("task_2", "task_3")),
      )
      const changed = yield* verify(file)
      assert.strictEqual(changed.exitCode, 10)
      assert.isTrue(names(changed, Damaged.closed[0], 4), summary(changed))
      const nothing = yield* Effect.flip(verify(yield* Project.folder))
      assert.strictEqual(nothing._tag, "LedgerUnreadable")
      const absent = yield* Effect.flip(verify(join(home, "none")))
      assert.strictEqual(absent._tag, "LedgerUnreadable")
      assert.include(absent.message, "none: nothing is there. Name a ledger folder")
    }),
  )

  it.live("finds nothing wrong with a ledger while it is written", () =>
    Effect.gen(function* () {
      const home = yield* Project.folder
      yield* Effect.gen(function* () {
        yield* Project.writeRun(Project.runId(1), [])
        const writer = yield* Effect.forkChild(
          Effect.forEach(
            Array.from({ length: 24 }, (_, i) => i + 2),
            (n) => Effect.andThen(Project.writeRun(Project.runId(n), Project.attempts(40)), Checkpoint.make()),
            { concurrency: 3 },
          ),
        )
        let verified = 0
        while (writer.pollUnsafe() === undefined) {
          const report = yield* verify(home)
          assert.strictEqual(report.exitCode, 0, summary(report))
          verified++
        }
        yield* Fiber.join(writer)
        assert.isAbove(verified, 2)
        assert.isUndefined((yield* (yield* Ledger).read("root")).fault)
      }).pipe(Effect.provide(Project.projectAt(home)))
    }),
  )

  it.live("says busy when it never reads the same twice", () =>
    Effect.gen(function* () {
      const { files } = yield* Damaged.sample
      const folder = yield* Project.folder
      yield* Effect.promise(() => Damaged.store(folder, files))
      let reads = 0
      const shifting = Layer.effect(
        FileSystem.FileSystem,
        Effect.map(FileSystem.FileSystem, (fs) => ({
          ...fs,
          readFile: (path: string) =>
            Effect.map(fs.readFile(path), (bytes) => {
              if (!path.endsWith(pathOf(Damaged.closed[2]))) return bytes
              const lines = new TextDecoder().decode(bytes).split("\n")
              const at = reads++
              return new TextEncoder().encode(lines.with(at, lines[at].replace("tester", "nobody")).join("\n"))
            }),
        })),
      )
      const report = yield* Verify.verify(folder).pipe(Effect.provide(Layer.provideMerge(shifting, Project.platform)))
      assert.deepStrictEqual([report.verdict, report.exitCode], ["busy", 11])
    }),
  )
})
