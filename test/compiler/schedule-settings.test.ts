import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Plan from "../../src/domain/plan.ts"
import { command, pipeline, plan, told } from "./compiled.ts"

const params = "params: { month: { type: string, pattern: '^\\d{4}-\\d{2}$' }, n: { type: integer, default: 3 } }"
const month = "month: '${{ run.tick.month }}'"
const inNewYork = "timezone: America/New_York"
const dst = "dst: { gap: shift, overlap: first }"

/** A pipeline with the param month and this schedule on one line, the fourth. */
const scheduled = (...parts: ReadonlyArray<string>) =>
  pipeline(params, `schedule: { ${parts.join(", ")} }`, "tasks:", command("a"))

const scheduleOf = (text: string) => Effect.map(plan(text), (compiled) => compiled.schedule)

const refused = (text: string, expected: ReadonlyArray<RegExp>) =>
  Effect.map(told(text), (all) => {
    assert.lengthOf(all, expected.length, all.join("\n"))
    all.forEach((one, i) => assert.match(one, expected[i]))
  })

describe("a schedule", () => {
  it.effect("is in the plan with all that it says, durations in milliseconds", () =>
    Effect.gen(function* () {
      const text = pipeline(
        params,
        "schedule:",
        "  cron: '30 2 * * tue-sat'",
        "  timezone: America/New_York",
        "  params: { month: '${{run.tick.month}}', n: 4 }",
        "  jitter: 30s",
        "  overlap: queue-one",
        "  catchup: { policy: last, window: 2d }",
        "  dst: { gap: skip, overlap: second }",
        "  pauseAfter: 2",
        "tasks:",
        command("a"),
      )
      assert.deepStrictEqual(yield* scheduleOf(text), {
        cron: "30 2 * * TUE-SAT",
        timezone: "America/New_York",
        params: { month: "${{ run.tick.month }}", n: 4 },
        jitter: 30_000,
        overlap: "queue-one",
        catchup: { policy: "last", window: 172_800_000 },
        dst: { gap: "skip", overlap: "second" },
        pauseAfter: 2,
      })
    }),
  )

  it.effect("that says little skips overlapping ticks and catches nothing up", () =>
    Effect.gen(function* () {
      assert.deepStrictEqual(yield* scheduleOf(scheduled("cron: '@hourly'", inNewYork, `params: { ${month} }`)), {
        cron: "0 * * * *",
        timezone: "America/New_York",
        params: { month: "${{ run.tick.month }}" },
        overlap: "skip",
        catchup: { policy: "none" },
      })
    }),
  )

  it.effect("that is equal has an equal digest, however it is written", () =>
    Effect.gen(function* () {
      const digest = (...parts: ReadonlyArray<string>) =>
        Effect.map(plan(scheduled(...parts, `params: { ${month} }`)), Plan.digest)
      const plain = yield* digest("cron: '0 0 * * *'", "timezone: Asia/Tokyo")
      const equal: ReadonlyArray<ReadonlyArray<string>> = [
        ["cron: '@daily'", "timezone: Asia/Tokyo"],
        ["cron: ' 0  0 * * * '", "timezone: Asia/Tokyo", "overlap: skip"],
        ["timezone: Asia/Tokyo", "cron: '@midnight'", "catchup: { policy: none }", "jitter: 0s"],
        ["cron: '0 0 * * *'", "timezone: Asia/Tokyo", dst],
      ]
      for (const parts of equal) assert.strictEqual(yield* digest(...parts), plain, parts.join(", "))
      const other: ReadonlyArray<ReadonlyArray<string>> = [
        ["cron: '0 1 * * *'", "timezone: Asia/Tokyo"],
        ["cron: '0 0 * * *'", "timezone: Asia/Seoul"],
        ["cron: '0 0 * * *'", "timezone: Asia/Tokyo", "jitter: 1s"],
        ["cron: '0 0 * * *'", "timezone: Asia/Tokyo", "overlap: allow"],
        ["cron: '0 0 * * *'", "timezone: Asia/Tokyo", "catchup: { policy: all, window: 1h }"],
        ["cron: '0 0 * * *'", "timezone: Asia/Tokyo", "dst: { gap: skip, overlap: first }"],
      ]
      const digests = yield* Effect.forEach(other, (parts) => digest(...parts))
      assert.strictEqual(new Set([plain, ...digests]).size, other.length + 1)
    }),
  )
})

