import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as TestClock from "effect/testing/TestClock"
import * as Outage from "../../src/services/outage.ts"
import * as PostgresErrors from "../../src/services/postgres-errors.ts"

const away = PostgresErrors.lost("query", "host:1/db", "the connection was lost before")

describe("an outage", () => {
  it.effect("is outlasted, as long as it goes by, and nothing else is", () =>
    Effect.gen(function* () {
      let tries = 0
      const third = Effect.suspend(() => (++tries < 3 ? Effect.fail(away) : Effect.succeed(tries)))
      const fiber = yield* Effect.forkChild(Outage.outlast("The ledger", third))
      yield* TestClock.adjust("5 seconds")
      assert.strictEqual(yield* Fiber.join(fiber), 3)
      const other = yield* Effect.flip(Outage.outlast("The ledger", Effect.fail("another" as const)))
      assert.strictEqual(other, "another")
    }),
  )

  // The last one: from then on this process is to end.
  it.effect("is outlasted for ten seconds by a process that is to end, even where a statement gets no answer", () =>
    Effect.gen(function* () {
      const fiber = yield* Effect.forkChild(Effect.flip(Outage.outlast("The ledger", Effect.never)))
      yield* TestClock.adjust("60 seconds")
      yield* Outage.hasten
      yield* TestClock.adjust("9 seconds")
      assert.isUndefined(fiber.pollUnsafe())
      yield* TestClock.adjust("1 second")
      assert.match((yield* Fiber.join(fiber)).message, /does not answer/)
      // What takes a while to come to its end still writes it, where the database is there.
      yield* TestClock.adjust("60 seconds")
      assert.strictEqual(yield* Outage.outlast("The ledger", Effect.succeed("there")), "there")
    }),
  )
})
