import * as Fs from "node:fs/promises"
import { join } from "node:path"
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import { asked } from "./daemon-callers.ts"
import { daemon, ended, says, until } from "./daemon-project.ts"
import { dandori, ndjson } from "./evidence-project.ts"
import { edit, write } from "./guarded-project.ts"
import { project } from "./run-project.ts"

const textOf = (folder: string, path: string) =>
  Effect.promise(() => Fs.readFile(join(folder, path), "utf8").catch(() => ""))

/** Waits until a file of the project has so many lines. */
const lines = (folder: string, path: string, count: number) =>
  until(
    Effect.map(textOf(folder, path), (text) => {
      const all = text.split("\n").slice(0, -1)
      return all.length >= count ? all : undefined
    }),
  )

/** A daemon that leads, and a run of a pipeline with one task. */
const running = Effect.fnUntraced(function* (folder: string, task: string) {
  yield* write(folder, "pipelines/one.yaml", `version: 1\nid: one\ntasks:\n  work: ${task}\n`)
  const { ask, process, token } = yield* asked(folder)
  const operator = yield* token("operator")
  yield* until(Effect.map(ask("/pipelines/one/plan", operator), ({ status }) => (status === 200 ? true : undefined)))
  const { json, status } = yield* ask("/pipelines/one/runs", operator, {})
  assert.strictEqual(status, 201, JSON.stringify(json))
  return { process, run: json.run as string }
})

/** What there is of a run's stream. */
const bytesOf = (folder: string, run: string) =>
  Effect.promise(async () => {
    const runs = join(folder, ".dandori/ledger/runs")
    const names = await Fs.readdir(runs, { recursive: true }).catch(() => [])
    const name = names.find((one) => one.includes(run) && one.endsWith(".ndjson"))
    return name === undefined ? "" : await Fs.readFile(join(runs, name), "utf8")
  })

/** The events of a run, oldest first. */
const eventsOf = (folder: string, run: string) =>
  Effect.map(dandori(folder, "ledger", "show", run, "--json"), ({ out }) =>
    ndjson(out).map(({ data, time, type }) => ({
      type: String(type).replace(/^dev\.dandori\.|\.v\d+$/g, ""),
      data: data as Readonly<Record<string, any>>,
      time: Date.parse(String(time)),
    })),
  )

const endsAs = (folder: string, run: string, status: string) =>
  Effect.gen(function* () {
    const found = yield* until(Effect.map(ended(folder, "one"), (all) => all.get(run)))
    assert.strictEqual(found, status)
  })

describe("a daemon that ends while a run goes on", () => {
  it.live("gives a task that ignores SIGTERM the grace of the configuration, and the next one resumes the run", () =>
    Effect.gen(function* () {
      const folder = yield* project
      yield* edit(folder, "configs/base/daemon.yaml", "shutdown_grace: 30s", "shutdown_grace: 1s")
      // By itself the task would have an hour.
      const script = `trap "echo asked >> asked.txt" TERM INT; echo begun >> begun.txt; while ! [ -e go ]; do sleep 0.05; done`
      const input = JSON.stringify({ effects: "idempotent", grace: "1h", argv: ["sh", "-c", script] })
      const { process, run } = yield* running(folder, `{ uses: command, with: ${input} }`)
      yield* lines(folder, "begun.txt", 1)
      process.signal("SIGTERM")
      yield* lines(folder, "asked.txt", 1)
      assert.strictEqual(yield* process.ended, 0, process.said())
      assert.include(process.said(), "Stopping: running attempts get their grace")
      assert.isUndefined((yield* ended(folder, "one")).get(run))

      const next = yield* daemon(folder)
      assert.deepStrictEqual(yield* lines(folder, "begun.txt", 2), ["begun", "begun"])
      yield* write(folder, "go", "")
      yield* endsAs(folder, run, "succeeded")
      next.signal("SIGTERM")
      assert.strictEqual(yield* next.ended, 0, next.said())
      const events = yield* eventsOf(folder, run)
      assert.lengthOf(
        events.filter(({ type }) => type === "run.resumed"),
        1,
      )
      assert.strictEqual((yield* dandori(folder, "ledger", "verify")).code, 0)
    }),
  )

  it.live("with kill -9 loses no wait for a retry: the next one makes the second attempt, when it is due", () =>
    Effect.gen(function* () {
      const folder = yield* project
      const retry = "retry: { attempts: 2, backoff: { initial: 8s, factor: 1, max: 8s, jitter: none } }"
      const { process, run } = yield* running(folder, `{ uses: actor, ${retry}, with: { say: trying, succeedsAt: 2 } }`)
      yield* until(Effect.map(bytesOf(folder, run), (text) => (text.includes("retry.scheduled") ? true : undefined)))
      process.signal("SIGKILL")
      assert.strictEqual(yield* process.ended, 137)

      const next = yield* daemon(folder)
      yield* says(next, /Leading/)
      yield* endsAs(folder, run, "succeeded")
      next.signal("SIGTERM")
      assert.strictEqual(yield* next.ended, 0, next.said())
      const events = yield* eventsOf(folder, run)
      const of = (type: string) => events.filter((event) => event.type === type)
      assert.deepStrictEqual(
        of("attempt.started").map(({ data }) => data.attempt),
        [1, 2],
        JSON.stringify(events),
      )
      const [wait, ...more] = of("retry.scheduled")
      assert.lengthOf(more, 0)
      assert.strictEqual(wait.data.delayMillis, 8_000)
      const [resumed] = of("run.resumed")
      const [, second] = of("attempt.started")
      assert.isAtLeast(second.time, wait.data.due)
      assert.isAbove(events.indexOf(second), events.indexOf(resumed))
      assert.strictEqual((yield* dandori(folder, "ledger", "verify")).code, 0)
    }),
  )
})
