import * as Fs from "node:fs/promises"
import { join } from "node:path"
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import { Ledger } from "../../src/ledger/ledger.ts"
import * as Checkpoint from "../../src/ledger/checkpoint.ts"
import * as Root from "../../src/ledger/root.ts"
import * as StreamName from "../../src/ledger/stream-name.ts"
import * as Project from "./fixtures/project.ts"

const streams = [1, 2, 3, 4, 5].map((n) => StreamName.ofRun(Project.runId(n)))
const rootOf = (home: string) => join(home, "ledger/root.ndjson")
const inLedger = <A, E, R>(use: (home: string) => Effect.Effect<A, E, R>) =>
  Effect.flatMap(Project.folder, (home) => use(home).pipe(Effect.provide(Project.ledgerAt(home))))

const said = Effect.gen(function* () {
  const { entries, fault } = yield* (yield* Ledger).read("root")
  assert.isUndefined(fault)
  return entries.map(({ type, data }) => `${type.split(".").at(-2)} ${(data as { stream: string }).stream}`)
})

describe("the root stream", () => {
  it.live("gets the entries that a crash swallowed, once", () =>
    inLedger((home) =>
      Effect.gen(function* () {
        const ledger = yield* Ledger
        yield* Project.writeRun(Project.runId(1), [])
        yield* Project.writeRun(Project.runId(2), Project.attempts(2), { unlisted: true })
        yield* Project.writeRun(Project.runId(3), Project.attempts(2), { open: true, unlisted: true })
        yield* Project.writeRun(Project.runId(4), [], { open: true })
        assert.deepStrictEqual(yield* Root.reconcile(), { opened: 2, closed: 1 })
        assert.deepStrictEqual((yield* said).slice(3), [
          `opened ${streams[1]}`,
          `closed ${streams[1]}`,
          `opened ${streams[2]}`,
        ])
        const { entries } = yield* ledger.read("root")
        const second = yield* ledger.read(streams[1])
        assert.deepStrictEqual(entries[4].data, {
          stream: streams[1],
          entries: 4,
          head: second.head.hash,
          recovered: true,
        })
        assert.deepStrictEqual(entries[3].data, {
          stream: streams[1],
          first: second.entries[0].entryhash,
          recovered: true,
        })
        assert.deepStrictEqual(yield* Root.reconcile(), { opened: 0, closed: 0 })
        const path = join(home, "ledger", StreamName.segmentPath(streams[1]))
        assert.strictEqual((yield* Effect.promise(() => Fs.stat(path))).mode & 0o777, 0o444)
      }),
    ),
  )

  it.live("lets a stream be begun again whose first entry a crash tore, but none that it names", () =>
    inLedger((home) =>
      Effect.gen(function* () {
        const ledger = yield* Ledger
        const path = join(home, "ledger", StreamName.segmentPath(streams[0]))
        const cut = Effect.promise(async () => {
          const text = await Fs.readFile(path, "utf8")
          await Fs.chmod(path, 0o600)
          await Fs.writeFile(path, text.slice(0, 40))
        })
        yield* Project.writeRun(Project.runId(1), [], { open: true, unlisted: true })
        yield* cut
        yield* ledger.discard(streams[0])
        yield* Project.writeRun(Project.runId(1), [], { open: true })
        assert.lengthOf((yield* ledger.read(streams[0])).entries, 1)
        yield* ledger.discard(streams[0])
        yield* cut
        yield* ledger.discard(streams[0])
        assert.isTrue(yield* Effect.promise(() => Fs.stat(path).then((found) => found.size === 40)))
      }),
    ),
  )

  it.live("is not made anew when it is gone although runs have finished", () =>
    inLedger((home) =>
      Effect.gen(function* () {
        yield* Project.writeRun(Project.runId(1), Project.attempts(2))
        yield* Effect.promise(() => Fs.rm(rootOf(home)))
        for (const left of ["gone", "empty"]) {
          const refused = yield* Effect.flip(Root.reconcile())
          assert.deepInclude(refused, { _tag: "RootMissing", exitCode: 13 }, left)
          assert.include(refused.message, `${streams[0]} has finished`)
          yield* Effect.promise(() => Fs.writeFile(rootOf(home), ""))
        }
        assert.strictEqual((yield* Effect.promise(() => Fs.stat(rootOf(home)))).size, 0)
      }),
    ),
  )

  it.live("is not made anew when it is gone or cut although the system stream names a checkpoint of it", () =>
    Effect.flatMap(Project.folder, (home) =>
      Effect.gen(function* () {
        yield* Project.writeRun(Project.runId(1), [], { open: true })
        yield* Checkpoint.make()
        const text = yield* Effect.promise(() => Fs.readFile(rootOf(home), "utf8"))
        for (const left of ["", `${text.split("\n")[0]}\n`]) {
          yield* Effect.promise(() => Fs.writeFile(rootOf(home), left))
          const refused = yield* Effect.flip(Root.reconcile())
          assert.strictEqual(refused._tag, "RootMissing")
          assert.include(refused.message, "names a checkpoint of 2")
          assert.strictEqual(yield* Effect.promise(() => Fs.readFile(rootOf(home), "utf8")), left)
        }
      }).pipe(Effect.provide(Project.projectAt(home))),
    ),
  )

  it.live("is begun at the first start, when there is a key and a run that its process left behind", () =>
    Effect.flatMap(Project.folder, (home) =>
      Effect.gen(function* () {
        assert.deepStrictEqual(yield* Root.reconcile(), { opened: 0, closed: 0 })
        yield* Project.writeRun(Project.runId(1), [], { open: true, unlisted: true })
        assert.deepStrictEqual(yield* Root.reconcile(), { opened: 1, closed: 0 })
      }).pipe(Effect.provide(Project.projectAt(home))),
    ),
  )

  it.live("is verified before anything starts, what others added since too", () =>
    inLedger((home) =>
      Effect.gen(function* () {
        yield* Project.writeRun(Project.runId(1), [])
        assert.deepStrictEqual(yield* Root.reconcile(), { opened: 0, closed: 0 })
        yield* Project.writeRun(Project.runId(2), []).pipe(Effect.provide(Project.ledgerAt(home)))
        const text = yield* Effect.promise(() => Fs.readFile(rootOf(home), "utf8"))
        const lines = text.split("\n")
        const changed = lines.with(2, lines[2].replace("tester", "nobody")).join("\n")
        yield* Effect.promise(() => Fs.writeFile(rootOf(home), changed))
        const refused = yield* Effect.flip(Root.reconcile())
        assert.strictEqual(refused._tag, "StreamDamaged")
        assert.include(refused.message, "line 3 was changed")
        yield* Effect.promise(() => Fs.writeFile(rootOf(home), `${text}{"authid":"te`))
        assert.deepStrictEqual(yield* Root.reconcile(), { opened: 0, closed: 0 })
      }),
    ),
  )

  it.live("is reconciled over files that are no run's, and over empty ones, which go when nobody writes them", () =>
    inLedger((home) =>
      Effect.gen(function* () {
        const ledger = yield* Ledger
        yield* Project.writeRun(Project.runId(1), [])
        yield* Project.writeRun(Project.runId(2), [], { open: true })
        const place = (stream: string) => join(home, "ledger", StreamName.segmentPath(stream))
        yield* Effect.promise(async () => {
          await Fs.writeFile(join(home, "ledger/runs/notes.ndjson"), "notes\n")
          await Fs.writeFile(place(streams[1]), "")
          await Fs.writeFile(place(streams[2]), "")
        })
        const added = yield* Effect.scoped(Effect.andThen(ledger.create(streams[3]), Root.reconcile()))
        assert.deepStrictEqual(added, { opened: 0, closed: 0 })
        const left = yield* Effect.promise(() => Fs.readdir(join(place(streams[0]), "..")))
        const names = left.filter((name) => name.endsWith(".ndjson")).map((name) => name.slice(0, -7))
        assert.deepStrictEqual(names.toSorted(), [Project.runId(1), Project.runId(2), Project.runId(4)])
        assert.isTrue((yield* Effect.promise(() => Fs.readdir(join(home, "ledger/runs")))).includes("notes.ndjson"))
      }),
    ),
  )

  it.live("leaves runs alone that somebody writes, and runs that were damaged at their first entry", () =>
    inLedger((home) =>
      Effect.gen(function* () {
        const ledger = yield* Ledger
        yield* Project.writeRun(Project.runId(3), [])
        yield* Project.writeRun(Project.runId(1), [], { unlisted: true })
        yield* Project.writeRun(Project.runId(2), [], { unlisted: true })
        const path = join(home, "ledger", StreamName.segmentPath(streams[1]))
        const text = yield* Effect.promise(() => Fs.readFile(path, "utf8"))
        yield* Effect.promise(() => Fs.writeFile(path, text.replace("tester", "nobody")))
        const added = yield* Effect.scoped(Effect.andThen(ledger.reopen(streams[0]), Root.reconcile()))
        assert.deepStrictEqual(added, { opened: 0, closed: 0 })
        assert.deepStrictEqual(yield* Root.reconcile(), { opened: 1, closed: 1 })
      }),
    ),
  )
})
