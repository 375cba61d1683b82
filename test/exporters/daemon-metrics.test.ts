import { readFileSync } from "node:fs"
import { join } from "node:path"
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Metric from "effect/Metric"
import * as DaemonMetrics from "../../src/exporters/daemon-metrics.ts"
import * as Reader from "../support/open-metrics-reader.ts"

const facts: DaemonMetrics.Facts = {
  version: "1.2.3",
  leader: true,
  lastTurn: 1_795_000_000_500,
  runsOpen: 2,
  runsQueued: 1,
  pipelinesBroken: 0,
  configurationBroken: true,
  schedulesPaused: 3,
  storeBytes: { ledger: 4_096, "state.db": 17 },
  apiStreams: 5,
}

/** What another program reads, by name and labels, after something happened in a daemon. */
const readAfter = (happened: Effect.Effect<void>, given = facts) =>
  Effect.gen(function* () {
    const [found] = yield* Reader.read([yield* Effect.andThen(happened, DaemonMetrics.render(given))])
    if (typeof found === "string") return assert.fail(found)
    const values = new Map<string, number>()
    for (const { samples } of found) {
      for (const [name, labels, value] of samples) {
        const shown = Object.entries(labels).map(([label, text]) => `${label}=${text}`)
        values.set([name, ...shown].join(" "), Number(value))
      }
    }
    return { families: found, values }
  }).pipe(Effect.provideService(Metric.MetricRegistry, new Map()))

const exposed: Readonly<Record<string, string>> = { counter: "_total", gauge: "", histogram: "", info: "_info" }

const rowOf = (family: (typeof DaemonMetrics.families)[keyof typeof DaemonMetrics.families]): string => {
  const { help, name, type } = family
  const labels = Object.entries("labels" in family ? family.labels : {}).map(([label, values]) =>
    typeof values === "string" ? `\`${label}\` (${values})` : `\`${label}\`: ${values.join(", ")}`,
  )
  return `| \`${name}${exposed[type]}\` | ${type} | ${labels.join("; ")} | ${help} |`
}

