import { assert, describe, it } from "@effect/vitest"
import * as FastCheck from "fast-check"
import type { FinalRunStatus } from "../../src/domain/final-run-status.ts"
import { runOf } from "../../src/domain/occurrence.ts"
import type { Schedule } from "../../src/domain/schedule.ts"
import * as Decide from "../../src/scheduler/decide.ts"
import * as Occurrences from "../../src/scheduler/occurrences.ts"
import { type ScheduleState, evolve, initial } from "../../src/scheduler/schedule-state.ts"
import { newStream, scheduleOf } from "./schedule.fixture.ts"

const start = Date.UTC(2026, 2, 20)
const minute = 60_000
const hour = 60 * minute

const schedules = FastCheck.record({
  cron: FastCheck.constantFrom("*/7 * * * *", "0 * * * *", "30 2 * * *", "15 1,2 * * *", "0 */6 * * MON-FRI", "@daily"),
  timezone: FastCheck.constantFrom(
    "UTC",
    "Europe/Berlin",
    "America/New_York",
    "Australia/Lord_Howe",
    "Africa/Casablanca",
  ),
  overlap: FastCheck.constantFrom("skip", "queue-one", "queue-all", "cancel-running", "allow"),
  catchup: FastCheck.oneof(
    FastCheck.constant({ policy: "none" as const }),
    FastCheck.record({
      policy: FastCheck.constantFrom("last" as const, "all" as const),
      window: FastCheck.constantFrom(hour, 48 * hour),
    }),
  ),
  jitter: FastCheck.constantFrom(undefined, 30_000, 20 * minute),
  dst: FastCheck.record({
    gap: FastCheck.constantFrom("skip" as const, "shift" as const),
    overlap: FastCheck.constantFrom("first" as const, "second" as const, "both" as const),
  }),
}).map(({ cron, dst, jitter, ...rest }): Schedule => {
  const fixed = !cron.startsWith("*/7") && !cron.startsWith("0 * ")
  return scheduleOf(cron === "@daily" ? "0 0 * * *" : cron, {
    ...rest,
    ...(jitter === undefined ? {} : { jitter }),
    ...(fixed ? { dst } : {}),
  })
})

type Step =
  | { readonly is: "passes"; readonly millis: number; readonly watched: boolean }
  | { readonly is: "steps"; readonly millis: number }
  | { readonly is: "lost" | "restarts" | "pauses" | "resumes" | "cordon" | "deploys" }
  | { readonly is: "ends"; readonly which: number; readonly status: FinalRunStatus }

const steps = FastCheck.array(
  FastCheck.oneof(
    {
      weight: 6,
      arbitrary: FastCheck.record({
        is: FastCheck.constant("passes" as const),
        millis: FastCheck.integer({ min: 1, max: 3 * hour }),
        watched: FastCheck.boolean(),
      }),
    },
    {
      weight: 1,
      arbitrary: FastCheck.record({
        is: FastCheck.constant("passes" as const),
        millis: FastCheck.integer({ min: 1, max: 100 * hour }),
        watched: FastCheck.constant(false),
      }),
    },
    {
      weight: 1,
      arbitrary: FastCheck.record({
        is: FastCheck.constant("steps" as const),
        millis: FastCheck.integer({ min: -5 * hour, max: 5 * hour }),
      }),
    },
    {
      weight: 3,
      arbitrary: FastCheck.record({
        is: FastCheck.constantFrom(
          "lost" as const,
          "restarts" as const,
          "pauses" as const,
          "resumes" as const,
          "cordon" as const,
          "deploys" as const,
        ),
      }),
    },
    {
      weight: 4,
      arbitrary: FastCheck.record({
        is: FastCheck.constant("ends" as const),
        which: FastCheck.nat(5),
        status: FastCheck.constantFrom("succeeded" as const, "failed" as const, "cancelled" as const, "lost" as const),
      }),
    },
  ),
  { minLength: 1, maxLength: 60 },
)

