import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Located from "../../src/compiler/located.ts"
import { compileDocument } from "../../src/compiler/compile.ts"
import * as Source from "../../src/compiler/source.ts"
import type { SchedulesSection } from "../../src/domain/config/schedules.ts"
import { ConfiguredSchedules, SchedulesUnknown, ofSection } from "../../src/domain/configured-schedules.ts"
import * as Plan from "../../src/domain/plan.ts"
import { configured, pipeline as typed } from "../../src/index.ts"
import { command as commandType } from "../../tasks/index.ts"
import { command, pipeline, plan, shipped, told } from "./compiled.ts"

const section: SchedulesSection = {
  schedules: {
    retrain: { cron: "0 3 1 * *", timezone: "UTC", retries: 2, retry_delay: "60m", stop_after_failures: 2 },
    newYork: {
      cron: "30 2 * * 2-6",
      timezone: "America/New_York",
      retries: 0,
      retry_delay: "1m",
      stop_after_failures: 1,
    },
  },
  database_backup_window: { from: "03:30", to: "04:15", timezone: "Asia/Tokyo" },
}

const withSection =
  (given: SchedulesSection = section) =>
  <A, E, R>(effect: Effect.Effect<A, E, R>) =>
    Effect.provideService(effect, ConfiguredSchedules, Effect.succeed(ofSection(given)))

const scheduled = (schedule: string, ...more: ReadonlyArray<string>) =>
  pipeline(`schedule: { ${schedule} }`, ...more, "tasks:", command("a"))

