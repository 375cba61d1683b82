import { assert, describe, it } from "@effect/vitest"
import { campaign } from "../support/database-chaos.ts"

const runs = Number(process.env.DANDORI_CHAOS_RUNS ?? 3)
const seed = Number(process.env.DANDORI_CHAOS_SEED ?? Date.now() % 1_000_000)

describe("runs whose database is stopped, killed and started", () => {
  it("are neither lost nor stuck nor wrong", { timeout: 240_000 + runs * 20_000 }, async () => {
    const tally = await campaign({ runs, seed, width: 2, restartMillis: [1_000, 2_500] })
    assert.deepStrictEqual(tally.faults, [], `seed ${seed}`)
    assert.strictEqual(tally.finished, runs)
    assert.isAbove(tally.restarts, 1)
  })
})
