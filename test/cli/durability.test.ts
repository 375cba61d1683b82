import * as Fs from "node:fs/promises"
import { join } from "node:path"
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import { dandori, ndjson } from "./evidence-project.ts"
import { project } from "./run-project.ts"

const configured = (text: string) =>
  Effect.tap(project, (folder) =>
    Effect.promise(() => Fs.writeFile(join(folder, "configs/envs/dev/ledger.yaml"), text)),
  )

const created = (lines: ReadonlyArray<Record<string, unknown>>) => lines[0]?.data as Record<string, unknown>

describe("the durability of a run", () => {
  it.effect("is fsync unless the configuration says otherwise: the run says so, and that it loses nothing", () =>
    Effect.gen(function* () {
      const folder = yield* project
      const ran = yield* dandori(folder, "run", "good", "--json")
      const lines = ndjson(ran.out)
      assert.deepInclude(created(lines), { durability: "fsync" })
      assert.notProperty(created(lines), "flushIntervalMillis")
      const run = String(lines[0].run)
      const shown = yield* dandori(folder, "runs", "show", run)
      assert.match(shown.out, /\n {2}durability +fsync: nothing that was acknowledged can be lost\n/)
      const told = yield* dandori(folder, "runs", "show", run, "--json")
      assert.deepInclude(ndjson(told.out)[0], { durability: "fsync", lossWindowMillis: 0 })
      assert.notInclude((yield* dandori(folder, "run", "good")).err, "durability")
    }).pipe(Effect.scoped),
  )

  it.effect("may be batched: the run says what a crash of the machine may lose, and keeps to it when it goes on", () =>
    Effect.gen(function* () {
      const folder = yield* configured("durability: batched\nflushInterval: 2s\n")
      const asking = "  go: { uses: actor, approval: { approvers: 1 }, with: { say: hello } }\n"
      const text = `version: 1\nid: asking\ntasks:\n${asking}`
      yield* Effect.promise(() => Fs.writeFile(join(folder, "pipelines/asking.yaml"), text))
      const ran = yield* dandori(folder, "run", "asking")
      assert.strictEqual(ran.code, 16, ran.err)
      const may =
        "batched: if this machine crashes, at most what was recorded in its last 2s is lost; intents never are"
      assert.include(ran.err, `durability ${may}`)
      yield* Effect.promise(() => Fs.rm(join(folder, "configs/envs/dev/ledger.yaml")))
      const listed = yield* dandori(folder, "runs", "list", "--json")
      const run = String(ndjson(listed.out)[0].run)
      yield* dandori(folder, "runs", "approve", run, "--yes")
      assert.strictEqual((yield* dandori(folder, "runs", "resume", run)).code, 0)
      const shown = yield* dandori(folder, "runs", "show", run)
      assert.match(shown.out, new RegExp(`\\n {2}durability +${may}\\n`))
      const told = yield* dandori(folder, "runs", "show", run, "--json")
      assert.deepInclude(ndjson(told.out)[0], {
        durability: "batched",
        flushIntervalMillis: 2000,
        lossWindowMillis: 2000,
      })
      assert.strictEqual((yield* dandori(folder, "ledger", "verify")).code, 0)
    }).pipe(Effect.scoped),
  )

  it.effect("is refused where it is no durability, or the interval is none", () =>
    Effect.gen(function* () {
      const folder = yield* configured("durability: never\nflushInterval: 2h\n")
      const { code, err } = yield* dandori(folder, "run", "good")
      assert.strictEqual(code, 78)
      assert.match(err, /envs\/dev\/ledger\.yaml:1:\d+: ledger\.durability.*fsync/)
      assert.match(err, /envs\/dev\/ledger\.yaml:2:\d+: ledger\.flushInterval.* must be from 1ms to 1m/)
    }).pipe(Effect.scoped),
  )
})
