import { assert, describe, it } from "@effect/vitest"
import type { Schedule } from "../../src/domain/schedule.ts"
import { of } from "../../src/domain/sha256.ts"
import { ticksOf } from "../../src/scheduler/backfill-ticks.ts"
import * as Decide from "../../src/scheduler/decide.ts"
import { factsAt, newStream, scheduleOf, shown, pipeline } from "./schedule.fixture.ts"

const at = (text: string) => Date.parse(`2026-03-02T${text}Z`)
const minute = 60_000
const hourly = (more: Partial<Schedule> = {}) => scheduleOf("0 * * * *", more)

const deployed = (schedule: Schedule) => {
  const stream = newStream()
  stream.deploy(at("00:30:00"), schedule)
  return stream
}

describe("a tick that is watched", () => {
  it("is closed when it is due, once, and not before", () => {
    const stream = deployed(hourly())
    assert.deepStrictEqual(shown(stream.decide(at("00:59:59"))), [])
    assert.deepStrictEqual(shown(stream.decide(at("01:00:00"))), ["01:00 ran"])
    assert.deepStrictEqual(shown(stream.decide(at("01:00:00"))), [])
    assert.strictEqual(Decide.nextDue(factsAt(at("01:00:00")), stream.state()), at("02:00:00"))
  })

  it("runs up to a minute late as if it were on time", () => {
    const stream = deployed(hourly())
    assert.deepStrictEqual(shown(stream.decide(at("01:01:00"))), ["01:00 ran"])
    assert.deepStrictEqual(shown(stream.decide(at("02:01:00") + 1)), ["02:00 missed"])
  })

  it("is on time where it has waited for the jitter of one before it", () => {
    const schedule = scheduleOf("*/5 * * * *", { jitter: 20 * minute, overlap: "allow" })
    const stream = deployed(schedule)
    for (let looks = 0; looks < 50; looks++) {
      const due = Decide.nextDue(factsAt(0), stream.state()) ?? 0
      stream.decide(due)
    }
    const outcomes = stream.events.flatMap(({ data, type }) =>
      type === "dev.dandori.schedule.tick.closed.v1" ? [data.outcome.is] : [],
    )
    assert.isAbove(outcomes.length, 50)
    assert.deepStrictEqual([...new Set(outcomes)], ["ran"])
  })

  it("is put off by its jitter and keeps its nominal time, also over a restart", () => {
    const jitter = 20 * minute
    const stream = deployed(hourly({ jitter }))
    const due = Decide.nextDue(factsAt(at("00:30:00")), stream.state()) ?? 0
    assert.isAbove(due, at("01:00:00"))
    assert.isBelow(due, at("01:00:00") + jitter)
    assert.deepStrictEqual(shown(stream.decide(due - 1)), [])
    assert.deepStrictEqual(shown(stream.decide(due)), ["01:00 ran"])
  })

  it("is not closed twice where the clock is set back", () => {
    const stream = deployed(hourly())
    stream.decide(at("01:00:00"))
    assert.deepStrictEqual(shown(stream.decide(at("00:40:00"))), [])
    assert.deepStrictEqual(shown(stream.decide(at("01:00:00"))), [])
  })
})

