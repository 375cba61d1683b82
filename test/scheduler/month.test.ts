import { assert, describe, it } from "@effect/vitest"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import { Ledger } from "../../src/ledger/ledger.ts"
import * as Project from "../ledger/fixtures/project.ts"
import * as MemoryLedger from "./month/memory-ledger.ts"
import { tried } from "./month/trial.ts"

const hour = 3_600_000

/** The suite lives through the same month each time; who wants more of them (chaos) gets others each time. */
const { DANDORI_MONTHS: months } = process.env
const many = Number(months ?? 1)
const first = Number(process.env.DANDORI_MONTH_SEED ?? (months === undefined ? 7 : Date.now() % 1_000_000))

/** A month takes half a minute of a core; on a busy machine, several minutes. Milliseconds. */
const longest = 600_000

const inMemory = () => {
  const store: MemoryLedger.Store = new Map()
  return Effect.sync(() => MemoryLedger.make(store))
}

describe("two hundred schedules on virtual time, over restarts, clock steps, sleeps and a database that is away", () => {
  it.live(
    "close each tick of thirty days once, in time, and explain it as recorded",
    () =>
      Effect.gen(function* () {
        // A month need not have each kind of disturbance: chance may leave one out. All of them together have each.
        const happened = new Set<string>()
        for (let seed = first; seed < first + many; seed++) {
          const options = { seed, schedules: 200, days: 30, rest: 24 * hour, ledger: inMemory() }
          const { disturbances, explained, outcomes, ticks, violations } = yield* tried(options)
          assert.deepStrictEqual(violations.slice(0, 20), [], `seed ${seed}`)
          assert.isAbove(ticks, 5_000, `seed ${seed}`)
          assert.isAbove(explained, 5_000, `seed ${seed}`)
          assert.containsAllKeys(outcomes, ["ran", "skipped", "missed", "held"], `seed ${seed}`)
          for (const kind of Object.keys(disturbances)) happened.add(kind)
        }
        const kinds = ["restart", "dies", "rival", "outage", "flaky", "step", "sleep", "deploy"]
        assert.includeMembers([...happened], kinds, `seeds from ${first} on`)
      }),
    many * longest,
  )

  it.live("do so with segment files", () =>
    Effect.scoped(
      Effect.gen(function* () {
        const home = yield* Project.folder
        const ledger = Effect.map(Effect.orDie(Layer.build(Project.ledgerAt(home))), Context.get(Ledger))
        const options = { seed: first, schedules: 12, days: 1, rest: 3 * hour, ledger, isReal: true }
        const { ticks, violations } = yield* tried(options)
        assert.deepStrictEqual(violations, [], `seed ${first}`)
        assert.isAbove(ticks, 0)
      }),
    ),
  )
})
