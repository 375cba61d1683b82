import * as Fs from "node:fs/promises"
import { join } from "node:path"
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as FileSystem from "effect/FileSystem"
import * as Layer from "effect/Layer"
import * as Sha256 from "../../src/domain/sha256.ts"
import { Ledger } from "../../src/ledger/ledger.ts"
import * as StreamName from "../../src/ledger/stream-name.ts"
import * as Project from "./fixtures/project.ts"

const run = Project.runId(1)
const stream = StreamName.ofRun(run)
const onLedger = <A, E>(home: string, use: (ledger: Ledger["Service"]) => Effect.Effect<A, E>) =>
  Effect.flatMap(Ledger, use).pipe(Effect.provide(Project.ledgerAt(home)))
const fileOf = (home: string, name = stream) => join(home, "ledger", StreamName.segmentPath(name))
const read = (path: string) => Effect.promise(() => Fs.readFile(path))
const write = (path: string, bytes: Uint8Array | string) => Effect.promise(() => Fs.writeFile(path, bytes))
const openRun = (home: string, count = 6) =>
  Project.writeRun(run, Project.attempts(count), { open: true }).pipe(Effect.provide(Project.ledgerAt(home)))
const key = (n: number) =>
  ({ type: "dev.dandori.key.created.v1", data: { keyid: `key ${n}`, publicKey: "x".repeat(40) } }) as const

/** A ledger that notes in `reads` what it reads of its files. */
const watched = (home: string, reads: Array<string>) => {
  const counting = Layer.effect(
    FileSystem.FileSystem,
    Effect.map(FileSystem.FileSystem, (fs) => ({
      ...fs,
      readFile: (path: string) => {
        reads.push("whole")
        return fs.readFile(path)
      },
      stream: (path: string, options?: { readonly offset?: unknown }) => {
        reads.push(`from ${String(options?.offset)}`)
        return fs.stream(path, options as never)
      },
    })),
  )
  return Layer.fresh(Project.segmentsAt(home)).pipe(
    Layer.provide(counting.pipe(Layer.provideMerge(Project.platform))),
    Layer.provide(Project.platform),
  )
}

