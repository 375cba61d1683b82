import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as OpenLineage from "../../src/exporters/open-lineage.ts"
import * as Schemas from "../fixtures/schemas/open-lineage.ts"
import { problems } from "../support/conforms.ts"
import * as Runs from "./exported-runs.ts"

const eventsOf = ({ entries, run }: Runs.Exported) =>
  [...OpenLineage.runEvents(run, entries, "tests")].map(({ event }) => event)

const story = (exported: Runs.Exported) => eventsOf(exported).map(({ eventType, job }) => `${eventType} ${job.name}`)

const facetOf = (event: OpenLineage.RunEvent, name: string): any => event.run.facets[name]

const expected: Readonly<Record<string, ReadonlyArray<string>>> = {
  succeeded: [
    "START good",
    "START good.make",
    "COMPLETE good.make",
    "START good.judge",
    "COMPLETE good.judge",
    "COMPLETE good",
  ],
  failed: ["START bad", "START bad.make", "COMPLETE bad.make", "START bad.judge", "FAIL bad.judge", "FAIL bad"],
  broken: ["START broken", "START broken.broken", "FAIL broken.broken", "FAIL broken"],
  wrong: ["START wrong", "START wrong.judge", "FAIL wrong.judge", "FAIL wrong"],
  late: ["START late", "START late.hanging", "FAIL late.hanging", "FAIL late"],
  cancelled: ["START stopped", "START stopped.hanging", "ABORT stopped.hanging", "ABORT stopped"],
  retried: [
    "START retried",
    "START retried.flaky",
    "FAIL retried.flaky",
    "START retried.flaky",
    "FAIL retried.flaky",
    "START retried.flaky",
    "COMPLETE retried.flaky",
    "COMPLETE retried",
  ],
}

describe("the run events of OpenLineage", () => {
  for (const name of ["succeeded", "failed", "broken", "wrong", "late", "cancelled", "retried"] as const) {
    it.live(`tell a run that is ${name} from START to its end, each run of a job once, all by the schema`, () =>
      Effect.gen(function* () {
        const exported = yield* Runs.alone(name)
        const events = eventsOf(exported)
        assert.deepStrictEqual(story(exported), expected[name])
        assert.deepStrictEqual(
          events.flatMap((event) => problems(Schemas.runEvent, JSON.parse(JSON.stringify(event)))),
          [],
        )
        const starts = events.filter(({ eventType }) => eventType === "START").map(({ run }) => run.runId)
        const ends = events.filter(({ eventType }) => eventType !== "START").map(({ run }) => run.runId)
        assert.strictEqual(new Set(starts).size, starts.length)
        assert.sameMembers(ends, starts)
        for (const event of events.filter(({ job }) => job.name.includes("."))) {
          assert.deepInclude(facetOf(event, "parent"), {
            run: { runId: exported.run },
            job: { namespace: "tests", name: events[0].job.name },
          })
        }
      }),
    )
  }

  it.live("follow from the entries alone: a longer stream begins with the same events", () =>
    Effect.gen(function* () {
      const { entries, run } = yield* Runs.alone("retried")
      const all = eventsOf({ run, entries })
      for (let length = 0; length <= entries.length; length++) {
        const some = eventsOf({ run, entries: entries.slice(0, length) })
        assert.deepStrictEqual(some, all.slice(0, some.length))
      }
    }),
  )

  it.live("name what failed and why, in the run of the task and in that of the pipeline", () =>
    Effect.gen(function* () {
      const events = eventsOf(yield* Runs.alone("broken"))
      assert.strictEqual(facetOf(events[2], "errorMessage").message, "it is broken")
      assert.strictEqual(facetOf(events[3], "errorMessage").message, "Task broken: it is broken")
      const [, , , done] = eventsOf(yield* Runs.alone("succeeded"))
      assert.isUndefined(facetOf(done, "errorMessage"))
    }),
  )

  it.live("name the datasets that a task reads and makes, with their sizes and what a gate found", () =>
    Effect.gen(function* () {
      const events = eventsOf(yield* Runs.alone("failed"))
      const made = events[2].outputs.map(({ name, outputFacets }) => [name, outputFacets?.["outputStatistics"]])
      assert.deepStrictEqual(
        made.map(([name]) => name),
        ["bars/1h/EURUSD", "bars/1h/GBPUSD"],
      )
      assert.deepInclude(made[0][1], { rowCount: 1_000, size: 2_000, fileCount: 2 })
      const [judged] = events[4].inputs
      assert.deepInclude(judged, { namespace: "tests", name: "bars/1h/EURUSD" })
      assert.deepStrictEqual(judged.inputFacets?.["dataQualityAssertions"]["assertions"], [
        { assertion: "min_rows", success: false, severity: "error", expected: "100", actual: "1500" },
      ])
      assert.deepStrictEqual(events[4].outputs, [], "what it was given is not what it made")
    }),
  )

  it.live("say where the code is by its digest, and the nominal time of a run that a schedule started", () =>
    Effect.gen(function* () {
      const { entries, run } = yield* Runs.alone("succeeded")
      const created = entries[0].data as { readonly plan: string; readonly code: string }
      const tick = "2025-01-31T03:00:00.000Z"
      const ticked = [{ ...entries[0], data: { ...created, tick } }, ...entries.slice(1)]
      const events = eventsOf({ run, entries: ticked })
      for (const event of events) {
        assert.deepStrictEqual(problems(Schemas.runEvent, JSON.parse(JSON.stringify(event))), [])
        assert.strictEqual(facetOf(event, "nominalTime").nominalStartTime, tick)
      }
      const location = (event: OpenLineage.RunEvent): any => event.job.facets["sourceCodeLocation"]
      assert.strictEqual(location(events[0]).version, created.plan)
      const named = Buffer.from(location(events[1]).url.slice("ni:///sha-256;".length), "base64url").toString("hex")
      assert.strictEqual(named, created.code)
    }),
  )

  it.live("leave a task of unknown outcome open until a person has said what became of it", () =>
    Effect.scoped(
      Runs.inProject(() =>
        Effect.gen(function* () {
          const waiting = yield* Runs.start("unsure")
          const begun = ["START unsure", "START unsure.first", "COMPLETE unsure.first", "START unsure.unsure"]
          assert.deepStrictEqual(story(waiting), begun)
          const done = story(yield* Runs.resolve(waiting.run))
          assert.deepStrictEqual(done.slice(4), [
            "COMPLETE unsure.unsure",
            "START unsure.after",
            "COMPLETE unsure.after",
            "COMPLETE unsure",
          ])
        }),
      ),
    ),
  )

  it.live("do not conform when something that the schema wants is gone", () =>
    Effect.gen(function* () {
      const [event] = eventsOf(yield* Runs.alone("succeeded"))
      const wrong = [
        { ...event, eventTime: "yesterday" },
        { ...event, run: { ...event.run, runId: "1" } },
        { ...event, job: { namespace: "tests" } },
        { ...event, job: { ...event.job, facets: { sourceCodeLocation: { type: "git" } } } },
        { ...event, producer: "dandori" },
      ]
      assert.deepStrictEqual(
        wrong.filter((each) => problems(Schemas.runEvent, each).length === 0),
        [],
      )
    }),
  )
})