describe("a schedule that the configuration names", () => {
  it.effect("is that of a pipeline that says all of it itself: times, pause and retries", () =>
    Effect.gen(function* () {
      const named = yield* withSection()(plan(scheduled("configured: retrain, overlap: queue-one, jitter: 5s")))
      const own = yield* plan(
        scheduled(
          "cron: 0 3 1 * *, timezone: UTC, overlap: queue-one, jitter: 5s, pauseAfter: 2",
          "defaults: { retry: { attempts: 3, backoff: { initial: 60m, factor: 1, max: 60m, jitter: none } } }",
        ),
      )
      assert.deepStrictEqual(named, own)
      assert.strictEqual(Plan.digest(named), Plan.digest(own))
    }),
  )

  it.effect("leaves the pipeline its own retries, and its other defaults", () =>
    Effect.gen(function* () {
      const retries = (text: string) => Effect.map(withSection()(plan(text)), ({ tasks }) => tasks[0].retry)
      const own = yield* retries(scheduled("configured: retrain", "defaults: { retry: { attempts: 7 } }"))
      assert.strictEqual(own?.attempts, 7)
      assert.isUndefined(own?.backoff)
      const text = scheduled("configured: retrain", "defaults: { heartbeat: 5m }")
      const [task] = (yield* withSection()(plan(text))).tasks
      assert.strictEqual(task.retry?.attempts, 3)
      assert.strictEqual(task.heartbeat, 300_000)
    }),
  )

  it.effect("is database-backup: the window's start, made up for until its end or as long as the pipeline says", () =>
    Effect.gen(function* () {
      const scheduleOf = (text: string, given = section) =>
        Effect.map(withSection(given)(plan(text)), ({ schedule }) => schedule)
      const within = yield* scheduleOf(scheduled("configured: database-backup"))
      assert.deepStrictEqual(within, {
        cron: "30 3 * * *",
        timezone: "Asia/Tokyo",
        params: {},
        overlap: "skip",
        catchup: { policy: "last", window: 45 * 60_000 },
        dst: { gap: "shift", overlap: "first" },
      })
      const longer = yield* scheduleOf(scheduled("configured: database-backup, catchup: { policy: last, window: 20h }"))
      assert.deepStrictEqual(longer?.catchup, { policy: "last", window: 20 * 3_600_000 })
      const never = yield* scheduleOf(scheduled("configured: database-backup, catchup: { policy: none }"))
      assert.deepStrictEqual(never?.catchup, { policy: "none" })
      const overMidnight = { ...section, database_backup_window: { from: "23:00", to: "01:00", timezone: "UTC" } }
      const night = yield* scheduleOf(scheduled("configured: database-backup"), overMidnight)
      assert.strictEqual(night?.cron, "0 23 * * *")
      assert.deepStrictEqual(night?.catchup, { policy: "last", window: 2 * 3_600_000 })
    }),
  )

  it.effect("must be one that there is, said once, with nothing beside it that it says itself", () =>
    Effect.gen(function* () {
      const all = (text: string) => withSection()(told(text))
      assert.deepStrictEqual(yield* all(scheduled("configured: retrains")), [
        '3:25 The configuration has no schedule "retrains". Did you mean "retrain"? Known: retrain, newYork, database-backup.',
      ])
      assert.deepStrictEqual(
        yield* all(scheduled("configured: retrain, timezone: UTC, cron: '@daily', pauseAfter: 3")),
        [
          "3:34 The configured schedule says timezone. Leave it out here.",
          "3:49 The configured schedule says cron. Leave it out here.",
          "3:65 The configured schedule says pauseAfter. Leave it out here.",
        ],
      )
      assert.deepStrictEqual(yield* all(scheduled("configured: [retrain]")), [
        "3:25 configured must be text, not a list.",
      ])
      assert.deepStrictEqual(yield* all(scheduled("configured: retrain, cronn: 1")), [
        '3:34 schedule has no key "cronn". Did you mean "cron"? Known: configured, cron, timezone, params, jitter, overlap, catchup, dst, pauseAfter.',
      ])
    }),
  )

  it.effect("hides nothing that is wrong with the defaults", () =>
    Effect.gen(function* () {
      for (const [defaults, what] of [
        ["5", "a number"],
        ["[a]", "a list"],
        ["", "nothing"],
      ]) {
        const all = yield* withSection()(told(scheduled("configured: retrain", `defaults: ${defaults}`)))
        assert.lengthOf(all, 1)
        assert.include(all[0], `defaults must be a map, not ${what}.`)
      }
    }),
  )

  it.effect("asks for what its zone asks for, at its name", () =>
    Effect.gen(function* () {
      const [mistake, ...others] = yield* withSection()(told(scheduled("configured: newYork")))
      assert.match(mistake, /^3:1 The clocks of America\/New_York jump/)
      assert.deepStrictEqual(others, [])
      const fine = scheduled("configured: newYork, dst: { gap: skip, overlap: both }")
      assert.strictEqual((yield* withSection()(plan(fine))).schedule?.pauseAfter, 1)
    }),
  )

  it.effect("cannot be told where there is no configuration, and then nothing else is said of it", () =>
    Effect.gen(function* () {
      const text = scheduled("configured: retrain")
      assert.deepStrictEqual(yield* told(text), [
        "3:25 The schedules of the configuration cannot be told: there is no configuration here",
      ])
      const broken = Effect.fail(new SchedulesUnknown({ reason: "it is torn" }))
      assert.deepStrictEqual(yield* Effect.provideService(told(text), ConfiguredSchedules, broken), [
        "3:25 The schedules of the configuration cannot be told: it is torn",
      ])
      assert.isDefined(
        (yield* Effect.provideService(plan(scheduled("cron: '@daily', timezone: UTC")), ConfiguredSchedules, broken))
          .schedule,
      )
    }),
  )

  it.effect("is configured() in TypeScript", () =>
    Effect.gen(function* () {
      const { document } = typed("p", { schedule: configured("retrain", { overlap: "queue-one" }) }, ({ task }) => {
        task("a", commandType, { argv: ["echo", "a"] })
      })
      assert.deepStrictEqual(document.schedule, { configured: "retrain", overlap: "queue-one" })
      const compiled = yield* withSection()(
        compileDocument(Source.make("p.ts", ""), Located.fromJson(document)).pipe(Effect.provide(shipped)),
      )
      const yaml = yield* withSection()(plan(scheduled("configured: retrain, overlap: queue-one")))
      assert.deepStrictEqual(compiled.plan, yaml)
      // @ts-expect-error the configuration says the zone
      typed("p", { schedule: configured("retrain", { timezone: "UTC" }) }, () => {})
    }),
  )
})
