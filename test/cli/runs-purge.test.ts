import * as Fs from "node:fs"
import { join } from "node:path"
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Collector from "../exporters/collector.ts"
import { leave, leftOf } from "../ledger/fixtures/purge-place.ts"
import { attempts, projectAt, runId, writeRun } from "../ledger/fixtures/project.ts"
import * as RunProject from "./run-project.ts"
import { dandori, ndjson, project, shifted, start } from "./evidence-project.ts"

const day = 86_400_000
const [old, older, fresh, open] = [1, 2, 3, 4].map(runId) as [string, string, string, string]

/** A project with two runs of three years ago, one of today and one that has not ended; of a pipeline one is enough. */
const withRuns = Effect.gen(function* () {
  const folder = yield* project
  const home = join(folder, ".dandori")
  Fs.mkdirSync(join(folder, "configs/envs/dev"), { recursive: true })
  Fs.writeFileSync(join(folder, "configs/envs/dev/retention.yaml"), "runs:\n  at_least: 1\n")
  const past = Effect.forEach([old, older], (run) => writeRun(run, attempts(2)))
  yield* past.pipe(Effect.provide(projectAt(home)), shifted(-3 * 365 * day))
  const present = Effect.andThen(writeRun(fresh, attempts(2)), writeRun(open, attempts(2), { open: true }))
  yield* Effect.provide(present, projectAt(home))
  for (const run of [old, older, fresh]) leave(home, run)
  return { folder, home }
})

const listed = (folder: string) =>
  Effect.map(dandori(folder, "runs", "list", "--json"), ({ out }) => ndjson(out).map(({ run }) => run))

