import { join } from "node:path"
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import type { PlanTask } from "../../src/domain/plan.ts"
import * as Run from "../../src/engine/run.ts"
import { runStatus } from "../../src/engine/run-state.ts"
import { Ledger } from "../../src/ledger/ledger.ts"
import * as StreamName from "../../src/ledger/stream-name.ts"
import { Attempt } from "../../src/services/attempt.ts"
import { echo, plan, task, typeOf } from "../support/engine-plan.ts"
import * as Project from "../support/engine-project.ts"
import { away, back, swap } from "../support/open-file.ts"

/** Its intent is waited for. */
const steady = typeOf("steady", "idempotent", (input) => Effect.succeed(input))

const chain = (count: number, value: unknown, first: string): ReadonlyArray<PlanTask> =>
  Array.from({ length: count }, (_, n) =>
    task(`t${n}`, echo, { needs: [n === 0 ? first : `t${n - 1}`], with: { value } }),
  )

/** Task types that break the run's file and mend it, and whether the file is gone then. */
const breaking = (place: Project.Project, device: string, gone: boolean) => {
  const file = Effect.map(Attempt, ({ run }) =>
    join(place.home, "ledger", StreamName.segmentPath(StreamName.ofRun(run))),
  )
  const breaks = typeOf("breaks", "idempotent", () =>
    Effect.map(file, (path) => {
      swap(path, device)
      if (gone) away(path)
      return {}
    }),
  )
  const mends = typeOf("mends", "idempotent", () =>
    Effect.map(file, (path) => {
      if (gone) back(path)
      return {}
    }),
  )
  return { breaks, mends }
}

describe("a best-effort run", () => {
  for (const [how, device, gone] of [
    ["cannot be written for a while", "/dev/full", true],
    ["loses what it was given at a flush", "/dev/null", false],
  ] as const) {
    it.live(`whose file ${how} has its whole record in the end, in its order, and says when it was late`, () =>
      Effect.gen(function* () {
        const place = yield* Project.temporary
        const { breaks, mends } = breaking(place, device, gone)
        const first = { ...task("breaks", breaks) }
        const tasks = [
          first,
          ...chain(3, "x", "breaks"),
          task("mends", mends, { needs: ["t2"] }),
          task("end", steady, { needs: ["mends"] }),
        ]
        yield* Effect.gen(function* () {
          const { incomplete, run, state } = yield* Run.start(Project.request(plan(tasks, { audit: "best-effort" })))
          assert.strictEqual(runStatus(state), "succeeded")
          assert.isUndefined(incomplete)
          const story = Project.story(yield* Project.entriesOf(run))
          const own = story.filter((each) => !each.startsWith("ledger."))
          assert.deepStrictEqual(own, [
            "run.created",
            ...tasks.flatMap(({ id }) => [`attempt.started ${id}`, `attempt.succeeded ${id}`]),
            "run.finished",
          ])
          const late = story.filter((each) => each.startsWith("ledger."))
          assert.deepStrictEqual(late, ["ledger.stalled", "ledger.recovered"])
          const root = yield* (yield* Ledger).read("root")
          assert.deepStrictEqual(Project.story(root.entries), ["stream.opened", "stream.closed"])
        }).pipe(Effect.provide(Project.services(place, { types: [breaks, mends, steady, echo] })))
      }),
    )
  }

  it.live("stops as any other does when more events wait in memory than it keeps", () =>
    Effect.gen(function* () {
      const place = yield* Project.temporary
      const { breaks } = breaking(place, "/dev/full", true)
      const tasks = [task("breaks", breaks), ...chain(400, "x".repeat(200_000), "breaks")]
      yield* Effect.gen(function* () {
        const lost = yield* Effect.flip(Run.start(Project.request(plan(tasks, { audit: "best-effort" }))))
        assert.strictEqual(lost._tag, "LedgerLost")
        assert.match(
          lost.message,
          /cannot be written: keep more than 64 MiB for .* The run was stopped; .* dandori runs resume/,
        )
      }).pipe(Effect.provide(Project.services(place, { types: [breaks, echo] })))
    }),
  )
})
