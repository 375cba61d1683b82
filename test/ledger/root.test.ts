import * as Fs from "node:fs/promises"
import { join } from "node:path"
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import { Ledger } from "../../src/ledger/ledger.ts"
import * as Root from "../../src/ledger/root.ts"
import * as StreamName from "../../src/ledger/stream-name.ts"
import * as Project from "./fixtures/project.ts"

const streams = [1, 2, 3, 4, 5].map((n) => StreamName.ofRun(Project.runId(n)))
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
        assert.deepStrictEqual(entries[4].data, { stream: streams[1], entries: 4, head: second.head.hash })
        assert.deepStrictEqual(entries[3].data, { stream: streams[1], first: second.entries[0].entryhash })
        assert.deepStrictEqual(yield* Root.reconcile(), { opened: 0, closed: 0 })
        const path = join(home, "ledger", StreamName.segmentPath(streams[1]))
        assert.strictEqual((yield* Effect.promise(() => Fs.stat(path))).mode & 0o777, 0o444)
      }),
    ),
  )

  it.live("leaves runs alone that somebody writes, and runs that were damaged at their first entry", () =>
    inLedger((home) =>
      Effect.gen(function* () {
        const ledger = yield* Ledger
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