describe("while a run of the schedule goes on", () => {
  const busy = (overlap: Schedule["overlap"]) => {
    const stream = deployed(hourly({ overlap }))
    stream.decide(at("01:00:00"))
    return stream
  }
  const going = (stream: ReturnType<typeof newStream>) =>
    stream
      .state()
      .runs.map(({ queued, tick }) => `${new Date(tick).toISOString().slice(11, 16)}${queued ? " queued" : ""}`)

  it("skip: the next tick is skipped, and says which run goes on", () => {
    const stream = busy("skip")
    const [event] = stream.decide(at("02:00:00"))
    assert.deepInclude(event.data, {
      outcome: { is: "skipped", reason: `run ${stream.state().runs[0].run} of 2026-03-02T01:00:00Z goes on` },
    })
  })

  it("allow: the next one runs beside it", () => {
    const stream = busy("allow")
    stream.decide(at("02:00:00"))
    assert.deepStrictEqual(going(stream), ["01:00", "02:00"])
  })

  it("allow: beyond what goes on at once and what may wait it is skipped", () => {
    const stream = busy("allow")
    const limits = { atOnce: 2, queue: 1 }
    stream.decide(at("02:00:00"), limits)
    stream.decide(at("03:00:00"), limits)
    assert.deepStrictEqual(going(stream), ["01:00", "02:00", "03:00"])
    const [skipped] = stream.decide(at("04:00:00"), limits)
    assert.deepInclude(skipped.data, { outcome: { is: "skipped", reason: "3 of its runs have not ended" } })
    stream.end(at("04:10:00"), stream.state().runs[0], "succeeded")
    stream.decide(at("05:00:00"), limits)
    assert.deepStrictEqual(going(stream), ["02:00", "03:00", "05:00"])
  })

  it("queue-all: the next ones wait, and go on one after another; beyond the limit they are skipped", () => {
    const stream = busy("queue-all")
    stream.decide(at("02:00:00"), { queue: 2 })
    stream.decide(at("03:00:00"), { queue: 2 })
    assert.deepStrictEqual(shown(stream.decide(at("04:00:00"), { queue: 2 })), ["04:00 skipped"])
    assert.deepStrictEqual(going(stream), ["01:00", "02:00 queued", "03:00 queued"])
    stream.end(at("04:10:00"), stream.state().runs[0], "succeeded")
    assert.deepStrictEqual(going(stream), ["02:00", "03:00 queued"])
  })

  it("queue-one: the newest waits, and one that waited is coalesced into it", () => {
    const stream = busy("queue-one")
    stream.decide(at("02:00:00"))
    assert.deepStrictEqual(shown(stream.decide(at("03:00:00"))), ["02:00 coalesced into 03:00", "03:00 ran queued"])
    assert.deepStrictEqual(going(stream), ["01:00", "03:00 queued"])
    assert.deepStrictEqual(Decide.toCancel(stream.state()), [])
  })

  it("cancel-running: it is to be cancelled, and the newest waits for that", () => {
    const stream = busy("cancel-running")
    const [first] = stream.state().runs
    stream.decide(at("02:00:00"))
    const reason = "a later tick of its schedule is due (overlap cancel-running)"
    assert.deepStrictEqual(Decide.toCancel(stream.state()), [{ run: first.run, reason }])
    stream.end(at("02:00:05"), first, "cancelled")
    assert.deepStrictEqual(going(stream), ["02:00"])
    assert.deepStrictEqual(Decide.toCancel(stream.state()), [])
  })
})

describe("a run that somebody cancels", () => {
  const by = { authid: "ada", authtype: "user" } as const
  const cancel = (stream: ReturnType<typeof newStream>, run: string) =>
    stream.append(at("02:05:00"), {
      type: "dev.dandori.schedule.run.cancel.requested.v1",
      data: { pipeline, run, reason: "not needed", by },
    })

  it("and that waits for others ends at once, and the next one waits in its place", () => {
    const stream = deployed(hourly({ overlap: "queue-all" }))
    for (const hour of ["01", "02", "03"]) stream.decide(at(`${hour}:00:00`))
    const [first, second, third] = stream.state().runs
    cancel(stream, second.run)
    assert.deepStrictEqual(Decide.toCancel(stream.state()), [])
    const [event, ...more] = Decide.callOff(pipeline, stream.state())
    assert.deepInclude(event.data, {
      run: second.run,
      tick: "2026-03-02T02:00:00Z",
      status: "cancelled",
      reason: "ada cancelled it before it began: not needed",
    })
    assert.deepStrictEqual(more, [])
    stream.append(at("02:05:01"), event)
    assert.deepStrictEqual(
      stream.state().runs.map(({ run }) => run),
      [first.run, third.run],
    )
    assert.deepStrictEqual(stream.state().cancels, [])
  })

  it("and that goes on, or waits for nobody, is to be ended by who sees it through", () => {
    const stream = deployed(hourly({ overlap: "queue-all" }))
    stream.decide(at("01:00:00"))
    const [first] = stream.state().runs
    cancel(stream, first.run)
    assert.deepStrictEqual(Decide.callOff(pipeline, stream.state()), [])
    assert.deepStrictEqual(Decide.toCancel(stream.state()), [{ run: first.run, reason: "not needed", by }])
    stream.end(at("02:06:00"), first, "cancelled")
    assert.deepStrictEqual(Decide.toCancel(stream.state()), [])
  })
})

