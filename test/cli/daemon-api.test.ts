import * as Fs from "node:fs/promises"
import { join } from "node:path"
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import { asked } from "./daemon-callers.ts"
import { daemon, ended, says, ticking, ticks, until } from "./daemon-project.ts"
import { dandori, ndjson } from "./evidence-project.ts"
import { write } from "./guarded-project.ts"
import { project } from "./run-project.ts"

/** A daemon with one pipeline, and how to ask it as the holder of a token. */
const askedOfOften = Effect.gen(function* () {
  const folder = yield* project
  const text = ticking("often", "0 0 * * *", ["sh", "-c", "echo $$ >> ran.txt; sleep 0.5"])
  yield* write(
    folder,
    "pipelines/often.yaml",
    text.replace("tasks:", "params: { n: { type: integer, default: 1 } }\ntasks:"),
  )
  return yield* asked(folder)
})

describe("the API of a daemon", () => {
  it.live("starts a deployed pipeline once for each idempotency key, in the name of the token's owner", () =>
    Effect.gen(function* () {
      const { ask, folder, process, token } = yield* askedOfOften
      const operator = yield* token("operator")
      const viewer = yield* token("viewer")
      const path = "/pipelines/often/runs"
      yield* until(Effect.map(ask("/pipelines", viewer), ({ json }) => (json.pipelines[0]?.plan ? json : undefined)))
      assert.strictEqual((yield* ask(path, undefined, {})).status, 401)
      assert.strictEqual((yield* ask(path, viewer, {})).status, 403)
      assert.strictEqual((yield* ask("/pipelines/nothing/runs", operator, {})).status, 404)
      assert.strictEqual((yield* ask(path, operator, { params: { n: "x" } })).status, 422)
      const key = { "idempotency-key": "deploy-17" }
      const first = yield* ask(path, operator, { params: { n: 2 } }, key)
      assert.deepStrictEqual([first.status, first.json.isNew], [201, true])
      const again = yield* ask(path, operator, { params: { n: 2 } }, key)
      assert.deepStrictEqual([again.status, again.json], [200, { run: first.json.run, isNew: false }])
      yield* until(Effect.map(ended(folder, "often"), (all) => (all.has(first.json.run) ? all : undefined)))
      const { json } = yield* ask(`/runs/${first.json.run}`, viewer)
      assert.deepInclude(json, { status: "succeeded", who: "operator-token", pipeline: "often" })
      assert.match(yield* Effect.promise(() => Fs.readFile(join(folder, "ran.txt"), "utf8")), /^\d+\n$/)
      process.signal("SIGTERM")
      assert.strictEqual(yield* process.ended, 0)
      assert.strictEqual((yield* dandori(folder, "ledger", "verify")).code, 0)
    }),
  )

  it.live("begins no run anew whose record was purged when its request is sent again", () =>
    Effect.gen(function* () {
      const { ask, folder, process, token } = yield* askedOfOften
      const operator = yield* token("operator")
      yield* until(Effect.map(ask("/pipelines", operator), ({ json }) => (json.pipelines[0]?.plan ? json : undefined)))
      // Its id is so old that it may have been purged.
      const start = ask("/pipelines/often/runs", operator, {}, { "idempotency-key": "deploy-18" })
      const { run } = (yield* start).json
      yield* until(Effect.map(ended(folder, "often"), (all) => (all.has(run) ? all : undefined)))
      const purged = yield* dandori(folder, "runs", "purge", run, "--reason", "a secret got in", "--yes")
      assert.strictEqual(purged.code, 0, purged.err)
      const again = yield* start
      assert.deepStrictEqual([again.status, again.json], [200, { run, isNew: false }])
      assert.notInclude(JSON.stringify((yield* ask("/runs", operator)).json), run)
      process.signal("SIGTERM")
      assert.strictEqual(yield* process.ended, 0)
    }),
  )

  it.live("loses no run that it has taken when its process is killed", () =>
    Effect.gen(function* () {
      const { ask, folder, process, token } = yield* askedOfOften
      const operator = yield* token("operator")
      yield* until(Effect.map(ask("/pipelines", operator), ({ json }) => (json.pipelines[0]?.plan ? json : undefined)))
      const runs: Array<string> = []
      for (let n = 0; n < 5; n++) runs.push((yield* ask("/pipelines/often/runs", operator, { params: { n } })).json.run)
      process.signal("SIGKILL")
      yield* process.ended
      const next = yield* daemon(folder)
      yield* until(Effect.map(ended(folder, "often"), (all) => (runs.every((run) => all.has(run)) ? all : undefined)))
      next.signal("SIGTERM")
      assert.strictEqual(yield* next.ended, 0, next.said())
      assert.strictEqual(new Set(runs).size, 5)
    }),
  )

  it.live("pauses and resumes a schedule and backfills it in the name of who asks", () =>
    Effect.gen(function* () {
      const { ask, folder, process, token } = yield* askedOfOften
      const operator = yield* token("operator")
      const path = "/schedules/often"
      yield* until(Effect.map(ask(path, operator), ({ status }) => (status === 200 ? status : undefined)))
      const paused = yield* ask(`${path}/pause`, operator, { reason: "the feed is late" })
      assert.deepInclude(paused.json.paused, { by: "operator-token", reason: "the feed is late" })
      assert.notProperty((yield* ask(`${path}/resume`, operator, { reason: "it is there" })).json, "paused")
      const range = { from: "2026-03-01T00:00:00Z", to: "2026-03-03T00:00:00Z", definition: "today" }
      const { json } = yield* ask(`${path}/backfills`, operator, range)
      const runs = json.runs.map(({ run }: { readonly run: string }) => run)
      assert.lengthOf(runs, 2)
      yield* until(
        Effect.map(ended(folder, "often"), (all) => (runs.every((run: string) => all.has(run)) ? all : undefined)),
      )
      process.signal("SIGTERM")
      assert.strictEqual(yield* process.ended, 0)
    }),
  )

  it.live("is served by a daemon that stands by, too: what it is asked for the leader runs", () =>
    Effect.gen(function* () {
      const { ask, folder, process, token } = yield* askedOfOften
      const operator = yield* token("operator")
      const other = yield* daemon(folder)
      const [, url] = yield* says(other, /The API listens on (\S+)/)
      yield* says(other, /Standing by/)
      const base = new URL(url).origin
      assert.deepStrictEqual(yield* Effect.promise(() => fetch(`${base}/readyz`).then((answer) => answer.json())), {
        status: "ready",
        leader: false,
      })
      yield* until(
        Effect.map(ask("/pipelines", operator, undefined, {}, url), ({ json }) =>
          json.pipelines[0]?.plan === undefined ? undefined : json,
        ),
      )
      const { json } = yield* ask("/pipelines/often/runs", operator, {}, {}, url)
      yield* until(Effect.map(ended(folder, "often"), (all) => (all.has(json.run) ? all : undefined)))
      for (const each of [other, process]) {
        each.signal("SIGTERM")
        assert.strictEqual(yield* each.ended, 0, each.said())
      }
    }),
  )

  it.live("counts its requests, its open streams and how long ticks take to be durable", () =>
    Effect.gen(function* () {
      const { folder, process, token, url } = yield* askedOfOften
      yield* write(folder, "pipelines/often.yaml", ticking("often", "* * * * * *", ["sleep", "30"]))
      const viewer = yield* token("viewer")
      const headers = { authorization: `Bearer ${viewer}` }
      const metrics = Effect.promise(() =>
        fetch(`${new URL(url).origin}/metrics`, { headers }).then((one) => one.text()),
      )
      const value = (text: string, name: string) => Number(new RegExp(`^${name} (\\S+)`, "m").exec(text)?.[1])
      const closed = yield* until(Effect.map(ticks(folder, "often"), (all) => all[0]))
      const run = closed.outcome.is === "ran" ? closed.outcome.run : ""
      const stream = yield* until(
        Effect.promise(async () => {
          const response = await fetch(`${url}/runs/${run}/events`, { headers })
          if (!response.ok) await response.body?.cancel()
          return response.ok ? response : undefined
        }),
      )
      const text = yield* until(
        Effect.map(metrics, (one) => (value(one, "dandori_ledger_append_seconds_count") > 0 ? one : undefined)),
      )
      assert.strictEqual(value(text, "dandori_api_streams"), 1)
      assert.isAtLeast(value(text, 'dandori_api_requests_total{method="GET",code="200"}'), 1)
      yield* Effect.promise(async () => stream.body?.cancel())
      process.signal("SIGTERM")
      assert.strictEqual(yield* process.ended, 0, process.said())
    }),
  )

  it.live("says that nothing is deployed any more as long as the configuration is broken, and goes on", () =>
    Effect.gen(function* () {
      const { ask, folder, process, token, url } = yield* askedOfOften
      const viewer = yield* token("viewer")
      const get = (path: string) =>
        Effect.promise(() =>
          fetch(`${new URL(url).origin}${path}`, { headers: { authorization: `Bearer ${viewer}` } }).then(
            async (answer) => ({ status: answer.status, text: await answer.text() }),
          ),
        )
      const broken = Effect.map(get("/metrics"), ({ text }) => /^dandori_configuration_broken (\d)$/m.exec(text)?.[1])
      const pipelines = Effect.map(ask("/pipelines", viewer), ({ json }) => json)
      const good = yield* until(Effect.map(pipelines, (json) => (json.pipelines[0]?.plan ? json : undefined)))
      assert.deepStrictEqual([good.problem, yield* broken], [undefined, "0"])
      const file = "configs/base/retention.yaml"
      const usual = yield* Effect.promise(() => Fs.readFile(join(folder, file), "utf8"))
      yield* write(folder, file, "raw_days: many\n")
      const bad = yield* until(Effect.map(pipelines, (json) => (json.problem ? json : undefined)))
      assert.match(bad.problem.message, /configs\/base\/retention\.yaml[^]*raw_days/)
      assert.notInclude(bad.problem.message, folder)
      assert.isFalse(Number.isNaN(Date.parse(bad.problem.since)))
      assert.deepStrictEqual(bad.pipelines, good.pipelines)
      assert.strictEqual(yield* broken, "1")
      assert.strictEqual((yield* get("/readyz")).status, 200)
      // Another fault in the same place does not begin anew.
      yield* write(folder, file, "logs_days: many\n")
      const worse = yield* until(
        Effect.map(pipelines, (json) => (/logs_days/.test(json.problem?.message) ? json : undefined)),
      )
      assert.strictEqual(worse.problem.since, bad.problem.since)
      yield* write(folder, file, usual)
      const mended = yield* until(Effect.map(pipelines, (json) => (json.problem ? undefined : json)))
      assert.deepStrictEqual([mended, yield* broken], [good, "0"])
      process.signal("SIGTERM")
      assert.strictEqual(yield* process.ended, 0, process.said())
    }),
  )

  it.live("says what it warns of as it says all else: with --json as lines of JSON only", () =>
    Effect.gen(function* () {
      const folder = yield* project
      const process = yield* daemon(folder, "--json")
      const [, url] = yield* says(process, /The API listens on ([^"\s]+)/)
      const answer = yield* Effect.promise(() => fetch(`${url}/hooks/nothing`, { method: "POST", body: "{}" }))
      assert.strictEqual(answer.status, 401)
      yield* says(process, /The webhook of nothing started nothing.*\n/)
      process.signal("SIGTERM")
      assert.strictEqual(yield* process.ended, 0, process.said())
      const lines = ndjson(process.said())
      assert.isTrue(lines.every(({ kind }) => kind === "note"))
      assert.isTrue(lines.some(({ text }) => String(text).startsWith("The webhook of nothing started nothing")))
    }),
  )
})
