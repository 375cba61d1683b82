import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Run from "../../src/engine/run.ts"
import { Ledger } from "../../src/ledger/ledger.ts"
import type { StreamWriter } from "../../src/ledger/stream-writer.ts"
import { plan, task, typeOf } from "../support/engine-plan.ts"
import * as Project from "../support/engine-project.ts"

/** Flushes that were still to be done for all that was recorded when each task began to work, by task type. */
const owedAtWork = Effect.gen(function* () {
  const place = yield* Project.temporary
  const owed: Record<string, number> = {}
  let writer: StreamWriter | undefined
  const look = (name: string) =>
    Effect.gen(function* () {
      const before = writer?.flushes() ?? NaN
      yield* Effect.orDie(writer?.durable ?? Effect.void)
      owed[name] = (writer?.flushes() ?? NaN) - before
      return {}
    })
  const types = [
    typeOf("thinks", "pure", () => look("thinks")),
    typeOf("repeats", "idempotent", () => look("repeats")),
    typeOf("pays", "once", () => look("pays")),
  ]
  const [thinks, repeats, pays] = types
  const made = plan([
    task("a", thinks),
    task("b", pays, { needs: ["a"] }),
    task("c", thinks, { needs: ["b"] }),
    task("d", repeats, { needs: ["c"] }),
  ])
  yield* Effect.gen(function* () {
    const ledger = yield* Ledger
    const watched = Ledger.of({
      ...ledger,
      create: (stream) => Effect.tap(ledger.create(stream), (made) => Effect.sync(() => (writer = made))),
    })
    const request = Project.request(made, { durability: "batched", flushIntervalMillis: 60_000 })
    const { run, state } = yield* Run.start(request).pipe(Effect.provideService(Ledger, watched))
    assert.strictEqual(state.status, "succeeded")
    const [created] = Project.dataOf(yield* Project.entriesOf(run), "run.created")
    assert.deepInclude(created, { durability: "batched", flushIntervalMillis: 60_000 })
  }).pipe(Effect.provide(Project.services(place, { types })))
  return owed
})

describe("a run whose record is flushed in batches", () => {
  it.live("has every intent of an effect on the disk before its work begins, and leaves those of pure tasks", () =>
    Effect.gen(function* () {
      assert.deepStrictEqual(yield* owedAtWork, { thinks: 1, repeats: 0, pays: 0 })
    }),
  )
})