describe("ticks that nobody watched", () => {
  const slept = (more: Partial<Schedule>) => shown(deployed(hourly(more)).decide(at("05:30:00")))

  it("none: are missed", () => {
    assert.deepStrictEqual(slept({}), ["01:00..05:00 ×5 missed"])
  })

  it("last: only the last is run, unless it is older than the window", () => {
    assert.deepStrictEqual(slept({ catchup: { policy: "last", window: 150 * minute } }), [
      "01:00..02:00 ×2 missed",
      "03:00..04:00 ×2 coalesced",
      "05:00 ran",
    ])
    assert.deepStrictEqual(slept({ catchup: { policy: "last", window: 20 * minute } }), ["01:00..05:00 ×5 missed"])
  })

  it("all: those within the window run one after another, also where ticks on time are skipped", () => {
    assert.deepStrictEqual(slept({ catchup: { policy: "all", window: 150 * minute } }), [
      "01:00..02:00 ×2 missed",
      "03:00 ran",
      "04:00 ran queued",
      "05:00 ran queued",
    ])
  })

  it("all: make way for the newest where the newest wins", () => {
    const catchup = { policy: "all", window: 150 * minute } as const
    assert.deepStrictEqual(slept({ catchup, overlap: "cancel-running" }), [
      "01:00..02:00 ×2 missed",
      "03:00 ran",
      "04:00 ran queued",
      "04:00 coalesced into 05:00",
      "05:00 ran queued",
    ])
  })

  it("are closed in parts where there are very many, and none is left out", () => {
    const stream = newStream()
    const from = Date.UTC(2026, 0, 1)
    const now = from + 25_000 * 1_000 + 500
    stream.deploy(from, scheduleOf("* * * * * *", { catchup: { policy: "last", window: 120_000 } }))
    const parts = [stream.decide(now), stream.decide(now), stream.decide(now), stream.decide(now)]
    const ticks = parts.map((part) =>
      part.reduce((sum, { data }) => sum + ("ticks" in data ? (data.ticks ?? 1) : "outcome" in data ? 1 : 0), 0),
    )
    assert.deepStrictEqual(ticks, [10_000, 10_000, 5_000, 0])
    const last = parts[2].filter(({ data }) => "outcome" in data && data.outcome.is === "ran")
    assert.lengthOf(
      last,
      1,
      "of those that are late none is the last: later ones are on time, and the first of these runs",
    )
  })
})

describe("a schedule that is held", () => {
  it("lets no tick run while it is paused, whenever that tick was due, and catches none of them up", () => {
    const stream = deployed(hourly({ catchup: { policy: "all", window: 600 * minute } }))
    stream.pause(at("02:30:00"), "the feed is down")
    stream.resume(at("03:30:00"))
    assert.deepStrictEqual(shown(stream.decide(at("05:00:00"))), [
      "01:00 ran",
      "02:00 ran queued",
      "03:00 held",
      "04:00 ran queued",
      "05:00 skipped",
    ])
    stream.pause(at("05:30:00"), "the feed is down again")
    const [event] = stream.decide(at("06:00:00"))
    assert.deepInclude(event.data, {
      outcome: { is: "held", reason: "the schedule is paused: the feed is down again" },
    })
  })

  it("lets no tick run while a cordon stands", () => {
    const [event] = deployed(hourly()).decide(at("01:00:00"), { cordon: "IR-1" })
    assert.deepInclude(event.data, { outcome: { is: "held", reason: "a cordon stands: IR-1" } })
  })

  it("pauses by itself after so many failures in a row, and counts from nothing once it is resumed", () => {
    const stream = deployed(hourly())
    for (const [hour, status] of [
      ["01", "failed"],
      ["02", "succeeded"],
      ["03", "timed_out"],
      ["04", "cancelled"],
      ["05", "lost"],
    ] as const) {
      stream.decide(at(`${hour}:00:00`))
      assert.deepStrictEqual(Decide.pauseAfter(pipeline, stream.state(), 2), [])
      stream.end(at(`${hour}:10:00`), stream.state().runs[0], status)
    }
    const [pause] = Decide.pauseAfter(pipeline, stream.state(), 2)
    assert.deepStrictEqual(pause.data, { pipeline, reason: "2 runs in a row failed", failures: 2 })
    stream.append(at("05:10:00"), pause)
    assert.deepStrictEqual(Decide.pauseAfter(pipeline, stream.state(), 2), [])
    assert.deepStrictEqual(shown(stream.decide(at("06:00:00"))), ["06:00 held"])
    stream.resume(at("06:30:00"))
    assert.deepStrictEqual(shown(stream.decide(at("07:00:00"))), ["07:00 ran"])
    stream.end(at("07:10:00"), stream.state().runs[0], "failed")
    assert.deepStrictEqual(Decide.pauseAfter(pipeline, stream.state(), 2), [])
  })
})