describe("metrics of the daemon", () => {
  it("are those of the table in the README, with the same words", () => {
    const readme = readFileSync(join(import.meta.dirname, "../../README.md"), "utf8")
    const [, section] = readme.split("\n## Metrics of the daemon\n")
    const table = section.split("\n## ")[0].match(/^\| `.*\|$/gm)
    assert.deepStrictEqual(table, Object.values(DaemonMetrics.families).map(rowOf))
  })

  it("have names and labels that OpenMetrics allows, end with their unit, and are said once", () => {
    const all = Object.values(DaemonMetrics.families)
    for (const family of all) {
      assert.match(family.name, /^(dandori|process)_[a-z_]+$/)
      assert.notMatch(family.name, /_(total|info|bucket|count|sum|created)$/)
      if ("unit" in family) assert.isTrue(family.name.endsWith(`_${family.unit}`), family.name)
      for (const label of Object.keys("labels" in family ? family.labels : {})) {
        assert.match(label, /^[a-z]+$/)
        assert.notStrictEqual(label, "le")
      }
    }
    assert.strictEqual(new Set(all.map(({ name }) => name)).size, all.length)
  })

  it.live("begin with zero of all that is counted, and say what is so", () =>
    Effect.gen(function* () {
      const { families, values } = yield* readAfter(Effect.void)
      const apart = ["dandori_api_requests", ...(process.platform === "linux" ? [] : ["process_max_fds"])]
      assert.deepStrictEqual(
        families.map(({ name }) => name),
        Object.values(DaemonMetrics.families)
          .map(({ name }) => name as string)
          .filter((name) => !apart.includes(name)),
      )
      for (const outcome of ["ran", "skipped", "coalesced", "missed", "held"]) {
        assert.strictEqual(values.get(`dandori_ticks_closed_total outcome=${outcome}`), 0)
      }
      assert.strictEqual(values.get("dandori_runs_ended_total status=timed_out"), 0)
      assert.strictEqual(values.get("dandori_dead_man_failures_total way=watchdog"), 0)
      assert.strictEqual(values.get("dandori_clock_steps_total"), 0)
      assert.strictEqual(values.get("dandori_tick_lateness_seconds_count"), 0)
      assert.strictEqual(values.get("dandori_build_info version=1.2.3"), 1)
      assert.strictEqual(values.get("dandori_daemon_leader"), 1)
      assert.strictEqual(values.get("dandori_daemon_last_turn_timestamp_seconds"), 1_795_000_000.5)
      assert.strictEqual(values.get("dandori_store_bytes store=state.db"), 17)
      assert.strictEqual(values.get("dandori_schedules_paused"), 3)
      assert.strictEqual(values.get("dandori_configuration_broken"), 1)
    }),
  )

  it.live("count what happens, each under the labels that it may have", () =>
    Effect.gen(function* () {
      const { values } = yield* readAfter(
        Effect.gen(function* () {
          yield* DaemonMetrics.ticksClosed("ran", 1)
          yield* DaemonMetrics.ticksClosed("missed", 7)
          yield* DaemonMetrics.ticksClosed("missed", 2)
          yield* DaemonMetrics.tickLate(40)
          yield* DaemonMetrics.tickLate(-3)
          yield* DaemonMetrics.tickLate(2_000_000_000)
          yield* DaemonMetrics.runEnded("failed")
          yield* DaemonMetrics.appended(0.2)
          yield* DaemonMetrics.clockSeen("stepped")
          yield* DaemonMetrics.clockSeen("paused")
          yield* DaemonMetrics.deadManTried("url", false)
          yield* DaemonMetrics.deadManTried("url", true)
          yield* DaemonMetrics.requestAnswered("GET", 200)
          yield* DaemonMetrics.requestAnswered("GET", 200)
          for (let nth = 0; nth < 50; nth++) yield* DaemonMetrics.requestAnswered(`X${nth}`, 1_000 + nth)
        }),
        { ...facts, leader: false, lastTurn: undefined },
      )
      const expected: ReadonlyArray<readonly [string, number | undefined]> = [
        ["dandori_ticks_closed_total outcome=ran", 1],
        ["dandori_ticks_closed_total outcome=missed", 9],
        ["dandori_ticks_closed_total outcome=held", 0],
        ["dandori_tick_lateness_seconds_bucket le=0.005", 1],
        ["dandori_tick_lateness_seconds_bucket le=0.05", 2],
        ["dandori_tick_lateness_seconds_bucket le=86400.0", 2],
        ["dandori_tick_lateness_seconds_bucket le=+Inf", 3],
        ["dandori_tick_lateness_seconds_count", 3],
        ["dandori_tick_lateness_seconds_sum", 2_000_000.04],
        ["dandori_runs_ended_total status=failed", 1],
        ["dandori_ledger_append_seconds_bucket le=0.00025", 1],
        ["dandori_ledger_append_seconds_bucket le=0.0001", 0],
        ["dandori_clock_steps_total", 1],
        ["dandori_process_pauses_total", 1],
        ["dandori_dead_man_failures_total way=url", 1],
        ["dandori_dead_man_failures_total way=file", 0],
        ["dandori_api_requests_total method=GET code=200", 2],
        ["dandori_api_requests_total method=other code=other", 50],
        ["dandori_daemon_leader", 0],
        ["dandori_daemon_last_turn_timestamp_seconds", undefined],
      ]
      assert.deepStrictEqual(
        expected.map(([name]) => [name, values.get(name)] as const),
        expected,
      )
      assert.strictEqual([...values.keys()].filter((name) => name.startsWith("dandori_api_requests")).length, 2)
    }),
  )

  it.live("say what the process has of the machine", () =>
    Effect.gen(function* () {
      const before = Date.now() / 1_000
      const { values } = yield* readAfter(Effect.void)
      assert.isAbove(values.get("process_resident_memory_bytes") ?? 0, 1_000_000)
      assert.isAbove(values.get("process_cpu_seconds_total") ?? 0, 0)
      assert.isAbove(values.get("process_open_fds") ?? 0, 2)
      const start = values.get("process_start_time_seconds") ?? 0
      assert.isTrue(start < before && start > before - 86_400, `${start}`)
    }),
  )

  it.effect("leave out what others count in the same process", () =>
    Effect.gen(function* () {
      yield* Metric.update(Metric.counter("somebody_elses"), 1)
      assert.notInclude(yield* DaemonMetrics.render(facts), "somebody_elses")
    }).pipe(Effect.provideService(Metric.MetricRegistry, new Map())),
  )
})
