import { assert, describe, it } from "@effect/vitest"
import * as fc from "fast-check"
import * as Schema from "effect/Schema"
import * as ClockLook from "../../src/domain/clock-look.ts"
import * as Event from "../../src/domain/event.ts"

const start: ClockLook.Reading = { wall: 1_795_000_000_000, passed: 5_000_000, awake: 4_000_000 }

/** What a machine goes through between two looks. */
interface Happening {
  /** The process turns, or does not. */
  readonly waits: number
  readonly sleeps: number
  readonly sets: number
}

/** Looks after each of several happenings. */
const looks = (happenings: ReadonlyArray<Happening>) => {
  let reading = start
  let watch = ClockLook.begin(reading)
  return happenings.map(({ sets, sleeps, waits }) => {
    const passed = waits + sleeps
    reading = {
      wall: reading.wall + passed + sets,
      passed: reading.passed + passed,
      awake: reading.awake + waits,
    }
    const now = ClockLook.look(watch, reading)
    watch = now.watch
    return { reading, seen: now.seen }
  })
}
const once = (happening: Partial<Happening>) => looks([{ waits: 1_000, sleeps: 0, sets: 0, ...happening }])[0].seen

const happening: fc.Arbitrary<Happening> = fc.record({
  waits: fc.oneof(fc.integer({ min: 1, max: 4_999 }), fc.integer({ min: 5_000, max: 86_400_000 })),
  sleeps: fc.oneof(fc.constant(0), fc.integer({ min: 1, max: 30 * 86_400_000 })),
  sets: fc.oneof(fc.constant(0), fc.integer({ min: -99, max: 99 }), fc.integer({ min: -86_400_000, max: 86_400_000 })),
})

describe("a look at the clocks", () => {
  it("sees nothing while time passes", () => {
    assert.deepStrictEqual(once({}), [])
    assert.deepStrictEqual(once({ waits: 4_999, sets: 99 }), [])
  })

  it("sees a clock that is set forward, and one that is set back, with what it would have shown", () => {
    const from = start.wall + 1_000
    const forward = once({ sets: 3_600_000 })
    assert.deepStrictEqual(forward, [{ is: "stepped", by: 3_600_000, from, to: from + 3_600_000 }])
    assert.deepStrictEqual(once({ sets: -100 }), [{ is: "stepped", by: -100, from, to: from - 100 }])
  })

  it("tells a machine that slept from a process that was stopped, and neither is a step of the clock", () => {
    const to = start.wall + 61_000
    const stopped = once({ waits: 61_000 })
    assert.deepStrictEqual(stopped, [{ is: "paused", millis: 61_000, asleep: 0, from: start.wall, to }])
    const slept = once({ sleeps: 60_000 })
    assert.deepStrictEqual(slept, [{ is: "paused", millis: 61_000, asleep: 60_000, from: start.wall, to }])
  })

  it("sees both where a machine slept and its clock was set when it woke", () => {
    assert.deepStrictEqual(
      once({ sleeps: 60_000, sets: -500 }).map(({ is }) => is),
      ["paused", "stepped"],
    )
  })

  it("sees steps that are too small by themselves when they are large together", () => {
    const seen = looks(Array.from({ length: 10 }, () => ({ waits: 1_000, sleeps: 0, sets: 30 }))).map((at) => at.seen)
    assert.deepStrictEqual(
      seen.map((at) => at.map((one) => one.is === "stepped" && one.by)),
      [[], [], [], [120], [], [], [], [120], [], []],
    )
  })

  it("sees every pause and loses no step, whatever a machine goes through", () => {
    fc.assert(
      fc.property(fc.array(happening, { maxLength: 60 }), (happenings) => {
        let unsaid = 0
        for (const [index, { reading, seen }] of looks(happenings).entries()) {
          const { sets, sleeps, waits } = happenings[index]
          const paused = seen.filter((one) => one.is === "paused")
          assert.deepStrictEqual(
            paused.map(({ asleep, millis }) => [millis, asleep]),
            waits + sleeps >= 5_000 ? [[waits + sleeps, sleeps]] : [],
          )
          unsaid += sets
          for (const one of seen) {
            assert.strictEqual(one.to, reading.wall)
            if (one.is === "stepped") {
              assert.strictEqual(one.by, unsaid)
              assert.strictEqual(one.to - one.from, one.by)
              unsaid = 0
            }
          }
          assert.isBelow(Math.abs(unsaid), 100)
        }
      }),
      { numRuns: 500 },
    )
  })

  it("is recorded as events of whole milliseconds", () => {
    const where = { env: "prod", host: "node-1" } as const
    const seen: ReadonlyArray<ClockLook.Seen> = [
      { is: "stepped", by: -250.4, from: 1000.6, to: 750.2 },
      { is: "paused", millis: 6_000.5, asleep: 0.2, from: 10.1, to: 6010.6 },
    ]
    const events: ReadonlyArray<Event.Event> = seen.map((one) => ClockLook.recordOf(one, where))
    assert.deepStrictEqual(events, [
      { type: "dev.dandori.clock.stepped.v1", data: { ...where, by: -250, from: 1001, to: 750 } },
      { type: "dev.dandori.process.paused.v1", data: { ...where, millis: 6001, asleep: 0, from: 10, to: 6011 } },
    ])
    for (const { data, type } of events) assert.isTrue(Schema.is<Schema.Schema<unknown>>(Event.data[type])(data))
  })
})
