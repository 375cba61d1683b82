import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import { timeText } from "../../src/domain/occurrence.ts"
import * as Sha256 from "../../src/domain/sha256.ts"
import { Ledger } from "../../src/ledger/ledger.ts"
import { mostTicks } from "../../src/scheduler/backfill-ticks.ts"
import * as ScheduleBook from "../../src/scheduler/schedule-book.ts"
import * as Orders from "../../src/scheduler/schedule-orders.ts"
import * as MemoryLedger from "./month/memory-ledger.ts"
import { pipeline, scheduleOf } from "./schedule.fixture.ts"

const begin = Date.UTC(2026, 2, 1)

describe("backfills of one schedule", () => {
  it.live("have so many ticks together at most, and room again when one was cancelled", () =>
    Effect.gen(function* () {
      const book = yield* ScheduleBook.open("dev")
      const schedule = scheduleOf("* * * * * *")
      const data = { pipeline, plan: Sha256.of("a plan"), schedule, after: timeText(begin) }
      yield* book.record(pipeline, () => [{ type: "dev.dandori.schedule.deployed.v1", data }])
      const ask = (ticks: number) =>
        Orders.backfill(book, pipeline, "dev", { from: begin, to: begin + ticks * 1_000, definition: "today" })
      const first = yield* ask(mostTicks - 1)
      assert.lengthOf(first.ticks, mostTicks - 1)
      yield* ask(1)
      const { message } = yield* Effect.flip(ask(1))
      assert.strictEqual(
        message,
        `Of backfills that go on ${mostTicks} ticks wait, and at most ${mostTicks} may: wait for them, or cancel one`,
      )
      assert.lengthOf(book.state(pipeline).backfills, 2)
      const [{ run: oldest }, ...others] = book.state(pipeline).backfills[0].ticks
      yield* Orders.cancelBackfill(book, pipeline, first.backfill, "not that many")
      assert.strictEqual(book.notCreated(oldest), "its backfill was cancelled: not that many")
      // What is kept of other schedules is not driven out by a large one.
      assert.isUndefined(book.notCreated(others[mostTicks / 2].run))
      assert.lengthOf((yield* ask(5)).ticks, 5)
    }).pipe(Effect.scoped, Effect.provideService(Ledger, MemoryLedger.make(new Map()))),
  )
})