describe("a ledger of segment files", () => {
  it.live("gives back what was appended, also to another process, and does not create a stream twice", () =>
    Effect.gen(function* () {
      const home = yield* Project.folder
      const heads = yield* openRun(home)
      const chain = yield* onLedger(home, (ledger) => ledger.read(stream))
      assert.isUndefined(chain.fault)
      assert.strictEqual(chain.head.hash, heads.at(-1)?.hash)
      assert.deepStrictEqual(yield* onLedger(home, (ledger) => ledger.runs), [run])
      const again = yield* Effect.flip(onLedger(home, (ledger) => Effect.scoped(ledger.create(stream))))
      assert.include(again.message, "it exists already")
      const missing = yield* Effect.flip(onLedger(home, (ledger) => ledger.read(StreamName.ofRun(Project.runId(9)))))
      assert.strictEqual(missing._tag, "StreamMissing")
    }),
  )

  it.live("takes no event that is too large, and goes on after it as if there had been none", () =>
    Effect.gen(function* () {
      const home = yield* Project.folder
      yield* openRun(home)
      yield* onLedger(home, (ledger) =>
        Effect.scoped(
          Effect.gen(function* () {
            const { writer } = yield* ledger.reopen(stream)
            const skip = (reason: string) =>
              writer.append({ type: "dev.dandori.task.skipped.v1", data: { task: "a", reason } })
            assert.throws(() => skip("x".repeat(20_000_000)), /would be 20000\d{3} characters long, at most 16777216/)
            skip("small")
            yield* writer.durable
          }),
        ),
      )
      const chain = yield* onLedger(home, (ledger) => ledger.read(stream))
      assert.isUndefined(chain.fault)
      assert.deepInclude(chain.entries.at(-1)?.data, { reason: "small" })
    }),
  )

  it.live("lets one owner write a stream", () =>
    Effect.gen(function* () {
      const home = yield* Project.folder
      yield* openRun(home)
      yield* onLedger(home, (ledger) =>
        Effect.scoped(
          Effect.gen(function* () {
            yield* ledger.reopen(stream)
            assert.isTrue(yield* ledger.owned(stream))
            const busy = yield* Effect.flip(onLedger(home, (other) => Effect.scoped(other.reopen(stream))))
            assert.strictEqual(busy._tag, "StreamBusy")
            assert.include(busy.message, `process ${process.pid}`)
          }),
        ),
      )
      assert.isFalse(yield* onLedger(home, (ledger) => ledger.owned(stream)))
    }),
  )

  it.live("leaves nothing behind when it is asked who owns a run that there never was", () =>
    Effect.gen(function* () {
      const home = yield* Project.folder
      yield* openRun(home)
      const names = Effect.promise(() => Fs.readdir(home, { recursive: true }))
      const before = (yield* names).toSorted()
      const never = ["01a220b3-7f8e-74e8-b0f0-c541ff00350a", Project.runId(9)]
      for (const run of never) {
        assert.isFalse(yield* onLedger(home, (ledger) => ledger.owned(StreamName.ofRun(run))))
      }
      assert.deepStrictEqual((yield* names).toSorted(), before)
    }),
  )

  it.live("cuts what a crash left torn at any byte of the last line, records the cut, and goes on", () =>
    Effect.gen(function* () {
      const home = yield* Project.folder
      yield* openRun(home)
      const path = fileOf(home)
      const bytes = yield* read(path)
      const start = bytes.lastIndexOf(10, bytes.length - 2) + 1
      for (const length of [start + 1, start + 77, bytes.length - 2, bytes.length - 1]) {
        yield* write(path, bytes.subarray(0, length))
        const { before, after } = yield* onLedger(home, (ledger) =>
          Effect.scoped(
            Effect.gen(function* () {
              const { chain, writer } = yield* ledger.reopen(stream)
              writer.append(Project.finished)
              yield* writer.durable
              return { before: chain, after: yield* ledger.read(stream) }
            }),
          ),
        )
        assert.strictEqual(before.validBytes, start)
        assert.isUndefined(after.fault)
        assert.deepStrictEqual(
          after.entries.slice(-2).map(({ type }) => type),
          ["dev.dandori.ledger.repaired.v1", "dev.dandori.run.finished.v1"],
        )
        assert.deepStrictEqual(after.entries.at(-2)?.data, {
          removedBytes: length - start,
          removedSha256: Sha256.of(bytes.subarray(start, length)),
          after: before.head.sequence,
        })
      }
    }),
  )

  it.live("cuts blocks of zeros that a power cut left behind", () =>
    Effect.gen(function* () {
      const home = yield* Project.folder
      yield* openRun(home)
      const bytes = yield* read(fileOf(home))
      yield* write(fileOf(home), Buffer.concat([bytes, Buffer.alloc(4096), Buffer.from('0"}\n')]))
      const chain = yield* onLedger(home, (ledger) => Effect.scoped(Effect.map(ledger.reopen(stream), (o) => o.chain)))
      assert.strictEqual(chain.validBytes, bytes.length)
      const after = yield* onLedger(home, (ledger) => ledger.read(stream))
      assert.isUndefined(after.fault)
    }),
  )

  it.live("refuses to go on with a finished run that was cut, by the root's count, and leaves it as it is", () =>
    Effect.gen(function* () {
      const home = yield* Project.folder
      yield* Project.writeRun(run, Project.attempts(4)).pipe(Effect.provide(Project.ledgerAt(home)))
      yield* Effect.promise(() => Fs.chmod(fileOf(home), 0o644))
      const bytes = yield* read(fileOf(home))
      const third = bytes.indexOf(10, bytes.indexOf(10, bytes.indexOf(10) + 1) + 1) + 1
      for (const length of [third, third + 9, bytes.length - 1, 0]) {
        yield* write(fileOf(home), bytes.subarray(0, length))
        const refused = yield* Effect.flip(onLedger(home, (ledger) => Effect.scoped(ledger.reopen(stream))))
        assert.strictEqual(refused._tag, "StreamDamaged", refused.message)
        assert.match(refused.message, /line \d of the root/)
        assert.strictEqual((yield* read(fileOf(home))).length, length)
      }
      yield* write(fileOf(home), bytes)
      yield* Effect.promise(() => Fs.chmod(fileOf(home), 0o444))
      const ended = yield* Effect.flip(onLedger(home, (ledger) => Effect.scoped(ledger.reopen(stream))))
      assert.strictEqual(ended._tag, "StreamEnded")
      assert.include(ended.message, `Run ${run} has ended`)
      const files = yield* Effect.promise(() => Fs.readdir(join(fileOf(home), "..")))
      assert.isFalse(files.includes(`${run}.ndjson.lock`))
    }),
  )

  it.live("takes for a run only a file at its own place with a run's id for a name", () =>
    Effect.gen(function* () {
      const home = yield* Project.folder
      yield* openRun(home)
      const below = join(home, "ledger/runs")
      yield* Effect.promise(() => Fs.mkdir(join(below, "NaN/NaN"), { recursive: true }))
      const copy = yield* read(fileOf(home))
      for (const name of ["notes.ndjson", "NaN/NaN/notes.ndjson", `${run}.ndjson`, `NaN/${Project.runId(2)}.ndjson`]) {
        yield* write(join(below, name), copy)
      }
      assert.deepStrictEqual(yield* onLedger(home, (ledger) => ledger.runs), [run])
    }),
  )

  it.live("refuses to go on with a stream that was changed, at its end too, and leaves it as it is", () =>
    Effect.gen(function* () {
      const home = yield* Project.folder
      yield* openRun(home)
      const bytes = yield* read(fileOf(home))
      const lines = bytes.toString().split("\n").slice(0, -1)
      for (const line of [1, 3, lines.length]) {
        const changed = lines.with(line - 1, lines[line - 1].replace('"authid":"tester"', '"authid":"nobody"'))
        yield* write(fileOf(home), `${changed.join("\n")}\n`)
        const refused = yield* Effect.flip(onLedger(home, (ledger) => Effect.scoped(ledger.reopen(stream))))
        assert.strictEqual(refused._tag, "StreamDamaged")
        assert.include(refused.message, `line ${line} was changed`)
        assert.strictEqual((yield* read(fileOf(home))).toString(), `${changed.join("\n")}\n`)
      }
    }),
  )

  it.live("appends to one stream from many ledgers at once, each append whole and in the chain", () =>
    Effect.gen(function* () {
      const home = yield* Project.folder
      yield* Effect.forEach(
        Array.from({ length: 4 }, (_, i) => i),
        (i) =>
          onLedger(home, (ledger) =>
            Effect.forEach(
              Array.from({ length: 12 }, (_, k) => k),
              (k) => ledger.record("system", [key(i * 100 + k * 2), key(i * 100 + k * 2 + 1)]),
            ),
          ),
        { concurrency: "unbounded" },
      )
      const chain = yield* onLedger(home, (ledger) => ledger.read("system"))
      assert.isUndefined(chain.fault)
      const keys = chain.entries.map(({ data }) => Number((data as { keyid: string }).keyid.slice(4)))
      assert.strictEqual(new Set(keys).size, 96)
      for (let i = 0; i < keys.length; i += 2) assert.strictEqual(keys[i + 1], keys[i] + 1)
    }),
  )

  it.live("reads the whole stream once, then only what other processes added", () =>
    Effect.gen(function* () {
      const home = yield* Project.folder
      const reads: Array<string> = []
      yield* Effect.gen(function* () {
        const ledger = yield* Ledger
        yield* ledger.record("system", [key(1)])
        for (const n of [2, 3, 4]) yield* ledger.record("system", [key(n)])
        assert.deepStrictEqual(reads, [])
        const { size } = yield* Effect.promise(() => Fs.stat(fileOf(home, "system")))
        yield* onLedger(home, (other) => other.record("system", [key(5)]))
        yield* Effect.promise(() => Fs.appendFile(fileOf(home, "system"), "torn"))
        yield* ledger.record("system", [key(6)])
        assert.deepStrictEqual(reads, [`from ${size}`])
        const chain = yield* ledger.read("system")
        assert.isUndefined(chain.fault)
        assert.strictEqual(chain.head.sequence, 7)
      }).pipe(Effect.provide(watched(home, reads)))
    }),
  )

  it.live("reads a run again only where its file has grown, and finds what was changed in it", () =>
    Effect.gen(function* () {
      const home = yield* Project.folder
      yield* openRun(home)
      const path = fileOf(home)
      const { size } = yield* Effect.promise(() => Fs.stat(path))
      const reads: Array<string> = []
      yield* Effect.gen(function* () {
        const ledger = yield* Ledger
        const first = yield* ledger.read(stream)
        assert.strictEqual(yield* ledger.read(stream), first)
        yield* onLedger(home, (other) =>
          Effect.scoped(
            Effect.andThen(other.reopen(stream), ({ writer }) => {
              writer.append({ type: "dev.dandori.task.skipped.v1", data: { task: "a", reason: "late" } })
              return writer.durable
            }),
          ),
        )
        const grown = yield* ledger.read(stream)
        assert.deepStrictEqual(grown, yield* onLedger(home, (other) => other.read(stream)))
        assert.deepStrictEqual(reads, ["whole", `from ${size}`])
        const bytes = yield* read(path)
        yield* write(path, bytes.toString().replace("late", "soon"))
        yield* Effect.promise(() => Fs.utimes(path, 1, 1))
        const changed = yield* ledger.read(stream)
        assert.strictEqual(changed.fault?.line, grown.head.sequence)
      }).pipe(Effect.provide(watched(home, reads)))
    }),
  )

  it.live(
    "appends to the file that lies at its place, also where another of the same size and time was put there",
    () =>
      Effect.gen(function* () {
        const home = yield* Project.folder
        const path = fileOf(home, "system")
        yield* onLedger(home, (ledger) =>
          Effect.gen(function* () {
            for (const n of [1, 2]) yield* ledger.record("system", [key(n)])
            yield* Effect.promise(async () => {
              const { atime, mtime } = await Fs.stat(path)
              await Fs.copyFile(path, `${path}.copy`)
              await Fs.utimes(`${path}.copy`, atime, mtime)
              await Fs.utimes(path, atime, mtime)
              await Fs.rename(`${path}.copy`, path)
            })
            yield* ledger.record("system", [key(3)])
            yield* ledger.record("system", [key(4)])
          }),
        )
        const chain = yield* onLedger(home, (ledger) => ledger.read("system"))
        assert.isUndefined(chain.fault)
        assert.strictEqual(chain.head.sequence, 4)
      }),
  )

  it.live("notices that entries which it wrote are gone or changed before it appends again", () =>
    Effect.gen(function* () {
      const home = yield* Project.folder
      const path = fileOf(home, "system")
      yield* onLedger(home, (ledger) =>
        Effect.gen(function* () {
          for (const n of [1, 2, 3]) yield* ledger.record("system", [key(n)])
          const bytes = yield* read(path)
          yield* write(path, bytes.subarray(0, bytes.indexOf(10) + 1))
          const cut = yield* Effect.flip(ledger.record("system", [key(4)]))
          assert.include(cut.message, "entries are missing")
          yield* write(path, bytes.toString().replace("key 2", "key 9"))
          yield* Effect.promise(() => Fs.utimes(path, 1, 1))
          const changed = yield* Effect.flip(ledger.record("system", [key(4)]))
          assert.include(changed.message, "line 2 was changed")
        }),
      )
    }),
  )
})
