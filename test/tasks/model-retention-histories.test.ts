import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as fc from "fast-check"
import { monthsBefore } from "../../src/domain/model-retention.ts"
import { Holds } from "../../src/services/holds.ts"
import { ModelRegistry } from "../../src/services/model-registry.ts"
import * as ModelRetention from "../../src/services/model-retention.ts"
import * as Stage from "./publish/stage.ts"
import * as Place from "./retention-place.ts"

const start = Date.UTC(2025, 0, 15)

/** One thing that somebody does; `pick` chooses the version, the number of days, or what to take back. */
const step = fc.record({
  what: fc.oneof(
    { weight: 2, arbitrary: fc.constant("publish" as const) },
    { weight: 2, arbitrary: fc.constant("deploy" as const) },
    { weight: 1, arbitrary: fc.constant("rollback" as const) },
    { weight: 1, arbitrary: fc.constant("reject" as const) },
    { weight: 2, arbitrary: fc.constant("hold" as const) },
    { weight: 1, arbitrary: fc.constant("release" as const) },
    { weight: 1, arbitrary: fc.constant("open" as const) },
    { weight: 1, arbitrary: fc.constant("close" as const) },
    { weight: 3, arbitrary: fc.constant("wait" as const) },
    { weight: 4, arbitrary: fc.constant("mark" as const) },
    { weight: 4, arbitrary: fc.constant("purge" as const) },
  ),
  pick: fc.nat(99),
})
type Step = typeof step extends fc.Arbitrary<infer A> ? A : never

/** What somebody who only watches knows: no code of ours decides here. */
interface Watched {
  readonly born: Map<string, number>
  readonly gone: Set<string>
  readonly marked: Map<string, number>
  readonly held: Map<string, { readonly hold: string; readonly until: number }>
  champion: string | undefined
  /** What the champion has ever taken the place of. */
  readonly before: Map<string, Set<string>>
}

const protectedOf = (seen: Watched, named: ReadonlySet<string>, now: number): ReadonlySet<string> => {
  const there = [...seen.born.keys()].filter((version) => !seen.gone.has(version))
  const young = there.filter((version) => (seen.born.get(version) ?? 0) > monthsBefore(now, 2))
  const held = [...seen.held].filter(([, { until }]) => now < until).map(([version]) => version)
  const { before, champion } = seen
  const served = champion === undefined ? [] : [champion, ...(before.get(champion) ?? [])]
  return new Set(
    [...there.slice(-2), ...young, ...held, ...served, ...named].filter((version) => !seen.gone.has(version)),
  )
}

const life = Effect.fnUntraced(function* (steps: ReadonlyArray<Step>) {
  const root = yield* Stage.project
  const named = new Set<string>()
  const clock = Place.makeClock(start)
  const seen: Watched = {
    born: new Map(),
    gone: new Set(),
    marked: new Map(),
    held: new Map(),
    champion: undefined,
    before: new Map(),
  }
  const act = Effect.fnUntraced(function* ({ pick, what }: Step, at: number) {
    const registry = yield* ModelRegistry
    const holds = yield* Holds
    const key = `step ${at}`
    const rows = yield* registry.list()
    const there = rows.filter(({ version }) => !seen.gone.has(version))
    const chosen = there.length === 0 ? undefined : there[pick % there.length]
    const now = clock.state.now
    if (what === "publish") {
      yield* Place.publish(`v${at}`)
      seen.born.set(`v${at}`, now)
    } else if (what === "wait") clock.state.now += (pick % 2 === 0 ? 4 : 30) * Place.dayMillis
    else if (what === "mark") {
      yield* Place.mark(key)
      for (const { row, verdict } of yield* ModelRetention.survey()) {
        if (verdict.is === "kept") seen.marked.delete(row.version)
        else if (!seen.marked.has(row.version)) seen.marked.set(row.version, now)
      }
    } else if (what === "purge") {
      const keep = protectedOf(seen, named, now)
      const { purged } = yield* ModelRetention.purge(rows, Place.warrant(key))
      for (const { version } of purged) {
        assert.isFalse(keep.has(version), `${version} was protected at ${key}`)
        const marked = seen.marked.get(version)
        assert.isDefined(marked, `${version} was purged without a mark`)
        assert.isAtLeast(now - (marked ?? now), 3 * Place.dayMillis)
        seen.gone.add(version)
      }
    } else if (chosen === undefined) return
    else if (what === "deploy" || what === "rollback") {
      if (!["candidate", "rolled_back", "archived"].includes(chosen.status)) return
      yield* Place.deploy(chosen.version, key, what === "rollback" ? "rolled_back" : "archived")
      const before = seen.before.get(chosen.version) ?? new Set()
      if (seen.champion !== undefined) before.add(seen.champion)
      seen.before.set(chosen.version, before)
      seen.champion = chosen.version
    } else if (what === "reject") {
      if (chosen.status === "candidate") yield* registry.transition(chosen.version, "rejected", Place.warrant(key))
    } else if (what === "hold") {
      const until = pick % 2 === 0 ? null : new Date(now + pick * Place.dayMillis).toISOString()
      if (seen.held.has(chosen.version)) return
      yield* Place.addHold(key, `model/${chosen.version}`, until)
      seen.held.set(chosen.version, { hold: key, until: until === null ? Number.POSITIVE_INFINITY : Date.parse(until) })
    } else if (what === "release") {
      const [version, one] = [...seen.held][pick % Math.max(1, seen.held.size)] ?? []
      if (version === undefined || one === undefined) return
      yield* holds.release(one.hold, { who: "bob", reason: "over" })
      seen.held.delete(version)
    } else if (what === "open") named.add(chosen.version)
    else named.clear()
  })
  return yield* Effect.gen(function* () {
    const earlier = Array.from({ length: 5 }, () => ({ what: "publish", pick: 0 }) as const)
    const all = [...earlier, { what: "wait", pick: 1 } as const, { what: "wait", pick: 1 } as const, ...steps]
    for (const [at, one] of all.entries()) yield* act(one, at)
    const registry = yield* ModelRegistry
    for (const row of yield* registry.list()) {
      assert.strictEqual(yield* Place.stateOf(root, row), seen.gone.has(row.version) ? "purged" : "whole")
    }
    assert.deepStrictEqual(yield* registry.verify, [])
    return seen.gone.size
  }).pipe(Effect.provide(Place.timed(root, clock, named)))
}, Effect.scoped)

describe("retention, over random histories", () => {
  it("purges nothing that is deployed, a rollback's target, held, named by an open run, new or young, or unmarked", async () => {
    let purged = 0
    await fc.assert(
      fc.asyncProperty(fc.array(step, { minLength: 25, maxLength: 60 }), async (steps) => {
        purged += await Effect.runPromise(life(steps))
      }),
      { numRuns: 12, endOnFailure: true },
    )
    assert.isAbove(purged, 5)
  }, 240_000)
})
