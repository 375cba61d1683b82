import * as Fs from "node:fs/promises"
import { join } from "node:path"
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import { daemon, ended, entries, says, ticking, ticks, until } from "./daemon-project.ts"
import { dandori } from "./evidence-project.ts"
import { write } from "./guarded-project.ts"
import { project } from "./run-project.ts"

const second = 1_000

/** Asserts that the ticks of a cron of every second follow each other, each closed once. */
const followsOn = (
  closed: ReadonlyArray<{ readonly tick: string; readonly through?: string; readonly ticks?: number }>,
) => {
  let next = Date.parse(closed[0].tick)
  for (const { through, tick, ticks: count = 1 } of closed) {
    assert.strictEqual(Date.parse(tick), next)
    next += count * second
    assert.strictEqual(Date.parse(through ?? tick), next - second)
  }
}

describe("dandori daemon", () => {
  it.live("deploys what is in pipelines/, runs it by its schedule, and ends in order with SIGTERM", () =>
    Effect.gen(function* () {
      const folder = yield* project
      yield* write(folder, "pipelines/often.yaml", ticking("often", "* * * * * *", ["true"]))
      const process = yield* daemon(folder)
      yield* until(Effect.map(ended(folder, "often"), (all) => (all.size >= 3 ? all : undefined)))
      process.signal("SIGTERM")
      assert.strictEqual(yield* process.ended, 0, process.said())
      followsOn(yield* ticks(folder, "often"))
      assert.deepStrictEqual([...new Set((yield* ended(folder, "often")).values())], ["succeeded"])
      const [first] = yield* entries(folder, "often")
      assert.strictEqual(first.type, "dev.dandori.schedule.deployed.v1")
      const { code, out } = yield* dandori(folder, "ledger", "verify")
      assert.strictEqual(code, 0, out)
      assert.match(out, /^intact/)
      const { out: list } = yield* dandori(folder, "runs", "list")
      const [{ outcome }] = yield* ticks(folder, "often")
      assert.include(list, outcome.is === "ran" ? outcome.run : "no run")
    }),
  )

  it.live(
    "that is killed loses no tick and no run: the next one goes on with both",
    () =>
      Effect.gen(function* () {
        const folder = yield* project
        const work = "sleep 1.3; echo done >> done.txt"
        const options = ["overlap: queue-all", "catchup: { policy: all, window: 1h }"]
        yield* write(folder, "pipelines/often.yaml", ticking("often", "*/2 * * * * *", ["sh", "-c", work], options))
        for (let round = 1; round <= 3; round++) {
          const process = yield* daemon(folder)
          yield* until(Effect.map(ended(folder, "often"), (all) => (all.size >= round ? all : undefined)))
          process.signal("SIGKILL")
          assert.strictEqual(yield* process.ended, 137)
        }
        const closed = yield* ticks(folder, "often")
        const last = yield* daemon(folder)
        yield* says(last, /Leading/)
        const ran = closed.flatMap(({ outcome }) => (outcome.is === "ran" ? [outcome.run] : []))
        assert.lengthOf(ran, closed.length)
        yield* until(Effect.map(ended(folder, "often"), (all) => (ran.every((run) => all.has(run)) ? all : undefined)))
        last.signal("SIGTERM")
        assert.strictEqual(yield* last.ended, 0, last.said())
        const all = yield* ticks(folder, "often")
        assert.strictEqual(new Set(all.map(({ tick }) => tick)).size, all.length)
        for (const [index, { tick }] of all.entries()) {
          if (index > 0) assert.strictEqual(Date.parse(tick) - Date.parse(all[index - 1].tick), 2 * second)
        }
        assert.strictEqual((yield* dandori(folder, "ledger", "verify")).code, 0)
      }),
    60_000,
  )

  it.live(
    "keeps what is deployed when a file is broken, says so, and takes the mended one",
    () =>
      Effect.gen(function* () {
        const folder = yield* project
        const file = "pipelines/often.yaml"
        const say = (word: string) => ["sh", "-c", `echo ${word} >> said.txt`]
        yield* write(folder, file, ticking("often", "* * * * * *", say("old")))
        const process = yield* daemon(folder)
        yield* until(Effect.map(ticks(folder, "often"), (all) => all[0]))
        yield* write(folder, file, "version: 1\nid: often\ntasks: { a: { uses: nothing } }\n")
        yield* says(process, /There is no task type "nothing"/)
        const before = (yield* ticks(folder, "often")).length
        yield* until(Effect.map(ticks(folder, "often"), (all) => (all.length > before ? all : undefined)))
        yield* write(folder, file, ticking("often", "* * * * * *", say("new")))
        yield* says(process, /often\.yaml is in order again/)
        const said = Effect.promise(() => Fs.readFile(join(folder, "said.txt"), "utf8").catch(() => ""))
        yield* until(Effect.map(said, (text) => (text.includes("new") ? text : undefined)))
        yield* Effect.promise(() => Fs.rm(join(folder, file)))
        yield* until(
          Effect.map(entries(folder, "often"), (list) =>
            list.find(({ type }) => type === "dev.dandori.schedule.withdrawn.v1"),
          ),
        )
        process.signal("SIGTERM")
        assert.strictEqual(yield* process.ended, 0)
      }),
    60_000,
  )

  it.live("stands by while another one leads, and takes over when that is gone", () =>
    Effect.gen(function* () {
      const folder = yield* project
      yield* write(
        folder,
        "pipelines/often.yaml",
        ticking("often", "* * * * * *", ["true"], ["catchup: { policy: all, window: 1h }"]),
      )
      const one = yield* daemon(folder)
      yield* says(one, /Leading/)
      const two = yield* daemon(folder)
      yield* says(two, /Standing by: process \d+ leads/)
      yield* until(Effect.map(ticks(folder, "often"), (all) => (all.length >= 2 ? all : undefined)))
      one.signal("SIGKILL")
      yield* says(two, /Leading/)
      const before = (yield* ticks(folder, "often")).length
      yield* until(Effect.map(ticks(folder, "often"), (all) => (all.length >= before + 2 ? all : undefined)))
      two.signal("SIGTERM")
      assert.strictEqual(yield* two.ended, 0)
      followsOn(yield* ticks(folder, "often"))
    }),
  )
})
