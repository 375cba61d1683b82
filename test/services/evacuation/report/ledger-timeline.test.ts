import * as Fs from "node:fs/promises"
import { join } from "node:path"
import { assert, describe, it } from "@effect/vitest"
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import type { Event } from "../../../../src/domain/event.ts"
import { Ledger } from "../../../../src/ledger/ledger.ts"
import * as StreamName from "../../../../src/ledger/stream-name.ts"
import * as LedgerTimeline from "../../../../src/services/evacuation/report/ledger-timeline.ts"
import * as Project from "../../../ledger/fixtures/project.ts"

const run = (n: number) => `0190a000-0000-7000-8000-00000000000${n}`
const started = (task: string): Event => ({ type: "dev.dandori.attempt.started.v1", data: { task, attempt: 1 } })
const done = (task: string): Event => ({ type: "dev.dandori.attempt.succeeded.v1", data: { task, attempt: 1 } })
const hour = 3_600_000

const inLedger = <A, E, R>(use: (home: string) => Effect.Effect<A, E, R>) =>
  Effect.flatMap(Project.folder, (home) => use(home).pipe(Effect.provide(Project.projectAt(home)))).pipe(Effect.scoped)

/** What the ledger of a home says of two hours around now. */
const tell = Effect.fnUntraced(function* (home: string, own = run(1)) {
  const now = yield* Clock.currentTimeMillis
  return yield* LedgerTimeline.read(join(home, "ledger"), { from: now - hour, to: now + hour }, own)
})
const texts = ({ moments }: LedgerTimeline.Told) => moments.map(({ of, text }) => `${of}: ${text}`)

const cordon: Event = {
  type: "dev.dandori.cordon.raised.v1",
  data: { cordon: "IR-1", epoch: 1, reason: "disk errors" },
}

describe("what the files of a ledger say for a post-mortem record", () => {
  it.live("tells every step of the evacuation's own run, and of others how they went, and cordons", () =>
    inLedger((home) =>
      Effect.gen(function* () {
        yield* Project.writeRun(run(1), [started("cordon"), done("cordon")], { open: true })
        yield* Project.writeRun(run(2), [
          started("train"),
          { type: "dev.dandori.attempt.lost.v1", data: { task: "train", attempt: 1, reason: "its process is gone" } },
        ])
        yield* (yield* Ledger).record("system", [cordon])
        const told = yield* tell(home)
        assert.deepStrictEqual(told.problems, [])
        assert.sameMembers(texts(told), [
          "system: cordon IR-1 raised: disk errors",
          "demo 0190a000: run started",
          "demo 0190a000: cordon started",
          "demo 0190a000: cordon finished",
          "demo 0190a000: run started",
          "demo 0190a000: train lost: its process is gone",
          "demo 0190a000: run succeeded",
        ])
        assert.deepStrictEqual(
          told.moments.filter(({ bad }) => bad).map(({ text }) => text),
          ["train lost: its process is gone"],
        )
      }),
    ),
  )

  it.live("says nothing of what was before or after the time", () =>
    inLedger((home) =>
      Effect.gen(function* () {
        yield* Project.writeRun(run(2), [started("train")])
        const now = yield* Clock.currentTimeMillis
        const of = (from: number, to: number) => LedgerTimeline.read(join(home, "ledger"), { from, to }, run(1))
        assert.deepStrictEqual((yield* of(now - 2 * hour, now - hour)).moments, [])
        assert.deepStrictEqual((yield* of(now + hour, now + 2 * hour)).moments, [])
      }),
    ),
  )

  it.live("reads what is whole around torn and foreign lines, and says which file it could not read", () =>
    inLedger((home) =>
      Effect.gen(function* () {
        yield* Project.writeRun(run(2), [started("train")])
        yield* Project.writeRun(run(3), [])
        const pathOf = (id: string) => join(home, "ledger", StreamName.segmentPath(StreamName.ofRun(id)))
        yield* Effect.promise(async () => {
          const lines = (await Fs.readFile(pathOf(run(2)), "utf8")).split("\n")
          const damaged = [
            lines[0],
            "\u0000\u0000",
            "{}",
            '{"type":"dev.dandori.run.finished.v1"}',
            lines[2],
            lines[1].slice(0, 50),
          ]
          await Fs.chmod(pathOf(run(2)), 0o644)
          await Fs.writeFile(pathOf(run(2)), damaged.join("\n"))
          await Fs.rm(pathOf(run(3)))
          await Fs.mkdir(pathOf(run(3)))
        })
        const told = yield* tell(home)
        assert.deepStrictEqual(texts(told), ["demo 0190a000: run started", "demo 0190a000: run succeeded"])
        assert.deepStrictEqual(told.problems, [`${pathOf(run(3))} cannot be read (EISDIR)`])
      }),
    ),
  )

  it.live("is nothing where there is no ledger, and says so of one that cannot be listed", () =>
    Effect.gen(function* () {
      const home = yield* Project.folder
      assert.deepStrictEqual(yield* tell(home), { moments: [], problems: [] })
      yield* Effect.promise(() => Fs.writeFile(join(home, "ledger"), ""))
      assert.isNotEmpty((yield* tell(home)).problems)
    }).pipe(Effect.scoped),
  )
})
