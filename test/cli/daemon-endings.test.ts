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
  const start = Effect.fnUntraced(function* (pipeline: string) {
    const { json, status } = yield* ask(`/pipelines/${pipeline}/runs`, operator, {})
    assert.strictEqual(status, 201, JSON.stringify(json))
    return json.run as string
  })
  return { process, start, run: yield* start("one") }
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
  it.live("lets an attempt end that does so within the grace, also one that may happen only once", () =>
    Effect.gen(function* () {
      const folder = yield* project
      const script = `echo begun >> begun.txt; while ! [ -e go ]; do sleep 0.05; done`
      const input = JSON.stringify({ effects: "once", argv: ["sh", "-c", script] })
      const later = JSON.stringify({ effects: "idempotent", argv: ["touch", "later.txt"] })
      const { process, run } = yield* running(
        folder,
        `{ uses: command, with: ${input} }\n  later: { uses: command, needs: [work], with: ${later} }`,
      )
      yield* lines(folder, "begun.txt", 1)
      process.signal("SIGTERM")
      yield* says(process, /Stopping: running attempts have 30s to end/)
      yield* write(folder, "go", "")
      assert.strictEqual(yield* process.ended, 0, process.said())
      const before = yield* eventsOf(folder, run)
      assert.deepStrictEqual(
        before.filter(({ type }) => type.startsWith("attempt.") || type.startsWith("run.")).map(({ type }) => type),
        ["run.created", "attempt.started", "attempt.succeeded"],
      )

      const next = yield* daemon(folder)
      yield* endsAs(folder, run, "succeeded")
      next.signal("SIGTERM")
      assert.strictEqual(yield* next.ended, 0, next.said())
      assert.lengthOf(yield* lines(folder, "begun.txt", 1), 1)
      assert.include(yield* Effect.promise(() => Fs.readdir(folder)), "later.txt")
      assert.strictEqual((yield* dandori(folder, "ledger", "verify")).code, 0)
    }),
  )

  it.live("ends a run whose last attempt ends within the grace", () =>
    Effect.gen(function* () {
      const folder = yield* project
      const script = `echo begun >> begun.txt; while ! [ -e go ]; do sleep 0.05; done`
      const input = JSON.stringify({ effects: "idempotent", argv: ["sh", "-c", script] })
      const { process, run } = yield* running(folder, `{ uses: command, with: ${input} }`)
      yield* lines(folder, "begun.txt", 1)
      process.signal("SIGTERM")
      yield* says(process, /Stopping/)
      yield* write(folder, "go", "")
      assert.strictEqual(yield* process.ended, 0, process.said())
      assert.strictEqual((yield* ended(folder, "one")).get(run), "succeeded")
      const verified = yield* dandori(folder, "ledger", "verify")
      assert.strictEqual(verified.code, 0, verified.err)
      assert.include(verified.out, "0 not covered yet")
    }),
  )

  /** A pipeline whose task goes on until a file is there. */
  const untilThere = (id: string, go: string, more = "") => {
    const script = `touch ${id}.begun; while ! [ -e ${go} ]; do sleep 0.05; done`
    const input = JSON.stringify({ effects: "idempotent", argv: ["sh", "-c", script] })
    return `version: 1\nid: ${id}\n${more}tasks:\n  work: { uses: command, with: ${input} }\n`
  }
  const hasBegun = (folder: string, id: string) =>
    until(
      Effect.map(
        Effect.promise(() => Fs.readdir(folder)),
        (all) => (all.includes(`${id}.begun`) ? true : undefined),
      ),
    )

  it.live("hands on at once what only waits, while what goes on has its grace", () =>
    Effect.gen(function* () {
      const folder = yield* project
      yield* edit(folder, "configs/base/daemon.yaml", "shutdown_grace: 30s", "shutdown_grace: 10m")
      const group = "concurrency: { group: one, limit: 1, onConflict: queue }\n"
      yield* write(folder, "pipelines/first.yaml", untilThere("first", "go-first", group))
      yield* write(folder, "pipelines/second.yaml", untilThere("second", "go", group))
      yield* write(folder, "pipelines/long.yaml", untilThere("long", "go"))
      const retry = "retry: { attempts: 2, backoff: { initial: 8s, factor: 1, max: 8s, jitter: none } }"
      const { process, run, start } = yield* running(
        folder,
        `{ uses: actor, ${retry}, with: { say: trying, succeedsAt: 2 } }`,
      )
      yield* start("long")
      yield* hasBegun(folder, "long")
      yield* start("first")
      yield* hasBegun(folder, "first")
      const second = yield* start("second")
      yield* until(Effect.map(bytesOf(folder, run), (text) => (text.includes("retry.scheduled") ? true : undefined)))
      yield* until(Effect.map(bytesOf(folder, second), (text) => (text.includes("run.queued") ? true : undefined)))
      const other = yield* daemon(folder)
      yield* says(other, /Standing by/)
      process.signal("SIGTERM")
      yield* says(other, /Leading/)
      // The retry is made by the one that leads now, and the place in the group goes to the run that it took up.
      yield* endsAs(folder, run, "succeeded")
      yield* write(folder, "go-first", "")
      yield* hasBegun(folder, "second")
      assert.notInclude(process.said(), "Skipping")
      yield* write(folder, "go", "")
      assert.strictEqual(yield* process.ended, 0, process.said())
      for (const id of ["first", "second", "long"])
        yield* until(
          Effect.map(ended(folder, id), (all) => ([...all.values()].includes("succeeded") ? true : undefined)),
        )
      other.signal("SIGTERM")
      assert.strictEqual(yield* other.ended, 0, other.said())
      assert.strictEqual((yield* dandori(folder, "ledger", "verify")).code, 0)
    }),
  )

  it.live(
    "interrupts a task that goes on after the grace, and the next one resumes the run, as often as it takes",
    () =>
      Effect.gen(function* () {
        const folder = yield* project
        yield* edit(folder, "configs/base/daemon.yaml", "shutdown_grace: 30s", "shutdown_grace: 1s")
        const script = `trap "echo asked >> asked.txt; exit 3" INT; echo begun >> begun.txt; while ! [ -e go ]; do sleep 0.05; done`
        const input = JSON.stringify({ effects: "idempotent", argv: ["sh", "-c", script] })
        const { process, run } = yield* running(folder, `{ uses: command, retry: { attempts: 1 }, with: ${input} }`)
        yield* lines(folder, "begun.txt", 1)
        let last = process
        for (let times = 1; times <= 3; times++) {
          last.signal("SIGTERM")
          assert.strictEqual(yield* last.ended, 0, last.said())
          assert.include(last.said(), "Stopping: running attempts have 1s to end")
          assert.lengthOf(yield* lines(folder, "asked.txt", times), times)
          assert.isUndefined((yield* ended(folder, "one")).get(run))
          last = yield* daemon(folder)
          yield* lines(folder, "begun.txt", times + 1)
        }
        yield* write(folder, "go", "")
        yield* endsAs(folder, run, "succeeded")
        last.signal("SIGTERM")
        assert.strictEqual(yield* last.ended, 0, last.said())
        const events = yield* eventsOf(folder, run)
        const of = (type: string) => events.filter((event) => event.type === type).map(({ data }) => data)
        assert.lengthOf(of("run.resumed"), 3)
        assert.deepStrictEqual(
          of("run.suspended"),
          [1, 2, 3].map(() => ({ interrupted: ["work"] })),
        )
        assert.deepStrictEqual(
          of("attempt.lost").map(({ attempt, orderly }) => [attempt, orderly]),
          [1, 2, 3].map((attempt) => [attempt, true]),
        )
        assert.strictEqual((yield* dandori(folder, "ledger", "verify")).code, 0)
      }),
  )

  it.live("with kill -9 leaves a child that does not want to end, and only its own run waits for that", () =>
    Effect.gen(function* () {
      const folder = yield* project
      const stubborn = `trap "" INT TERM; touch stubborn; while ! [ -e gone ]; do sleep 0.05; done`
      const grace = { effects: "idempotent", grace: "1h", argv: ["sh", "-c", stubborn] }
      const file = `version: 1\nid: other\ntasks:\n  work: { uses: command, with: ${JSON.stringify(grace)} }\n`
      yield* write(folder, "pipelines/other.yaml", file)
      const script = `echo begun >> begun.txt; while ! [ -e go ]; do sleep 0.05; done`
      const input = JSON.stringify({ effects: "idempotent", argv: ["sh", "-c", script] })
      const { process, run, start } = yield* running(folder, `{ uses: command, with: ${input} }`)
      const other = yield* start("other")
      yield* lines(folder, "begun.txt", 1)
      yield* until(
        Effect.map(
          Effect.promise(() => Fs.readdir(folder)),
          (all) => (all.includes("stubborn") ? true : undefined),
        ),
      )
      process.signal("SIGKILL")
      assert.strictEqual(yield* process.ended, 137)

      const next = yield* daemon(folder)
      yield* lines(folder, "begun.txt", 2)
      yield* write(folder, "go", "")
      yield* endsAs(folder, run, "succeeded")
      assert.notInclude(yield* bytesOf(folder, other), "run.resumed")
      yield* write(folder, "gone", "")
      yield* until(Effect.map(ended(folder, "other"), (all) => all.get(other)))
      next.signal("SIGTERM")
      assert.strictEqual(yield* next.ended, 0, next.said())
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
