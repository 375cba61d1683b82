import { assert, describe, it } from "@effect/vitest"
import * as fc from "fast-check"
import { featureNames, type FeatureTable } from "../../src/market/features.ts"
import * as Labels from "../../src/market/labels.ts"

const table = (
  z: ReadonlyArray<number>,
  others: Readonly<Record<string, ReadonlyArray<number>>> = {},
): FeatureTable => ({
  timestamp: Float64Array.from(z.keys()),
  names: featureNames,
  columns: Object.fromEntries(
    featureNames.map((name) => [
      name,
      name === "z" ? Float64Array.from(z) : Float64Array.from(others[name] ?? z.map(() => 0)),
    ]),
  ),
})
const spec = { ...Labels.defaultLabelSpec, horizon: 4 }
const plain = ({ ends, rows, values }: Labels.Labels) => ({ rows: [...rows], values: [...values], ends: [...ends] })

describe("reversion", () => {
  it("is 1 where z comes back within the horizon and 0 where it does not", () => {
    const z = [0, 2.1, 1.5, 0.4, 0, -2.5, -2, -2, -1, -0.6, 0, 0, 0, 0, 0]
    assert.deepStrictEqual(plain(Labels.reversion(table(z), spec)), { rows: [1, 5], values: [1, 0], ends: [3, 9] })
  })

  it("counts a return in the last bar of the horizon, and not one bar later", () => {
    assert.deepStrictEqual([...Labels.reversion(table([2, 2, 1, 1, 0.5, 0, 0]), spec).values], [1])
    assert.deepStrictEqual([...Labels.reversion(table([2, 1, 1, 1, 1, 0.5, 0]), spec).values], [0])
  })

  it("takes no event that moves too fast", () => {
    const z = [2.5, 2.5, 0, 0, 0, 0, 0]
    const speed = [0.121, 0.12, 0, 0, 0, 0, 0]
    assert.deepStrictEqual([...Labels.reversion(table(z, { abs_dz_ema: speed }), spec).rows], [1])
  })

  it("leaves out events whose horizon runs past the data, decided or not", () => {
    assert.strictEqual(Labels.reversion(table([0, 0, 2, 0, 0]), spec).rows.length, 0)
  })

  it("leaves out rows that lack a feature", () => {
    const missing = { beta: [Number.NaN, 1, 1, 1, 1, 1, 1] }
    assert.deepStrictEqual([...Labels.reversion(table([2.5, 2.5, 0, 0, 0, 0, 0], missing), spec).rows], [1])
  })

  it("has no two events that share a bar, and every value agrees with its path", () => {
    const zs = fc.array(fc.double({ min: -4, max: 4, noNaN: true }), { maxLength: 200 })
    fc.assert(
      fc.property(zs, fc.integer({ min: 1, max: 20 }), (z, horizon) => {
        const { ends, rows, values } = Labels.reversion(table(z), { ...spec, horizon })
        rows.forEach((row, k) => {
          if (k > 0) assert.isAbove(row, ends[k - 1])
          assert.isAtLeast(Math.abs(z[row]), 2)
          assert.isBelow(row + horizon, z.length)
          assert.isAtMost(ends[k], row + horizon)
          const path = z.slice(row + 1, row + horizon + 1)
          assert.strictEqual(values[k], path.some((value) => Math.abs(value) <= 0.5) ? 1 : 0)
        })
      }),
    )
  })
})

describe("risk", () => {
  const quiet = [0, 0, 0, 0, 0]
  it("is 1 one bar before any of the four criteria holds, and has no label for the newest bar", () => {
    const columns = {
      rho_var_180: [0, 0.026, 0, 0, 0],
      atr_ratio: [1, 1, 1.81, 1, 1],
      abs_dz_ema: [0, 0, 0, 0.12, 0],
      drawdown_recent: [0, 0, 0, 0, 0.071],
    }
    const labels = plain(Labels.risk(table(quiet, columns)))
    assert.deepStrictEqual(labels, { rows: [0, 1, 2, 3], values: [1, 1, 0, 1], ends: [1, 2, 3, 4] })
  })

  it("is the specification's literal label with lead 0", () => {
    const labels = Labels.risk(table(quiet, { abs_dz_ema: [0, 0.13, 0, 0, 0] }), { ...spec, riskLead: 0 })
    assert.deepStrictEqual([...labels.values], [0, 1, 0, 0, 0])
    assert.strictEqual(Labels.baseRate(labels), 0.2)
  })
})
