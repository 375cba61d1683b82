import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import { Ledger } from "../../src/ledger/ledger.ts"
import { campaign } from "../support/engine-campaign.ts"
import * as Chaos from "../support/engine-chaos.ts"
import * as Project from "../support/engine-project.ts"
import * as Pipeline from "./chaos-pipeline.ts"

const kills = Number(process.env.DANDORI_CHAOS_KILLS ?? 32)
const seed = Number(process.env.DANDORI_CHAOS_SEED ?? Date.now() % 1_000_000)

describe("a run whose processes are killed", () => {
  it.live(
    "ends, with one end for each attempt, no once effect doubled and a ledger that verifies",
    () =>
      Effect.gen(function* () {
        const tally = yield* campaign({ kills, seed })
        assert.deepStrictEqual(tally.faults, [])
        assert.isAtLeast(tally.kills, kills)
        assert.isAbove(tally.resumed, 0)
      }),
    60_000 + kills * 2_000,
  )

  it.live("ends by SIGTERM without an end in its ledger, and is resumed", () =>
    Effect.gen(function* () {
      const { project } = yield* Project.temporary
      const ended = yield* Effect.promise(() => Chaos.live(project, { _tag: "Events", count: 7, signal: "SIGTERM" }))
      assert.notStrictEqual(ended.exitCode, 0)
      const entries = yield* Effect.gen(function* () {
        const [run] = yield* (yield* Ledger).runs
        return yield* Project.entriesOf(run)
      }).pipe(Effect.provide(Project.services(Project.at(project), { types: [] })))
      const story = Project.story(entries)
      assert.notInclude(story, "run.finished")
      assert.notInclude(story, "cancel.requested")
      const again = yield* Effect.promise(() => Chaos.live(project, { _tag: "None" }))
      assert.strictEqual(again.exitCode, 0, again.output)
      assert.deepStrictEqual((yield* Chaos.faultsOf(project)).faults, [])
    }),
  )

  it.live("cannot be gone on with by two processes at once", () =>
    Effect.gen(function* () {
      const { project } = yield* Project.temporary
      yield* Effect.promise(() => Chaos.live(project, { _tag: "Events", count: 4 }))
      const both = yield* Effect.promise(() =>
        Promise.all([Chaos.live(project, { _tag: "None" }), Chaos.live(project, { _tag: "None" })]),
      )
      const refused = both.filter(({ exitCode }) => exitCode !== 0)
      // The other still writes it, or has ended it meanwhile.
      for (const { output } of refused) assert.match(output, /StreamBusy|StreamEnded|RunEnded/)
      assert.isBelow(refused.length, 2)
      assert.deepStrictEqual((yield* Chaos.faultsOf(project)).faults, [])
      assert.isAbove(Pipeline.effectsOf(project).length, 0)
    }),
  )
})
