import { assert, describe, it } from "@effect/vitest"
import * as Explain from "../../src/scheduler/explain.ts"
import type * as ScheduleFold from "../../src/scheduler/schedule-fold.ts"
import { newStream, pipeline, scheduleOf } from "./schedule.fixture.ts"

const at = (text: string) => Date.parse(`2026-03-${text}:00:00Z`)

describe("a time that was backfilled", () => {
  const backfilled = () => {
    const stream = newStream()
    stream.deploy(at("10T12"), scheduleOf("0 3 * * *"))
    stream.append(at("10T13"), {
      type: "dev.dandori.schedule.backfill.requested.v1",
      data: {
        backfill: "01a202b0-b7bc-701b-83d6-aca8dfd60bf6",
        env: "dev",
        pipeline,
        from: "2026-03-01T00:00:00Z",
        to: "2026-03-04T00:00:00Z",
        definition: "today",
        ticks: 3,
      },
    })
    const [{ ticks }] = stream.state().backfills
    const explained = (text: string) =>
      Explain.of(stream.events as ReadonlyArray<ScheduleFold.Written>, at(text), at("10T14"))
    return { explained, stream, ticks }
  }

  it("before its schedule was first deployed tells of the run, and how it stands", () => {
    const { explained, stream, ticks } = backfilled()
    stream.end(at("10T13") + 1, { ...ticks[0], queued: false }, "failed")
    const reason = "a backfill asked for it: the schedule that was deployed then has no tick at this time"
    for (const [n, fate] of (["failed", "goes on", "waits"] as const).entries()) {
      const { run } = ticks[n]
      assert.deepStrictEqual(explained(`0${n + 1}T03`), {
        tick: ticks[n].tick,
        verdict: { is: "ran", run, fate, reason },
        decided: at("10T13"),
        backfills: [{ run, status: fate }],
      })
    }
    assert.strictEqual(explained("01T04").verdict.is, "no tick")
    assert.strictEqual(explained("04T03").verdict.is, "no tick")
  })

  it("keeps what became of its tick beside the runs of the backfill", () => {
    const { explained, stream } = backfilled()
    stream.decide(at("11T12"))
    const data = { backfill: "01a202b0-b7bc-701b-83d6-aca8dfd60bf7", env: "dev", pipeline, ticks: 1 } as const
    stream.append(at("11T13"), {
      type: "dev.dandori.schedule.backfill.requested.v1",
      data: { ...data, from: "2026-03-11T00:00:00Z", to: "2026-03-12T00:00:00Z", definition: "then" },
    })
    const [, { ticks }] = stream.state().backfills
    const { backfills, verdict } = explained("11T03")
    assert.strictEqual(verdict.is, "missed")
    assert.deepStrictEqual(backfills, [{ run: ticks[0].run, status: "goes on" }])
  })
})
