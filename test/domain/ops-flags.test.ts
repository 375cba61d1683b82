import { assert, describe, it } from "@effect/vitest"
import * as fc from "fast-check"
import * as Result from "effect/Result"
import * as OpsFlags from "../../src/domain/ops-flags.ts"

const note = { updated_at: "2026-01-05T22:00:00.000Z", reason: "a test", source: "a test" }
const bytes = (stored: OpsFlags.Stored): OpsFlags.Stored =>
  new Map([...stored].map(([field, value]) => [field, Buffer.from(value as string)]))

const pairs = fc.uniqueArray(fc.constantFrom("A-B", "C-D", "É-F", 'q"-\\'), { minLength: 1 })
const change: fc.Arbitrary<OpsFlags.OpsChange> = fc.oneof(
  fc.constantFrom({ operation: "halt" } as const, { operation: "resume" } as const),
  fc.record({ operation: fc.constantFrom("halt-pairs", "resume-pairs", "flatten"), pairs }),
  fc.record({
    operation: fc.constant("set-leverage" as const),
    scale: fc.double({ min: 0, max: 1, noNaN: true }).map(Math.abs),
  }),
)

/** What the flags are after a change, by sets. */
const model = (flags: OpsFlags.OpsFlags, made: OpsFlags.OpsChange): OpsFlags.OpsFlags => {
  const given = new Set("pairs" in made ? made.pairs : [])
  const added = (list: ReadonlyArray<string>) => [...new Set([...list, ...given])].toSorted()
  const taken = (list: ReadonlyArray<string>) => list.filter((pair) => !given.has(pair))
  switch (made.operation) {
    case "halt":
      return { ...flags, global_halt: true }
    case "resume":
      return { ...flags, global_halt: false }
    case "halt-pairs":
      return { ...flags, halted_pairs: added(flags.halted_pairs) }
    case "flatten":
      return { ...flags, flatten_pairs: added(flags.flatten_pairs) }
    case "resume-pairs":
      return { ...flags, halted_pairs: taken(flags.halted_pairs), flatten_pairs: taken(flags.flatten_pairs) }
    case "set-leverage":
      return { ...flags, leverage_scale: made.scale }
  }
}

describe("changes of the operations flags", () => {
  it("come to what they say, whether the hash gives strings or bytes, and a change says whether it is one", () => {
    fc.assert(
      fc.property(fc.array(change, { maxLength: 12 }), (changes) => {
        let stored: OpsFlags.Stored = new Map([["global_halt", "1"]])
        let expected = Result.getOrThrow(OpsFlags.read(stored))
        for (const made of changes) {
          const planned = Result.getOrThrow(OpsFlags.plan(stored, made, note))
          assert.deepStrictEqual(Result.getOrThrow(OpsFlags.plan(bytes(stored), made, note)), planned)
          const next = model(expected, made)
          assert.strictEqual(planned.changed, JSON.stringify(next) !== JSON.stringify(expected))
          stored = new Map([...stored, ...Object.entries(planned.set)])
          expected = next
          const read = Result.getOrThrow(OpsFlags.read(stored))
          assert.deepStrictEqual(read, { ...expected, metadata: note })
          assert.deepStrictEqual(Result.getOrThrow(OpsFlags.read(bytes(stored))), read)
          assert.strictEqual(OpsFlags.digest(bytes(stored)), OpsFlags.digest(stored))
        }
      }),
      { numRuns: 300 },
    )
  })

  it("have another digest for each other state, a missing field and an empty one too", () => {
    const states: ReadonlyArray<OpsFlags.Stored> = [
      new Map(),
      new Map([["global_halt", ""]]),
      new Map([["global_halt", "1"]]),
      new Map([["halted_pairs", "1"]]),
    ]
    assert.strictEqual(new Set(states.map(OpsFlags.digest)).size, states.length)
    assert.strictEqual(OpsFlags.digest(new Map([["owner", "desk 4"]])), OpsFlags.digest(new Map()))
  })

  it("are read from the least that another program wrote, and from nothing less", () => {
    const least = Result.getOrThrow(OpsFlags.read(new Map([["global_halt", "0"]])))
    assert.deepStrictEqual(least, { global_halt: false, halted_pairs: [], flatten_pairs: [], leverage_scale: 1 })
    const none = OpsFlags.read(new Map([["halted_pairs", "[]"]]))
    assert.isTrue(Result.isFailure(none) && none.failure.unset && none.failure.field === "global_halt")
  })
})
