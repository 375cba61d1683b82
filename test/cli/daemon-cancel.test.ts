import * as Fs from "node:fs/promises"
import { join } from "node:path"
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import { asked } from "./daemon-callers.ts"
import { daemon, ended, entries, says, ticking, until } from "./daemon-project.ts"
import { dandori } from "./evidence-project.ts"
import { write } from "./guarded-project.ts"
import { project } from "./run-project.ts"

/** A daemon with room for so many runs, whose only pipeline goes on until there is a file `go`. */
const holding = Effect.fnUntraced(function* (room: number, more: ReadonlyArray<string> = []) {
  const folder = yield* project
  const usual = yield* Effect.promise(() =>
    Fs.readFile(join(import.meta.dirname, "../../configs/base/daemon.yaml"), "utf8"),
  )
  yield* write(folder, "configs/base/daemon.yaml", usual.replace(/^max_runs: \d+/m, `max_runs: ${room}`))
  const argv = ["sh", "-c", "echo $DANDORI_RUN >> begun.txt; while ! [ -e go ]; do sleep 0.05; done"]
  yield* write(folder, "pipelines/often.yaml", ticking("often", "0 0 1 1 *", argv, more))
  const place = yield* asked(folder)
  const operator = yield* place.token("operator")
  const ask = (path: string, body?: unknown, at?: string, headers: Readonly<Record<string, string>> = {}) =>
    place.ask(path, operator, body, headers, at)
  yield* until(Effect.map(ask("/pipelines"), ({ json }) => (json.pipelines[0]?.plan ? json : undefined)))
  const start = Effect.map(ask("/pipelines/often/runs", {}), ({ json, status }) => {
    assert.strictEqual(status, 201, JSON.stringify(json))
    return json.run as string
  })
  const startBy = (key: string) => ask("/pipelines/often/runs", {}, undefined, { "idempotency-key": key })
  const is = (run: string, status: string) =>
    until(Effect.map(ask(`/runs/${run}`), ({ json }) => (json.status === status ? json : undefined)))
  const cancel = (run: string, at?: string) => ask(`/runs/${run}/cancel`, { reason: "not needed" }, at)
  const streams = Effect.promise(() => Fs.readdir(join(folder, ".dandori/ledger/runs"), { recursive: true }))
  const begun = Effect.promise(() => Fs.readFile(join(folder, "begun.txt"), "utf8").catch(() => ""))
  const endedAs = (run: string) => until(Effect.map(ended(folder, "often"), (all) => all.get(run)))
  const stop = Effect.gen(function* () {
    place.process.signal("SIGTERM")
    assert.strictEqual(yield* place.process.ended, 0, place.process.said())
    assert.strictEqual((yield* dandori(folder, "ledger", "verify")).code, 0)
  })
  return { ...place, ask, startBy, begun, cancel, endedAs, is, start, stop, streams }
})

const isOf = (run: string) => (name: string) => name.includes(run)

describe("cancelling over the API of a daemon", () => {
  it.live("ends a run that waits for room before it is created, and says so to those who ask for it", () =>
    Effect.gen(function* () {
      const { ask, cancel, endedAs, folder, is, start, startBy, stop, streams } = yield* holding(1)
      const first = yield* start
      yield* is(first, "running")
      const { run: second } = (yield* startBy("second")).json
      const third = yield* start
      yield* is(second, "queued")
      const answer = yield* cancel(second)
      assert.deepStrictEqual([answer.status, answer.json], [200, { run: second, by: "operator-token" }])
      assert.strictEqual(yield* endedAs(second), "cancelled")
      const gone = yield* ask(`/runs/${second}`)
      assert.deepStrictEqual([gone.status, gone.json.code], [404, "RunNotCreated"])
      assert.include(gone.json.detail, "operator-token cancelled it before it began: not needed")
      assert.strictEqual((yield* cancel(second)).status, 404)
      // Who sends the request again, having seen no answer, does not begin it after all.
      const again = yield* startBy("second")
      assert.deepStrictEqual([again.status, again.json], [200, { run: second, isNew: false }])
      yield* write(folder, "go", "")
      assert.strictEqual(yield* endedAs(first), "succeeded")
      assert.strictEqual(yield* endedAs(third), "succeeded")
      assert.isFalse((yield* streams).some(isOf(second)))
      const [request] = (yield* entries(folder, "often")).filter(({ type }) => String(type).includes("cancel"))
      assert.strictEqual(request.authid, "operator-token")
      yield* stop
    }),
  )

  it.live("ends a run that waits for another one of its schedule, and a tick of a backfill", () =>
    Effect.gen(function* () {
      const { ask, cancel, endedAs, folder, is, stop, streams } = yield* holding(4)
      const range = { from: "2023-01-01T00:00:00Z", to: "2026-01-01T00:00:01Z", definition: "today" }
      const { json } = yield* ask("/schedules/often/backfills", range)
      const [first, second, third, fourth] = json.runs.map(({ run }: { readonly run: string }) => run)
      yield* is(first, "running")
      assert.strictEqual((yield* cancel(third)).status, 200)
      assert.strictEqual(yield* endedAs(third), "cancelled")
      yield* write(folder, "go", "")
      for (const run of [first, second, fourth]) assert.strictEqual(yield* endedAs(run), "succeeded")
      assert.isFalse((yield* streams).some(isOf(third)))
      yield* stop
    }),
  )

  it.live("is not forgotten with the process that was asked", () =>
    Effect.gen(function* () {
      const { begun, cancel, endedAs, folder, is, process, start } = yield* holding(1)
      const first = yield* start
      yield* is(first, "running")
      const second = yield* start
      yield* is(second, "queued")
      yield* cancel(second)
      process.signal("SIGKILL")
      yield* process.ended
      yield* write(folder, "go", "")
      const next = yield* daemon(folder)
      assert.strictEqual(yield* endedAs(second), "cancelled")
      assert.strictEqual(yield* endedAs(first), "succeeded")
      assert.notInclude(yield* begun, second)
      next.signal("SIGTERM")
      assert.strictEqual(yield* next.ended, 0, next.said())
    }),
  )

  it.live("reaches runs of the one that leads through one that stands by", () =>
    Effect.gen(function* () {
      const { cancel, endedAs, folder, is, start, stop } = yield* holding(1)
      const other = yield* daemon(folder)
      const [, url] = yield* says(other, /The API listens on (\S+)/)
      yield* says(other, /Standing by/)
      const first = yield* start
      yield* is(first, "running")
      const second = yield* start
      yield* is(second, "queued")
      for (const run of [second, first]) {
        const answer = yield* cancel(run, url)
        assert.deepStrictEqual([answer.status, answer.json], [200, { run, by: "operator-token" }])
        assert.strictEqual(yield* endedAs(run), "cancelled")
      }
      const text = yield* dandori(folder, "ledger", "show", first, "--json")
      assert.include(text.out, "operator-token: not needed")
      other.signal("SIGTERM")
      assert.strictEqual(yield* other.ended, 0, other.said())
      yield* stop
    }),
  )
})