describe("a mistake in a schedule", () => {
  it.effect("comes with all the others, each at its place", () =>
    refused(
      pipeline(
        params,
        "schedule:",
        "  cron: '30 25 * * *'",
        "  timezone: America/New_Yrok",
        "  jiter: 30s",
        "  jitter: 30",
        "  overlap: skipp",
        "  catchup: { policy: lst }",
        "  dst: { gap: shfit }",
        "  params: { mnth: x }",
        "  pauseAfter: 0",
        "tasks:",
        command("a"),
      ),
      [
        /^5:9 "30 25 \* \* \*" is no cron pattern: the hour 25 is not in 0-23$/,
        /^6:13 "America\/New_Yrok" is no IANA time zone.* Did you mean "America\/New_York"\?$/,
        /^7:3 schedule has no key "jiter"\. Did you mean "jitter"\?/,
        /^8:11 jitter: 30 has no unit/,
        /^9:12 overlap must be one of .* Did you mean "skip"\?$/,
        /^10:22 policy must be one of .* Did you mean "last"\?$/,
        /^11:15 .*Did you mean "shift"\?$/,
        /^12:3 The param month has no default, so a tick must give it a value/,
        /^12:13 The pipeline has no param "mnth"\. Did you mean "month"\? It has month, n\.$/,
        /^13:15 pauseAfter must be a whole number from 1 to 1000\.$/,
      ],
    ),
  )

  it.effect("in its shape is told once", () =>
    Effect.gen(function* () {
      yield* refused(pipeline("schedule: '@daily'", "tasks:", command("a")), [/^3:11 schedule must be a map/])
      yield* refused(pipeline("schedule: {}", "tasks:", command("a")), [
        /^3:1 The schedule has no cron: when does it tick\?/,
        /^3:1 The schedule has no timezone: whose clocks/,
      ])
      yield* refused(scheduled("cron: 5", "timezone: UTC", "params: []"), [/cron must be text/, /params must be a map/])
    }),
  )

  it.effect("in a pattern that never matches is told", () =>
    refused(scheduled("cron: '0 0 30 2 *'", "timezone: UTC", `params: { ${month} }`), [
      /^4:19 "0 0 30 2 \*" matches no time from 2026 on\.$/,
    ]),
  )

  it.effect("in a zone's capitals is told with the right ones; an offset is no zone", () =>
    Effect.gen(function* () {
      yield* refused(scheduled("cron: '@hourly'", "timezone: europe/berlin", `params: { ${month} }`), [
        /Did you mean "Europe\/Berlin"\?$/,
      ])
      yield* refused(scheduled("cron: '@hourly'", "timezone: '+09:00'", `params: { ${month} }`), [
        /"\+09:00" is no IANA time zone/,
      ])
    }),
  )

  it.effect("of a window without a policy that wants one, or the other way round, is told", () =>
    Effect.gen(function* () {
      const with_ = (catchup: string) =>
        scheduled("cron: '@hourly'", "timezone: UTC", `params: { ${month} }`, `catchup: ${catchup}`)
      yield* refused(with_("{ policy: all }"), [/The policy all needs a window/])
      yield* refused(with_("{ policy: none, window: 2d }"), [/catches nothing up\. Leave the window out\.$/])
      yield* refused(with_("{ window: 2d }"), [/catchup has no policy: none, last, all\.$/])
    }),
  )
})

