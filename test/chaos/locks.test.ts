import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import { campaign } from "../support/lock-chaos.ts"

const kills = Number(process.env.DANDORI_CHAOS_KILLS ?? 15)
const seed = Number(process.env.DANDORI_CHAOS_SEED ?? Date.now() % 1_000_000)

describe("processes of one machine that are killed", () => {
  it.live(
    "never hold one lock together, and leave no lease behind",
    () =>
      Effect.gen(function* () {
        const tally = yield* Effect.promise(() => campaign({ kills, seed, width: 3 }))
        assert.deepStrictEqual(tally.faults, [])
        assert.isAtLeast(tally.kills, kills)
        assert.isAbove(tally.sections, 0)
      }),
    120_000 + kills * 5_000,
  )
})