describe("dandori runs purge", () => {
  it.live("shows what the rules would let go and what is kept and why, and changes nothing until it is told", () =>
    Effect.gen(function* () {
      const { folder } = yield* withRuns
      const dry = yield* dandori(folder, "runs", "purge", "--dry-run")
      assert.strictEqual(dry.code, 0, dry.err)
      assert.match(dry.out, new RegExp(`${old}.*due.*succeeded runs are kept 730d, and at least 1 of a pipeline`))
      assert.match(dry.out, new RegExp(`${fresh}.*kept.*ended 0s ago|${fresh}.*kept.*ended \\d+m ago`))
      assert.notInclude(dry.out, open)
      assert.match(dry.err, /2 runs, .* would go\. Nothing was changed/)
      const asked = yield* dandori(folder, "runs", "purge")
      assert.strictEqual(asked.code, 64)
      assert.match(asked.err, /say --yes/)
      assert.lengthOf(yield* listed(folder), 4)
    }).pipe(Effect.scoped),
  )

  it.live("purges by the rules, and says afterwards of each run when, by whom and why it went", () =>
    Effect.gen(function* () {
      const { folder, home } = yield* withRuns
      yield* dandori(folder, "hold", "add", `run/${older}`, "--reason", "the audit")
      const { code, err, out } = yield* dandori(folder, "runs", "purge", "--yes", "--json")
      assert.strictEqual(code, 0, err)
      assert.deepInclude(ndjson(out)[0], { kind: "run-purge", run: old, verdict: "purged", status: "succeeded" })
      assert.deepStrictEqual(yield* listed(folder), [open, fresh, older])
      assert.deepStrictEqual(leftOf(home, old), [])
      for (const args of [
        ["runs", "show"],
        ["runs", "logs"],
        ["ledger", "show"],
        ["runs", "retry"],
      ]) {
        const gone = yield* dandori(folder, ...args, old)
        assert.strictEqual(gone.code, 66, args.join(" "))
        assert.match(gone.err, new RegExp(`Run ${old} was purged at \\d{4}-.* by .* \\(succeeded runs are kept 730d`))
      }
      assert.match((yield* dandori(folder, "hold", "add", `run/${old}`, "--reason", "x")).err, /was purged at/)
      const held = yield* dandori(folder, "runs", "purge", "--dry-run")
      assert.match(held.out, new RegExp(`${older}.*kept.*run/${older} is held by .*: the audit`))
      const verified = yield* dandori(folder, "ledger", "verify")
      assert.strictEqual(verified.code, 0, verified.out)
      assert.match(verified.out, /purged +1 run, each testified to by root/)
      assert.match(verified.out, new RegExp(`purged +runs/${old} at .* by .*: succeeded runs are kept`))
      const exported = yield* dandori(folder, "ledger", "export", old, join(folder, "out"))
      assert.strictEqual(exported.code, 66)
      assert.match(exported.err, /was purged at/)
    }).pipe(Effect.scoped),
  )

  it.live("purges a run that is named at any age, for a reason that stays, unless something keeps it", () =>
    Effect.gen(function* () {
      const { folder } = yield* withRuns
      const without = yield* dandori(folder, "runs", "purge", fresh, "--yes")
      assert.strictEqual(without.code, 64)
      assert.match(without.err, /--reason/)
      const { code, err } = yield* dandori(folder, "runs", "purge", fresh, open, "--yes", "--reason", " a password ")
      assert.strictEqual(code, 1, err)
      assert.deepStrictEqual(yield* listed(folder), [open, older, old])
      const gone = yield* dandori(folder, "runs", "show", fresh.slice(-12))
      assert.match(gone.err, /was purged at .* \(a password\)/)
      const again = yield* dandori(folder, "runs", "purge", fresh, "--yes", "--reason", "x")
      assert.strictEqual(again.code, 66)
      assert.match(again.err, /was purged at/)
      const both = yield* dandori(folder, "runs", "purge", old, "--older-than", "1d", "--yes", "--reason", "x")
      assert.strictEqual(both.code, 64)
    }).pipe(Effect.scoped),
  )

  it.live("purges what is older than somebody says, but the newest of each pipeline stay", () =>
    Effect.gen(function* () {
      const { folder } = yield* withRuns
      const { code, err } = yield* dandori(folder, "runs", "purge", "--older-than", "0s", "--yes", "--reason", "room")
      assert.strictEqual(code, 0, err)
      assert.deepStrictEqual(yield* listed(folder), [open, fresh])
    }).pipe(Effect.scoped),
  )

  it.live("is finished by the next purge where its process was killed", () =>
    Effect.gen(function* () {
      const { folder, home } = yield* withRuns
      const root = join(home, "ledger/root.ndjson")
      const child = start(folder, ["runs", "purge", "--yes"])
      // As soon as the root says that a run goes, its process is gone.
      yield* Effect.promise(async () => {
        const over = child.exited.then(() => true)
        for (;;) {
          if (Fs.readFileSync(root, "utf8").includes("run.purged")) break
          if (await Promise.race([over, new Promise<boolean>((resume) => setImmediate(() => resume(false)))])) break
        }
        child.kill("SIGKILL")
        await child.exited
      })
      const between = yield* dandori(folder, "ledger", "verify")
      assert.strictEqual(between.code, 0, between.out)
      const { code, err } = yield* dandori(folder, "runs", "purge", "--yes")
      assert.strictEqual(code, 0, err)
      for (const run of [old, older]) assert.deepStrictEqual(leftOf(home, run), [])
      const after = yield* dandori(folder, "ledger", "verify", "--json")
      assert.strictEqual(after.code, 0)
      assert.lengthOf(ndjson(after.out)[0]?.purged as ReadonlyArray<unknown>, 2)
    }).pipe(Effect.scoped),
  )

  it.live("takes nothing from an exporter, and what a run by the command line has left", () =>
    Effect.gen(function* () {
      const folder = yield* RunProject.project
      const home = join(folder, ".dandori")
      const collector = yield* Collector.start
      const lineage = { name: "lineage", kind: "open-lineage", namespace: "n", url: collector.url }
      const exporters = JSON.stringify({ timeout: "250ms", exporters: [lineage] })
      Fs.writeFileSync(join(folder, "configs/envs/dev/exporters.yaml"), exporters)
      collector.behave("hangs")
      for (const pipeline of ["cached", "cached", "good"]) yield* dandori(folder, "run", pipeline, "--quiet")
      const [good, second, first] = (yield* listed(folder)) as [string, string, string]
      const purge = (run: string) => dandori(folder, "runs", "purge", run, "--yes", "--reason", "why")
      const behind = yield* purge(good)
      assert.strictEqual(behind.code, 1)
      assert.match(behind.out, /exporter lineage has not sent all of it: dandori ledger send/)
      collector.behave(200)
      assert.strictEqual((yield* dandori(folder, "ledger", "send")).code, 0)
      const sent = collector.received.length
      assert.isNotEmpty(leftOf(home, first))
      for (const run of [good, first]) {
        const { code, err } = yield* purge(run)
        assert.strictEqual(code, 0, err)
        assert.deepStrictEqual(leftOf(home, run), [])
      }
      assert.strictEqual((yield* dandori(folder, "ledger", "send")).code, 0)
      assert.lengthOf(collector.received, sent)
      // The run that took its result from one that is gone is whole, and the task is run again the next time.
      assert.strictEqual((yield* dandori(folder, "runs", "show", second)).code, 0)
      assert.strictEqual((yield* dandori(folder, "run", "cached", "--quiet")).code, 0)
      assert.strictEqual((yield* dandori(folder, "ledger", "verify")).code, 0)
    }).pipe(Effect.scoped),
  )
})
