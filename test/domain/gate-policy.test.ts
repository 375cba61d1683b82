import { assert, describe, it } from "@effect/vitest"
import * as GatePolicy from "../../src/domain/gate-policy.ts"
import * as Sha256 from "../../src/domain/sha256.ts"

const policy = (changed?: string) =>
  GatePolicy.backtest((section) => Sha256.of(section === changed ? `other ${section}` : section)).sha256

describe("the policy of a backtest", () => {
  it("is the same for the same sections", () => {
    assert.strictEqual(policy(), policy())
  })

  it("is another one when any of its sections is", () => {
    const all = [policy(), ...GatePolicy.backtestSections.map(policy)]
    assert.strictEqual(new Set(all).size, 4)
  })

  it("does not take one section's digest for another's", () => {
    const swapped = { backtest_policy: "cost_table", cost_table: "backtest_policy", universe: "universe" }
    assert.notStrictEqual(GatePolicy.backtest((section) => Sha256.of(swapped[section])).sha256, policy())
  })
})