/** Carries a script out; gives the stream, and between which times which schedule counted. */
const carriedOut = (schedule: Schedule, script: ReadonlyArray<Step>) => {
  const stream = newStream()
  let now = start
  let cordon: string | undefined
  const reigns: Array<{ readonly schedule: Schedule; readonly from: number; to?: number }> = []
  const deploy = (deployed: Schedule) => {
    stream.deploy(now, deployed)
    const from = stream.state().closedTo
    const before = reigns.at(-1)
    if (before !== undefined) before.to = from
    reigns.push({ schedule: deployed, from })
  }
  const look = () => {
    stream.decide(now, { queue: 3, ...(cordon === undefined ? {} : { cordon }) })
    stream.append(now, ...Decide.pauseAfter("nightly", stream.state(), 3))
  }
  deploy(schedule)
  for (const step of script) {
    switch (step.is) {
      case "passes": {
        const until = now + step.millis
        // A process that watches looks when something is due; its clock may have been set back since.
        for (let looks = 0; step.watched && looks < 200; looks++) {
          const due = Decide.nextDue({ env: "dev", pipeline: "nightly", now, queue: 3, atOnce: 32 }, stream.state())
          if (due === undefined || due > until) break
          now = Math.max(now, due)
          look()
        }
        now = Math.max(now, until)
        break
      }
      case "steps":
        now = Math.max(start, now + step.millis)
        break
      case "lost":
        // What was decided but never got into the ledger did not happen.
        Decide.decide(stream.state(), { env: "dev", pipeline: "nightly", now, queue: 3, atOnce: 32 })
        break
      case "restarts":
        assert.deepStrictEqual(stream.events.reduce(evolve, initial), stream.state())
        look()
        break
      case "pauses":
        stream.pause(now, "somebody said so")
        break
      case "resumes":
        stream.resume(now)
        break
      case "cordon":
        cordon = cordon === undefined ? "IR-1" : undefined
        break
      case "deploys":
        deploy(schedule)
        break
      case "ends": {
        const going = stream.state().runs.filter(({ queued }) => !queued)
        const one = going[step.which % Math.max(1, going.length)]
        if (one !== undefined) stream.end(now, one, step.status)
        break
      }
    }
  }
  for (let looks = 0; looks < 10; looks++) look()
  return { stream, reigns }
}

interface Closed {
  readonly tick: number
  readonly run?: string
}

/** Every closed tick on its own; ranges are written out by the schedule that counted. */
const closedTicks = (
  { events }: ReturnType<typeof newStream>,
  reigns: ReturnType<typeof carriedOut>["reigns"],
): ReadonlyArray<Closed> =>
  events.flatMap((event): ReadonlyArray<Closed> => {
    if (event.type !== "dev.dandori.schedule.tick.closed.v1") return []
    const { outcome, through, tick, ticks } = event.data
    const from = Date.parse(tick)
    if (outcome.is === "ran") return [{ tick: from, run: outcome.run }]
    assert.isAbove(outcome.reason.length, 10)
    if (through === undefined) return [{ tick: from }]
    const reign = reigns.findLast((one) => one.from < from)
    assert.isDefined(reign)
    const covered = [...Occurrences.between(reign.schedule, from, Date.parse(through) + 1)]
    assert.lengthOf(covered, ticks ?? 1)
    return covered.map(({ at }) => ({ tick: at }))
  })

const mostAtOnce = (state: ScheduleState) => state.runs.filter(({ queued }) => !queued).length

describe("whatever happens", () => {
  it("each nominal tick has exactly one outcome, in order, and none is made up", () => {
    FastCheck.assert(
      FastCheck.property(schedules, steps, (schedule, script) => {
        const { reigns, stream } = carriedOut(schedule, script)
        const { closedTo } = stream.state()
        const nominal = reigns.flatMap(({ from, schedule: counted, to }) =>
          [...Occurrences.between(counted, from + 1, Math.min(to ?? Infinity, closedTo) + 1)].map((tick) => tick.at),
        )
        assert.deepStrictEqual(
          closedTicks(stream, reigns).map(({ tick }) => tick),
          nominal,
        )
      }),
      { numRuns: 400 },
    )
  })

  it("each run has the id of its tick and ends, waits or makes way once; nothing runs beside another that must not", () => {
    FastCheck.assert(
      FastCheck.property(schedules, steps, (schedule, script) => {
        const { reigns, stream } = carriedOut(schedule, script)
        const asked = closedTicks(stream, reigns).flatMap(({ run, tick }) => {
          if (run === undefined) return []
          assert.strictEqual(run, runOf({ env: "dev", pipeline: "nightly", tick }))
          return [run]
        })
        assert.strictEqual(new Set(asked).size, asked.length)
        const gone = stream.events.flatMap(({ data, type }) =>
          type === "dev.dandori.schedule.run.ended.v1" || type === "dev.dandori.schedule.tick.coalesced.v1"
            ? [data.run]
            : [],
        )
        const left = stream.state().runs.map(({ run }) => run)
        assert.deepStrictEqual([...gone, ...left].toSorted(), asked.toSorted())
        if (schedule.overlap !== "allow") {
          let state = initial
          for (const event of stream.events) {
            state = evolve(state, event)
            assert.isAtMost(mostAtOnce(state), 1)
          }
        }
      }),
      { numRuns: 400 },
    )
  })
})