describe("the policy for jumps of the clocks", () => {
  const values = `params: { ${month} }`

  it.effect("is required where the zone has jumps and the pattern names hours", () =>
    Effect.gen(function* () {
      const wanted = /^4:1 The clocks of America\/New_York jump, and the pattern names hours\. .*dst: \{ gap: shift/
      for (const cron of ["30 2 * * *", "0 12 * * *", "@daily", "0 */2 * * *", "* 9-17 * * *"]) {
        yield* refused(scheduled(`cron: '${cron}'`, inNewYork, values), [wanted])
        assert.isDefined((yield* scheduleOf(scheduled(`cron: '${cron}'`, inNewYork, values, dst)))?.dst)
      }
      yield* refused(scheduled("cron: '@daily'", inNewYork, values, "dst: { gap: skip }"), [
        /dst has no overlap: first, second, both\.$/,
      ])
    }),
  )

  it.effect("is required nowhere else", () =>
    Effect.gen(function* () {
      for (const zone of ["Asia/Tokyo", "UTC", "America/Sao_Paulo", "Asia/Kolkata"]) {
        yield* plan(scheduled("cron: '30 2 * * *'", `timezone: ${zone}`, values))
      }
      for (const cron of ["@hourly", "*/5 * * * *", "15 0-23 * * MON"]) {
        assert.notProperty(yield* scheduleOf(scheduled(`cron: '${cron}'`, inNewYork, values)), "dst")
        assert.notProperty(yield* scheduleOf(scheduled(`cron: '${cron}'`, inNewYork, values, dst)), "dst")
      }
    }),
  )
})

describe("a param of a scheduled pipeline", () => {
  const daily = ["cron: '@daily'", "timezone: Asia/Tokyo"]

  it.effect("needs a default or a value from the schedule", () =>
    Effect.gen(function* () {
      yield* refused(scheduled(...daily), [/^4:1 The param month has no default, so a tick must give it a value/])
      yield* refused(scheduled(...daily, "params: { n: 1 }"), [/^4:51 The param month has no default/])
      yield* plan(pipeline("schedule: { cron: '@daily', timezone: UTC }", "tasks:", command("a")))
    }),
  )

  it.effect("takes a value that fits its schema", () =>
    Effect.gen(function* () {
      yield* refused(scheduled(...daily, "params: { month: 2025-13-01, n: many }"), [
        /^4:68 The value does not fit the param month: "2025-13-01" does not match/,
        /^4:83 The value does not fit the param n: "many" is no integer\.$/,
      ])
    }),
  )

  it.effect("takes an expression over run.tick, and over nothing else", () =>
    Effect.gen(function* () {
      const value = (expression: string) => scheduled(...daily, `params: { month: '\${{ ${expression} }}' }`)
      yield* plan(value("run.tick.month"))
      yield* refused(value("run.tick.mnth"), [
        /^4:82 run\.tick has no field "mnth"; it has time, date, month\. Did you mean "month"\?$/,
      ])
      yield* refused(value("run.id"), [/run has no field "id"; it has tick\.$/])
      yield* refused(value("params.n"), [/There is no "params" here\..*may name run\.tick only\.$/])
      yield* refused(value("1 + 2"), [/1 \+ 2: expected string, got integer\. Write string\(1 \+ 2\)\.$/])
    }),
  )

  it.effect("takes an expression whose value at a tick fits its pattern too", () =>
    Effect.gen(function* () {
      const value = (text: string) => scheduled(...daily, `params: { month: '${text}' }`)
      yield* refused(value("${{ run.tick.date }}"), [
        /^4:68 The value does not fit the param month: at the tick 2025-12-31T15:00:00Z, "2026-01-01" does not match/,
      ])
      yield* refused(value("m${{ run.tick.month }}"), [/"m2026-01" does not match/])
      yield* plan(value("${{ run.tick.date.substring(0, 7) }}"))
    }),
  )

  it.effect("whose own schema is wrong is told once", () =>
    refused(
      pipeline(
        "params: { a: { type: strin } }",
        "schedule: { cron: '@daily', timezone: UTC, params: { a: x } }",
        "tasks:",
        command("a"),
      ),
      [/"strin" is no type/],
    ),
  )
})
