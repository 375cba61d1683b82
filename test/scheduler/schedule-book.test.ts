import * as Effect from "effect/Effect"
import { assert, describe, it } from "@effect/vitest"
import type { Event } from "../../src/domain/event.ts"
import { Ledger } from "../../src/ledger/ledger.ts"
import * as ScheduleBook from "../../src/scheduler/schedule-book.ts"
import * as MemoryLedger from "./month/memory-ledger.ts"

const paused = (reason: string, pipeline = "nightly"): Event => ({
  type: "dev.dandori.schedule.paused.v1",
  data: { pipeline, reason },
})

describe("the book of schedules", () => {
  it.live("goes on when a decision is a defect, which is told to who asked for it", () =>
    Effect.gen(function* () {
      const book = yield* ScheduleBook.open("dev")
      const defect = yield* Effect.exit(
        book.record("nightly", () => {
          throw new RangeError("no such zone")
        }),
      )
      assert.strictEqual(defect._tag, "Failure")
      const written = yield* book.record("nightly", () => [paused("the feed is late")])
      assert.lengthOf(written, 1)
      assert.isFalse(yield* book.refresh)
    }).pipe(Effect.scoped, Effect.provideService(Ledger, MemoryLedger.make(new Map()))),
  )

  it.live("has what it wrote itself as everyone has it who reads it, also who it was", () =>
    Effect.gen(function* () {
      const book = yield* ScheduleBook.open("dev")
      yield* book.record("nightly", () => [paused("it failed twice")])
      const [pause] = book.state("nightly").pauses
      assert.strictEqual(pause.by, "tester")
      const reader = yield* ScheduleBook.open("dev")
      assert.deepStrictEqual(reader.state("nightly"), book.state("nightly"))
    }).pipe(Effect.scoped, Effect.provideService(Ledger, MemoryLedger.make(new Map()))),
  )

  it.live("tells of what others have recorded also where it came to know of it while it wrote", () =>
    Effect.gen(function* () {
      const book = yield* ScheduleBook.open("dev")
      const other = yield* ScheduleBook.open("dev")
      yield* other.record("nightly", () => [paused("the feed is late")])
      yield* book.record("hourly", () => [paused("so is this one", "hourly")])
      assert.isTrue(yield* book.readOn)
      // Who only reads keeps it from nobody.
      assert.isTrue(yield* book.refresh)
      assert.isFalse(yield* book.refresh)
    }).pipe(Effect.scoped, Effect.provideService(Ledger, MemoryLedger.make(new Map()))),
  )

  it.live("records what is decided of many at once or nothing of it, and decides all anew where another went on", () =>
    Effect.gen(function* () {
      const book = yield* ScheduleBook.open("dev")
      const other = yield* ScheduleBook.open("dev")
      yield* other.record("nightly", () => [paused("the feed is late")])
      const once: ScheduleBook.Decision = ({ pauses }) => (pauses.length > 0 ? [] : [paused("now", "hourly")])
      const seen: Array<number> = []
      const written = yield* book.recordAll([
        ["hourly", once],
        ["nightly", ({ pauses }) => (seen.push(pauses.length), [])],
        // A later decision about the same schedule goes by what the one before it decided.
        ["hourly", once],
      ])
      assert.deepStrictEqual(
        written.map(({ data, type }) => [type, data.pipeline]),
        [["dev.dandori.schedule.paused.v1", "hourly"]],
      )
      assert.deepStrictEqual(seen, [0, 1])
      const defect = yield* Effect.exit(
        book.recordAll([
          ["daily", () => [paused("never written", "daily")]],
          [
            "nightly",
            () => {
              throw new RangeError("no such zone")
            },
          ],
        ]),
      )
      assert.strictEqual(defect._tag, "Failure")
      assert.sameMembers([...(yield* ScheduleBook.open("dev")).pipelines()], ["nightly", "hourly"])
    }).pipe(Effect.scoped, Effect.provideService(Ledger, MemoryLedger.make(new Map()))),
  )
})