describe("a schedule that changes", () => {
  it("closes what the old one had first, and catches nothing up from before", () => {
    const stream = deployed(hourly({ catchup: { policy: "all", window: 600 * minute }, jitter: 10 * minute }))
    stream.deploy(at("04:00:01"), scheduleOf("30 * * * *"))
    assert.deepStrictEqual(shown(stream.events), [
      "dev.dandori.schedule.deployed.v1",
      "01:00..03:00 ×3 missed",
      "04:00 ran",
      "dev.dandori.schedule.deployed.v1",
    ])
    assert.deepStrictEqual(shown(stream.decide(at("04:30:00"))), ["04:30 skipped"])
  })

  it("loses no tick that passes between what is decided and its being written down", () => {
    const stream = deployed(hourly())
    stream.deploy(at("01:00:00") - 1, hourly({ overlap: "allow" }), at("01:00:00") + 2)
    assert.deepStrictEqual(shown(stream.decide(at("01:00:00") + 3)), ["01:00 ran"])
    const { plan } = stream.state().deployed ?? assert.fail("it is deployed")
    const range = { from: "2026-03-02T00:40:00Z", to: "2026-03-02T02:00:00Z", definition: "then" } as const
    assert.deepStrictEqual(ticksOf(stream.state().definitions, range), [{ tick: at("01:00:00"), plan }])
  })

  it("has each tick of the very second in which it changes once, by what was deployed before", () => {
    const stream = deployed(hourly())
    stream.deploy(at("01:00:00") + 500, hourly({ overlap: "allow" }), at("01:00:00") + 700)
    assert.deepStrictEqual(shown(stream.decide(at("01:00:01"))), [])
    assert.deepStrictEqual(shown(stream.events).slice(1, -1), ["01:00 ran"])
    const [{ plan }] = stream.state().definitions
    const range = { from: "2026-03-02T00:40:00Z", to: "2026-03-02T02:00:00Z", definition: "then" } as const
    assert.deepStrictEqual(ticksOf(stream.state().definitions, range), [{ tick: at("01:00:00"), plan }])
  })

  it("leaves its runs the plan that they were asked for with", () => {
    const stream = deployed(hourly())
    stream.decide(at("01:00:00"))
    const [{ plan }] = stream.state().runs
    stream.deploy(at("01:10:00"), hourly({ overlap: "allow" }))
    assert.strictEqual(stream.state().runs[0].plan, plan)
    assert.notStrictEqual(stream.state().deployed?.plan, plan)
  })

  it("goes on where it was when only its plan is another one", () => {
    const stream = deployed(hourly({ catchup: { policy: "all", window: 600 * minute } }))
    const { schedule } = stream.state().deployed ?? assert.fail("it is deployed")
    const plan = of("another plan")
    const after = "2026-03-02T03:30:00Z"
    stream.append(at("03:30:00"), {
      type: "dev.dandori.schedule.deployed.v1",
      data: { pipeline, plan, schedule, after },
    })
    assert.deepStrictEqual(shown(stream.decide(at("03:30:00"))), ["01:00 ran", "02:00 ran queued", "03:00 ran queued"])
    assert.strictEqual(stream.state().runs[0].plan, plan)
  })

  it("runs a tick that waits for its jitter when it changes: it is not late", () => {
    const jitter = 20 * minute
    const stream = deployed(hourly({ jitter }))
    const due = Decide.nextDue(factsAt(at("00:30:00")), stream.state()) ?? 0
    assert.isAbove(due, at("01:00:00") + 2 * minute)
    stream.deploy(due - 1_000, scheduleOf("30 * * * *"))
    assert.deepStrictEqual(shown(stream.events.slice(1)), ["01:00 ran", "dev.dandori.schedule.deployed.v1"])
  })

  it("has no ticks any more once it is withdrawn", () => {
    const stream = deployed(hourly())
    stream.withdraw(at("01:30:00"), "its file is gone")
    assert.deepStrictEqual(shown(stream.decide(at("02:00:00"))), [])
    assert.isUndefined(Decide.nextDue(factsAt(at("02:00:00")), stream.state()))
  })
})
