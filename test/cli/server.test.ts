import * as Fs from "node:fs/promises"
import { join } from "node:path"
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import { who } from "../../src/cli/who.ts"
import { daemon, ended, entries, until } from "./daemon-project.ts"
import { dandori, ndjson } from "./evidence-project.ts"
import { write } from "./guarded-project.ts"
import { empty, served, serving, started } from "./server-place.ts"

describe("the command line with the URL of a daemon, in a folder without a project", () => {
  it.live("starts a deployed pipeline, follows its run, lists and shows it", () =>
    Effect.gen(function* () {
      const { ask, far, folder, url } = yield* served
      const ran = yield* ask("run", "often", "--param", "n=2")
      assert.strictEqual(ran.code, 0, ran.err)
      assert.match(ran.err, /often +run \S+ started, env dev\n[^]*work +started\n[^]*work +succeeded in /)
      assert.match(ran.out, /^often succeeded in .* run [0-9a-f-]{36}\n/)
      const failed = yield* ask("run", "often", "--param", "n=7", "--json")
      assert.strictEqual(failed.code, 1, failed.err)
      const lines = ndjson(failed.out)
      assert.deepInclude(lines[0], { v: 1, kind: "event", type: "dev.dandori.run.created.v1" })
      assert.deepInclude(lines.at(-1), { v: 1, kind: "result", pipeline: "often", status: "failed" })
      const run = String(lines[0].run)
      const listed = ndjson((yield* ask("runs", "list", "--json")).out)
      assert.deepStrictEqual(
        listed.map(({ status }) => status),
        ["failed", "succeeded"],
      )
      assert.deepInclude(listed[0], { v: 1, kind: "run", run, pipeline: "often", env: "dev", who: "olga" })
      assert.match((yield* ask("runs", "list", "--limit", "1")).err, /--limit N shows more/)
      for (const flags of [[], ["--json"]]) {
        const there = yield* ask("runs", "show", run.slice(-8), ...flags)
        const here = yield* dandori(folder, "runs", "show", run, ...flags)
        assert.deepStrictEqual([there.code, there.out], [0, here.out])
      }
      const watched = yield* ask("runs", "watch", run, "--json")
      assert.deepStrictEqual(
        [watched.code, watched.out.split("\n").slice(0, 5)],
        [1, failed.out.split("\n").slice(0, 5)],
      )
      const again = yield* ask("runs", "retry", run, "--from", "work", "--json")
      assert.strictEqual(again.code, 1, again.err)
      assert.notStrictEqual(ndjson(again.out)[0].run, run)
      const refused = yield* ask("runs", "retry", run, "--from", "nothing")
      assert.strictEqual(refused.code, 64, refused.err)
      assert.match(refused.err, /The plan has no task "nothing"\. It has work/)
      assert.notInclude(refused.err, "goes on")
      assert.deepStrictEqual(yield* Effect.promise(() => Fs.readdir(far)), [])
      const flag = yield* started(far, ["runs", "list", "--json", "--server", new URL(url).origin], {}).said
      assert.strictEqual(flag.code, 77)
    }),
  )

  it.live("tells commands that ask the same daemon, and says of those on files where they are", () =>
    Effect.gen(function* () {
      const { far, operator } = yield* served
      const { DANDORI_SERVER: url = "", ...token } = operator as Readonly<Record<string, string>>
      const at = `--server ${url.replace(/\/api\/v1$/, "")}`
      const ask = (...args: ReadonlyArray<string>) => started(far, [...args, "--server", url], token).said
      const failed = yield* ask("run", "often", "--param", "n=7")
      assert.strictEqual(failed.code, 1, failed.err)
      const [run = ""] = /[0-9a-f-]{36}/.exec(failed.out) ?? []
      const logs = `dandori runs logs ${run} work  # where the daemon runs`
      assert.deepStrictEqual(failed.out.match(/dandori [a-z]+ .*/g), [
        logs,
        `dandori runs show ${run} ${at}`,
        logs,
        "dandori ledger verify  # where the daemon runs",
      ])
      assert.include((yield* ask("runs", "show", run)).out, `${logs}\n`)
      assert.include((yield* ask("runs", "show", "nope")).err, `dandori runs list ${at}\n`)
      const paused = yield* ask("schedule", "pause", "often", "--reason", "the feed is late")
      assert.include(paused.err, `dandori schedule resume often ${at}\n`)
      const resumed = yield* ask("schedule", "resume", "often", "--reason", "it is there")
      assert.include(resumed.err, `dandori schedule backfill often ${at}\n`)
      const range = ["--from", "2026-03-01", "--to", "2026-03-02", "--yes"]
      const backfill = yield* ask("schedule", "backfill", "often", ...range, "--env", "dev")
      const id = backfill.out.split(" ")[0]
      assert.include(backfill.err, `dandori schedule backfill often --cancel ${id} --env dev ${at}\n`)
      const raised = yield* ask("cordon", "raise", "stop", "--reason", "disk is full")
      assert.include(raised.out, `dandori cordon lift stop ${at}\n`)
    }),
  )

  it.live("cancels a long run, and leaves one running whose follower is interrupted", () =>
    Effect.gen(function* () {
      const { ask, far, operator } = yield* served
      const follower = started(far, ["run", "long"], operator)
      const run = yield* until(
        Effect.map(ask("runs", "list", "--json"), ({ out }) =>
          out === "" ? undefined : ndjson(out).find(({ status }) => status === "running")?.run,
        ),
      )
      yield* follower.says(/work +started/)
      follower.signal("SIGINT")
      const left = yield* follower.said
      assert.strictEqual(left.code, 130, left.err)
      assert.match(
        left.err,
        new RegExp(`To follow it: dandori runs watch ${run}; to cancel it: dandori runs cancel ${run}\n`),
      )
      const { DANDORI_SERVER: url = "", ...token } = operator as Readonly<Record<string, string>>
      const named = started(far, ["runs", "watch", String(run), "--server", url], token)
      yield* named.says(/work +started/)
      named.signal("SIGINT")
      const { err } = yield* named.said
      const at = `--server ${url.replace(/\/api\/v1$/, "")}`
      assert.include(
        err,
        `To follow it: dandori runs watch ${run} ${at}; to cancel it: dandori runs cancel ${run} ${at}\n`,
      )
      const watcher = started(far, ["runs", "watch", String(run)], operator)
      yield* watcher.says(/work +started/)
      const cancelled = yield* ask("runs", "cancel", String(run), "--reason", "enough", "--json")
      assert.strictEqual(cancelled.code, 0, cancelled.err)
      assert.deepStrictEqual(ndjson(cancelled.out), [{ v: 1, kind: "cancelled", run, by: "olga" }])
      assert.strictEqual((yield* watcher.said).code, 130)
      const over = yield* ask("runs", "cancel", String(run))
      assert.strictEqual(over.code, 64, over.err)
    }),
  )

  it.live("ends with 16 while people are awaited, and takes the agreement of somebody else", () =>
    Effect.gen(function* () {
      const { as, ask, call, token } = yield* served
      const waiting = yield* ask("run", "asking", "--json")
      assert.strictEqual(waiting.code, 16, waiting.err)
      const run = String(ndjson(waiting.out)[0].run)
      assert.strictEqual((yield* ask("runs", "approve", run, "--yes")).code, 77)
      const approver = as(yield* token("anna", "approver"))
      assert.strictEqual((yield* call(approver, "runs", "approve", run)).code, 64)
      const approved = yield* call(approver, "runs", "approve", run, "--yes")
      assert.deepStrictEqual(
        [approved.code, approved.out],
        [0, "go is approved by anna: that is recorded. Its run goes on.\n"],
      )
      assert.match(approved.err, /^go of asking, asked for by olga\n {2}input {6}[0-9a-f]{64}\n[^]*"say": "hello"/)
      const watched = yield* ask("runs", "watch", run)
      assert.match(watched.out, /^asking succeeded/, watched.err)
    }),
  )

  it.live(
    "follows a run that waits for a place at its daemon, before it is created and after people agreed to it",
    () =>
      Effect.gen(function* () {
        const { as, ask, call, far, folder, operator, token } = yield* serving(1)
        const asking = String(ndjson((yield* ask("run", "asking", "--json")).out)[0].run)
        const long = started(far, ["run", "long"], operator)
        yield* long.says(/work +started/)
        const approver = as(yield* token("anna", "approver"))
        assert.strictEqual((yield* call(approver, "runs", "approve", asking, "--yes")).code, 0)
        const watched = started(far, ["runs", "watch", asking], operator)
        const queued = started(far, ["run", "often"], operator)
        const run = yield* until(
          Effect.promise(async () => {
            const head = await Fs.readFile(join(folder, ".dandori/ledger/schedules/dev.ndjson"), "utf8")
            return /"pipeline":"often".*?"run":"([0-9a-f-]{36})"/.exec(head)?.[1]
          }),
        )
        const shown = yield* until(
          Effect.map(ask("runs", "show", run, "--json"), ({ code, out }) => (code === 0 ? ndjson(out)[0] : undefined)),
        )
        assert.deepInclude(shown, { run, pipeline: "often", status: "queued" })
        assert.deepInclude(ndjson((yield* ask("runs", "show", asking, "--json")).out)[0], { status: "queued" })
        yield* write(folder, "go", "")
        assert.strictEqual((yield* long.said).code, 0)
        const { code, err, out } = yield* watched.said
        assert.strictEqual(code, 0, err)
        assert.match(out, /^asking succeeded/)
        assert.notInclude(err, "Nobody drives this run")
        assert.strictEqual((yield* queued.said).code, 0)
      }),
  )

  it.live("ends when the process is gone that drove the run, which is no process of the daemon's", () =>
    Effect.gen(function* () {
      const { ask, far, folder, operator } = yield* served
      const own = started(folder, ["run", "long"], {})
      const run = yield* until(
        Effect.map(ask("runs", "list", "--json"), ({ out }) => {
          const runs = out === "" ? [] : ndjson(out)
          const found = runs.find(({ pipeline, status }) => pipeline === "long" && status === "running")
          return found === undefined ? undefined : String(found.run)
        }),
      )
      const watched = started(far, ["runs", "watch", run], operator)
      yield* watched.says(/work +started/)
      own.signal("SIGKILL")
      const { err } = yield* watched.said
      assert.include(err, `Nobody drives this run. Go on with it: dandori runs resume ${run}`)
    }),
  )

  it.live("asks the daemon of its own project over the local socket, without a token, as the user of the machine", () =>
    Effect.gen(function* () {
      const { folder } = yield* served
      const local = (...args: ReadonlyArray<string>) => dandori(folder, ...args, "--server", "local")
      const { code, err, out } = yield* local("run", "often", "--json")
      assert.strictEqual(code, 0, err)
      const run = String(ndjson(out)[0].run)
      const [shown] = ndjson((yield* local("runs", "show", run, "--json")).out)
      assert.deepInclude(shown, { run, status: "succeeded", who: who() })
      assert.include((yield* local("runs", "list")).out, "often")
      assert.strictEqual((yield* local("schedule", "pause", "often", "--reason", "the feed is late")).code, 0)
      const away = yield* started(folder, ["runs", "list", "--server", "local"], { DANDORI_HOME: "elsewhere" }).said
      assert.strictEqual(away.code, 69, away.err)
      assert.match(away.err, /The daemon of this project cannot be reached: .*Start it: dandori daemon/)
      const nowhere = yield* started(yield* empty, ["runs", "list", "--server", "local"], {}).said
      assert.include(nowhere.err, "No project")
    }),
  )

  it.live("leaves out what a cancelled backfill of a daemon has not run", () =>
    Effect.gen(function* () {
      const { as, ask, call, folder, token } = yield* served
      const range = ["--from", "2026-03-01", "--to", "2026-03-04", "--yes"]
      const asked = yield* ask("schedule", "backfill", "long", ...range)
      assert.match(asked.out, /^[0-9a-f-]{36} {2}3 ticks of long\n$/)
      const [id] = asked.out.split(" ")
      assert.include(asked.err, `dandori schedule backfill long --cancel ${id}`)
      const viewer = as(yield* token("vera", "viewer"))
      assert.strictEqual((yield* call(viewer, "schedule", "backfill", "long", "--cancel", id)).code, 77)
      assert.strictEqual((yield* ask("schedule", "backfill", "often", "--cancel", id)).code, 66)
      const statuses = Effect.map(ask("runs", "list", "--json"), ({ out }) =>
        out === "" ? [] : ndjson(out).flatMap(({ pipeline, status }) => (pipeline === "long" ? [status] : [])),
      )
      yield* until(Effect.map(statuses, (all) => (all.includes("running") ? all : undefined)))
      const cancelled = yield* ask("schedule", "backfill", "long", "--cancel", id, "--json")
      assert.strictEqual(cancelled.code, 0, cancelled.err)
      assert.deepStrictEqual(ndjson(cancelled.out), [
        { v: 1, kind: "backfill", pipeline: "long", backfill: id, left: 2 },
      ])
      const again = yield* ask("schedule", "backfill", "long", "--cancel", id)
      assert.deepStrictEqual([again.code, again.out], [66, ""])
      assert.include(again.err, `The schedule of long has no backfill ${id} that goes on`)
      const recorded = (yield* entries(folder, "long")).find(({ type }) => /backfill\.cancelled/.test(String(type)))
      assert.deepInclude(recorded ?? {}, { authid: "olga" })
      assert.deepInclude(recorded?.data ?? {}, { backfill: id, ticks: 2 })
      yield* write(folder, "go", "")
      const left = yield* until(Effect.map(statuses, (all) => (all.includes("running") ? undefined : all)))
      assert.deepStrictEqual(left, ["succeeded"])
    }),
  )

  it.live("pauses, resumes, explains and backfills a schedule, and raises and lifts cordons", () =>
    Effect.gen(function* () {
      const { ask, folder } = yield* served
      const pause = ["schedule", "pause", "often", "--reason", "the feed is late"]
      const paused = yield* ask(...pause)
      assert.deepStrictEqual([paused.code, paused.out], [0, "often  paused\n"])
      assert.deepInclude(ndjson((yield* ask(...pause, "--json")).out)[0], { is: "paused", changed: false })
      assert.match(
        (yield* ask("schedule", "explain", "often")).err,
        /Paused since .*: the feed is late\n.*Next tick: \S+Z/,
      )
      assert.match((yield* ask("schedule", "list")).out, /often .*00:00:00Z +paused\n/)
      assert.strictEqual((yield* ask("schedule", "resume", "often", "--reason", "it is there")).out, "often  resumed\n")
      const range = ["--from", "2026-03-01", "--to", "2026-03-03"]
      assert.strictEqual((yield* ask("schedule", "backfill", "often", ...range)).code, 64)
      const backfill = yield* ask("schedule", "backfill", "often", ...range, "--yes", "--json")
      const [{ backfill: id, runs, ...said }] = ndjson(backfill.out)
      assert.deepStrictEqual(said, { v: 1, kind: "backfill", pipeline: "often", ticks: 2 })
      assert.match(String(id), /^[0-9a-f-]{36}$/)
      const [{ run, tick }] = runs as ReadonlyArray<{ readonly run: string; readonly tick: string }>
      yield* until(Effect.map(ended(folder, "often"), (all) => (all.has(run) ? all : undefined)))
      const there = yield* ask("schedule", "explain", "often", tick, "--json")
      assert.deepStrictEqual(there.out, (yield* dandori(folder, "schedule", "explain", "often", tick, "--json")).out)
      assert.deepInclude(ndjson(there.out)[0], { tick, backfills: [{ run, status: "succeeded" }] })
      assert.strictEqual((yield* ask("schedule", "explain", "nothing")).code, 66)

      const raised = yield* ask("cordon", "raise", "stop", "--reason", "disk is full", "--expires", "4h", "--json")
      assert.deepInclude(ndjson(raised.out)[0], { v: 1, kind: "cordon", id: "stop", owner: "olga" })
      assert.strictEqual((yield* ask("cordon", "raise", "stop", "--reason", "again")).code, 64)
      const check = yield* ask("cordon", "check")
      assert.strictEqual(check.code, 75)
      assert.match(check.out, /^stop {2}raised .* by olga: disk is full\n/)
      assert.strictEqual((yield* ask("cordon", "lift", "stop", "--reason", "there is room")).out, "stop is lifted.\n")
      assert.strictEqual((yield* ask("cordon", "check")).code, 0)
      assert.strictEqual((yield* ask("cordon", "lift", "stop", "--reason", "twice")).code, 66)
    }),
  )

  it.live("goes on watching when the daemon was away, from where it was", () =>
    Effect.gen(function* () {
      const { far, folder, operator, process, url } = yield* served
      const follower = started(far, ["run", "long", "--json"], operator)
      yield* until(Effect.sync(() => (follower.out().includes("attempt.started") ? true : undefined)))
      process.signal("SIGKILL")
      yield* process.ended
      yield* follower.says(/The connection to the daemon is lost: trying again/)
      const next = yield* daemon(folder, "--port", new URL(url).port)
      yield* follower.says(/The daemon answers again/)
      yield* write(folder, "go", "")
      const { code, err, out } = yield* follower.said
      assert.strictEqual(code, 0, `${err}${next.said()}`)
      assert.strictEqual(err.match(/connection to the daemon is lost/g)?.length, 1, err)
      const types = ndjson(out).map(({ data, type }) => JSON.stringify([type, data]))
      assert.strictEqual(new Set(types).size, types.length)
      assert.deepInclude(ndjson(out).at(-1), { kind: "result", status: "succeeded" })
    }),
  )

  it.live("says what is wrong in the daemon's words, with the exit code that fits", () =>
    Effect.gen(function* () {
      const { as, ask, call, far, process, token, url } = yield* served
      const viewer = as(yield* token("vera", "viewer"))
      const file = join(far, "token")
      yield* Effect.promise(() => Fs.writeFile(file, `${viewer.DANDORI_TOKEN}\n`))
      const { DANDORI_TOKEN: _, ...none } = viewer
      const wrong = { ...viewer, DANDORI_TOKEN: `dandori_${"A".repeat(43)}` }
      for (const [env, args, code, words] of [
        [{ ...none, DANDORI_TOKEN_FILE: file }, ["runs", "list"], 0, /no runs yet/],
        [{ ...none, DANDORI_TOKEN_FILE: join(far, "gone") }, ["runs", "list"], 78, /gone.*cannot be read/],
        [{ ...none, DANDORI_TOKEN: "secret" }, ["runs", "list"], 78, /DANDORI_TOKEN holds no token/],
        [none, ["runs", "list"], 77, /DANDORI_TOKEN_FILE/],
        [wrong, ["runs", "list"], 77, /Send a token that is valid now/],
        [viewer, ["run", "often"], 77, /vera has the role viewer; this takes the role operator or admin/],
        [viewer, ["runs", "show", "01990000-0000-7000-8000-000000000000"], 66, /The ledger has no run 0199/],
        [viewer, ["runs", "show", "abcd"], 66, /no run abcd/],
        [viewer, ["run", "nothing"], 66, /No pipeline nothing is deployed/],
        [viewer, ["run", "often", "--param", "n=x"], 64, /--param n/],
        [viewer, ["run", "pipelines/often.yaml"], 64, /no id of a pipeline/],
        [viewer, ["run", "often", "--dry-run"], 64, /without --server/],
        [viewer, ["runs", "logs", "abcd"], 64, /without --server/],
        [viewer, ["runs", "list", "--label", "gpu"], 64, /--label/],
        [viewer, ["ledger", "verify", "--server", url], 64, /dandori ledger works on the files/],
        [viewer, ["--server", url, "ledger", "verify"], 64, /dandori ledger works on the files/],
        [viewer, ["runs", "list", "--server", "localhost:4600"], 64, /http:\/\//],
        [viewer, ["runs", "list", "--server", "http://me:dandori@localhost"], 64, /secret/],
        [viewer, ["schedule", "explain", "No Such"], 64, /pipeline/],
        [
          { ...viewer, DANDORI_SERVER: "http://127.0.0.1:9" },
          ["runs", "list"],
          69,
          /127\.0\.0\.1:9 cannot be reached: nobody listens there\. Start it/,
        ],
        [
          { ...viewer, DANDORI_SERVER: "http://nosuchhost.invalid" },
          ["runs", "list"],
          69,
          /nosuchhost\.invalid cannot be reached: there is no host of this name\. Start it/,
        ],
      ] as const) {
        const said = yield* call(env, ...args)
        assert.deepStrictEqual([said.code, said.out], [code, ""], `${args.join(" ")}\n${said.err}`)
        assert.match(said.err, words)
        assert.isAtMost(said.err.split("\n").length, 8, said.err)
      }
      process.signal("SIGTERM")
      assert.strictEqual(yield* process.ended, 0)
      assert.strictEqual((yield* ask("run", "often")).code, 69)
    }),
  )
})
