import { existsSync } from "node:fs"
import * as Fs from "node:fs/promises"
import { join } from "node:path"
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import { who } from "../../src/cli/who.ts"
import { daemon, ended, entries, says, ticking, until } from "./daemon-project.ts"
import { dandori, ndjson } from "./evidence-project.ts"
import { write } from "./guarded-project.ts"
import { pipeline, place, untilThere } from "./daemon-room-place.ts"

describe("runs of a daemon that has room for few", () => {
  it.live("leave it while they wait to try again, and try again when there is room", () =>
    Effect.gen(function* () {
      const failing = pipeline(
        "flaky",
        `[sh, -c, "echo x >> tries; test $(wc -l < tries) -gt 1"]`,
        [],
        "retry: { attempts: 2, backoff: { initial: 5s, factor: 1, max: 5s, jitter: none }, on: [CommandFailed] }, ",
      )
      const { endedAs, folder, is, start, stop } = yield* place(1, {
        flaky: failing,
        other: pipeline("other", untilThere("go")),
      })
      const flaky = yield* start("flaky")
      const { waiting } = yield* is(flaky, "waiting")
      assert.strictEqual(waiting.for, "retry")
      const other = yield* start("other")
      yield* is(other, "running")
      // Its time comes, but there is no room.
      yield* Effect.sleep(Math.max(0, Date.parse(waiting.due) - Date.now()) + 1_500)
      assert.strictEqual(yield* Effect.promise(() => Fs.readFile(join(folder, "tries"), "utf8")), "x\n")
      yield* write(folder, "go", "")
      assert.strictEqual(yield* endedAs("other", other), "succeeded")
      assert.strictEqual(yield* endedAs("flaky", flaky), "succeeded")
      yield* stop
    }),
  )

  it.live("leave it while they wait for their turn in a concurrency group", () =>
    Effect.gen(function* () {
      const group = ["concurrency: { group: one, limit: 1, onConflict: queue }"]
      const { ask, endedAs, folder, is, operator, start, stop } = yield* place(2, {
        first: pipeline("first", untilThere("go"), group),
        second: pipeline("second", "['true']", group),
        third: pipeline("third", "['true']"),
      })
      const first = yield* start("first")
      yield* is(first, "running")
      const second = yield* start("second")
      const again = yield* start("second")
      yield* is(second, "queued")
      const third = yield* start("third")
      assert.strictEqual(yield* endedAs("third", third), "succeeded")
      // One that waits for its turn is cancelled at once.
      assert.strictEqual((yield* ask(`/runs/${again}/cancel`, operator, { reason: "enough" })).status, 200)
      assert.strictEqual(yield* endedAs("second", again), "cancelled")
      yield* write(folder, "go", "")
      assert.strictEqual(yield* endedAs("first", first), "succeeded")
      assert.strictEqual(yield* endedAs("second", second), "succeeded")
      yield* stop
    }),
  )

  it.live("need none to be cancelled while they wait for people", () =>
    Effect.gen(function* () {
      const agreed = "approval: { approvers: 1, timeout: 1h, onTimeout: fail }, "
      const asking = pipeline("asking", "['true']", [], agreed)
      const { ask, endedAs, folder, is, operator, start, stop } = yield* place(1, {
        asking,
        other: pipeline("other", untilThere("go")),
      })
      const waiting = yield* start("asking")
      yield* is(waiting, "waiting")
      const other = yield* start("other")
      yield* is(other, "running")
      assert.strictEqual((yield* ask(`/runs/${waiting}/cancel`, operator, { reason: "enough" })).status, 200)
      assert.strictEqual(yield* endedAs("asking", waiting), "cancelled")
      yield* write(folder, "go", "")
      assert.strictEqual(yield* endedAs("other", other), "succeeded")
      yield* stop
    }),
  )

  it.live("takes as many requests as may wait, however many come at once, and through one that stands by", () =>
    Effect.gen(function* () {
      const { ask, endedAs, folder, is, operator, start, stop } = yield* place(1, {
        held: pipeline("held", untilThere("go")),
        other: pipeline("other", "['true']"),
      })
      yield* is(yield* start("held"), "running")
      const other = yield* daemon(folder)
      const [, url] = yield* says(other, /The API listens on (\S+)/)
      yield* says(other, /Standing by/)
      yield* until(
        Effect.map(ask("/pipelines/other", operator, undefined, {}, url), ({ json }) => (json.plan ? true : undefined)),
      )
      const burst = (at?: string) =>
        Effect.forEach(Array.from({ length: 6 }), () => ask("/pipelines/other/runs", operator, {}, {}, at), {
          concurrency: "unbounded",
        })
      const all = [...(yield* burst()), ...(yield* burst(url))]
      const taken = all.flatMap(({ json, status }) => (status === 201 ? [json.run as string] : []))
      const turnedAway = all.filter(({ status }) => status === 429)
      assert.deepStrictEqual([taken.length, turnedAway.length], [2, 10])
      assert.strictEqual(turnedAway[0].json.code, "QueueFull")
      yield* write(folder, "go", "")
      for (const run of taken) assert.strictEqual(yield* endedAs("other", run), "succeeded")
      // There is room again.
      assert.strictEqual(yield* endedAs("other", yield* start("other")), "succeeded")
      other.signal("SIGTERM")
      assert.strictEqual(yield* other.ended, 0, other.said())
      yield* stop
    }),
  )

  it.live("take no place in the queue while they wait for people", () =>
    Effect.gen(function* () {
      const agreed = "approval: { approvers: 1, timeout: 1h, onTimeout: fail }, "
      const { ask, endedAs, folder, is, operator, queued, start, stop } = yield* place(1, {
        asking: pipeline("asking", "['true']", [], agreed),
        held: pipeline("held", untilThere("go")),
        other: pipeline("other", "['true']"),
      })
      for (let n = 0; n < 4; n++) yield* is(yield* start("asking"), "waiting")
      const held = yield* start("held")
      yield* is(held, "running")
      assert.strictEqual(yield* queued, 0)
      const more = ask("/pipelines/other/runs", operator, {})
      const taken = [yield* start("other"), yield* start("other")]
      const turnedAway = yield* more
      assert.deepStrictEqual([turnedAway.status, turnedAway.json.detail], [429, "2 runs wait already; try again later"])
      yield* write(folder, "go", "")
      for (const run of taken) assert.strictEqual(yield* endedAs("other", run), "succeeded")
      assert.strictEqual(yield* endedAs("held", held), "succeeded")
      yield* stop
    }),
  )

  it.live("tell their events to who listens before they begin, or why they did not begin", () =>
    Effect.gen(function* () {
      const { ask, endedAs, folder, is, listen, operator, start, stop } = yield* place(1, {
        held: pipeline("held", untilThere("go")),
      })
      const first = yield* start("held")
      yield* is(first, "running")
      const [second, third] = [yield* start("held"), yield* start("held")]
      const [ofSecond, ofThird] = [yield* listen(second), yield* listen(third)]
      assert.deepStrictEqual([ofSecond.status, ofThird.status], [200, 200])
      assert.strictEqual((yield* ask(`/runs/${third}/cancel`, operator, { reason: "enough" })).status, 200)
      const [last, ...none] = yield* ofThird.events
      assert.deepStrictEqual([last.event, none], ["problem", []])
      assert.deepInclude(last.data, { status: 404, code: "RunNotCreated" })
      assert.include(last.data.detail, "operator-token cancelled it before it began: enough")
      const late = yield* ask(`/runs/${third}/events`, operator)
      assert.deepStrictEqual([late.status, late.json], [404, last.data])
      yield* write(folder, "go", "")
      assert.strictEqual(yield* endedAs("held", second), "succeeded")
      const all = yield* ofSecond.events
      assert.strictEqual(all[0].event, "dev.dandori.run.created.v1")
      assert.strictEqual(all.at(-1)?.event, "dev.dandori.run.finished.v1")
      yield* stop
    }),
  )

  it.live("are neither retried nor gone on with nor answered while they wait to begin", () =>
    Effect.gen(function* () {
      const { ask, endedAs, folder, is, operator, start, stop } = yield* place(1, {
        held: pipeline("held", untilThere("go")),
      })
      yield* is(yield* start("held"), "running")
      const run = yield* start("held")
      const bodies: Readonly<Record<string, unknown>> = {
        retry: {},
        resume: {},
        resolutions: { task: "work", as: "failed", reason: "enough" },
      }
      for (const [what, body] of Object.entries(bodies)) {
        const { json, status } = yield* ask(`/runs/${run}/${what}`, operator, body)
        assert.deepStrictEqual([what, status, json.code], [what, 409, "RunNotBegun"])
        assert.strictEqual(json.detail, `Run ${run} waits to begin, and begins by itself when it is its turn`)
      }
      yield* write(folder, "go", "")
      assert.strictEqual(yield* endedAs("held", run), "succeeded")
      yield* stop
    }),
  )

  it.live("are refused at once where they are to run again what cannot be", () =>
    Effect.gen(function* () {
      const { ask, endedAs, folder, is, operator, start, stop } = yield* place(1, {
        held: pipeline("held", untilThere("go")),
      })
      const run = yield* start("held")
      yield* is(run, "running")
      const again = (body: unknown) => ask(`/runs/${run}/retry`, operator, body)
      const early = yield* again({})
      assert.deepStrictEqual(
        [early.status, early.json.detail],
        [409, `Run ${run} has not ended; go on with it: dandori runs resume ${run}`],
      )
      yield* write(folder, "go", "")
      assert.strictEqual(yield* endedAs("held", run), "succeeded")
      const unknown = yield* again({ from: "nope" })
      assert.strictEqual(unknown.status, 409)
      assert.include(unknown.json.detail, 'no task "nope"')
      const done = yield* again({ from: "work" })
      assert.strictEqual(done.status, 201)
      assert.strictEqual(yield* endedAs("held", done.json.run), "succeeded")
      yield* stop
    }),
  )

  it.live("do not begin after all when their backfill was cancelled while they waited for room", () =>
    Effect.gen(function* () {
      const { ask, endedAs, folder, is, listen, operator, start, stop } = yield* place(1, {
        held: pipeline("held", untilThere("go")),
        often: ticking("often", "0 0 1 1 *", ["sh", "-c", "echo x >> often.txt"]),
      })
      const held = yield* start("held")
      yield* is(held, "running")
      const range = { from: "2023-01-01T00:00:00Z", to: "2026-01-01T00:00:01Z", definition: "today" }
      const { json } = yield* ask("/schedules/often/backfills", operator, range)
      const [first] = json.runs
      yield* is(first.run, "queued")
      const listening = yield* listen(first.run)
      const cancelled = yield* ask(`/schedules/often/backfills/${json.backfill}/cancel`, operator, { reason: "enough" })
      assert.strictEqual(cancelled.status, 200, JSON.stringify(cancelled.json))
      const [told, ...none] = yield* listening.events
      assert.deepStrictEqual([told.event, none], ["problem", []])
      assert.strictEqual(told.data.detail, `Run ${first.run} was not created: its backfill was cancelled: enough`)
      yield* write(folder, "go", "")
      assert.strictEqual(yield* endedAs("held", held), "succeeded")
      const other = yield* start("held")
      assert.strictEqual(yield* endedAs("held", other), "succeeded")
      assert.isFalse(yield* Effect.sync(() => existsSync(join(folder, "often.txt"))))
      assert.strictEqual((yield* ask(`/runs/${first.run}`, operator)).status, 404)
      yield* stop
    }),
  )
})

describe("a run that waits for room in the daemon, on the files", () => {
  it.live("is shown with since when it waits, and called off, whether the daemon listens or is gone", () =>
    Effect.gen(function* () {
      const { endedAs, folder, is, process, start } = yield* place(1, {
        held: pipeline("held", untilThere("go")),
        other: pipeline("other", "['true']", ["params: { n: { type: integer, default: 7 } }"]),
      })
      yield* is(yield* start("held"), "running")
      const first = yield* start("other")
      const second = yield* start("other")
      const here = (...args: ReadonlyArray<string>) => dandori(folder, ...args)

      const { code, err, out } = yield* here("runs", "show", first)
      assert.strictEqual(code, 0, err)
      assert.match(out, new RegExp(`^other waits to begin {2}run ${first}\n`))
      assert.match(out, / {2}asked for +20\d\d-\S+ \S+ by operator-token, env dev\n/)
      assert.match(out, / {2}params +n=7\n/)
      const [shown] = ndjson((yield* here("runs", "show", first.slice(-8), "--json")).out)
      const known = { kind: "run", run: first, status: "queued", pipeline: "other", env: "dev", who: "operator-token" }
      assert.deepInclude(shown, known)
      const asked = (yield* entries(folder, "other")).find(
        ({ data, type }) => /run\.requested/.test(String(type)) && (data as { readonly run: string }).run === first,
      )
      assert.strictEqual(Date.parse(String(shown.created)), Date.parse(String(asked?.time)))
      const listed = ndjson((yield* here("runs", "list", "--json")).out).map(({ run, status }) => [run, status])
      assert.sameDeepMembers(listed.slice(0, 2), [
        [first, "queued"],
        [second, "queued"],
      ])
      assert.deepStrictEqual(
        listed.slice(2).map(([, status]) => status),
        ["running"],
      )
      assert.match((yield* here("runs", "list")).out, new RegExp(`${first} +other +queued `))
      const watched = yield* here("runs", "watch", first)
      assert.strictEqual(watched.code, 75, watched.err)
      assert.match(
        watched.err,
        /waits to begin since 20\d\d-.*, asked for by operator-token\. .*: dandori runs cancel /,
      )

      const called = yield* here("runs", "cancel", first, "--reason", "enough")
      assert.strictEqual(called.code, 0, called.err)
      assert.match(called.out, new RegExp(`^${first} is called off: it waited to begin since 20`))
      assert.strictEqual(yield* endedAs("other", first), "cancelled")
      const gone = yield* here("runs", "show", first)
      assert.strictEqual(gone.code, 66, gone.out)
      assert.match(gone.err, new RegExp(`Run ${first} was not created: .*enough`))

      process.signal("SIGKILL")
      yield* process.ended
      assert.match((yield* here("runs", "show", second)).out, /^other waits to begin /)
      const cancelled = yield* here("runs", "cancel", second, "--json")
      assert.deepStrictEqual(ndjson(cancelled.out), [{ v: 1, kind: "cancelled", run: second, by: who() }])
      assert.match((yield* here("runs", "show", second)).out, / {2}called off +by \S+: asked on the command line\n/)
      yield* write(folder, "go", "")
      const next = yield* daemon(folder)
      assert.strictEqual(yield* endedAs("other", second), "cancelled", next.said())
      assert.strictEqual((yield* here("runs", "cancel", second)).code, 66)
    }),
  )

  it.live("is shown with its tick and who asked for it, where it is one of a backfill that others go before", () =>
    Effect.gen(function* () {
      const { ask, folder, is, operator, start, stop } = yield* place(1, {
        held: pipeline("held", untilThere("go")),
        often: ticking("often", "0 0 1 1 *", ["true"]),
      })
      yield* is(yield* start("held"), "running")
      const range = { from: "2023-01-01T00:00:00Z", to: "2026-01-01T00:00:01Z", definition: "today" }
      const { json } = yield* ask("/schedules/often/backfills", operator, range)
      const [, { run, tick }] = json.runs
      const { code, err, out } = yield* dandori(folder, "runs", "show", run)
      assert.strictEqual(code, 0, err)
      assert.match(
        out,
        new RegExp(`^often waits to begin {2}run ${run}\n {2}asked for +20\\S+ \\S+ by operator-token, env dev\n`),
      )
      assert.include(out.replaceAll(/ +/g, " "), ` tick ${tick}\n`)
      const called = yield* dandori(folder, "runs", "cancel", run)
      assert.strictEqual(called.code, 0, called.err)
      yield* write(folder, "go", "")
      const statuses = yield* until(Effect.map(ended(folder, "often"), (all) => (all.size >= 3 ? all : undefined)))
      assert.strictEqual(statuses.get(run), "cancelled")
      yield* stop
    }),
  )
})
