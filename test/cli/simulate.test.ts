import * as Fs from "node:fs/promises"
import { join } from "node:path"
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Hint from "../../src/cli/hint.ts"
import * as Render from "../../src/cli/render/simulation.ts"
import { dandori, ndjson, project } from "./evidence-project.ts"

const schedule = "schedule: { cron: '0 */6 * * *', timezone: Asia/Tokyo, params: { day: '${{ run.tick.date }}' } }"
const pipeline = `version: 1
id: nightly
params: { day: { type: string, default: '2025-01-01' } }
${schedule}
tasks:
  a: { uses: command, with: { argv: [echo, hello], effects: once } }
  b: { uses: command, needs: [a], with: { argv: [echo, again], effects: idempotent }, retry: { attempts: 2 } }
finally:
  c: { uses: notify, if: 'run.status != "succeeded"', with: { channel: ops, text: it is over } }
`

/** A project in a folder with a space in its name, with that pipeline. */
const ready = Effect.tap(project, (folder) =>
  Effect.promise(async () => {
    await Fs.mkdir(join(folder, "pipelines"), { recursive: true })
    await Fs.writeFile(join(folder, "pipelines/nightly.yaml"), pipeline)
  }),
)

describe("dandori simulate", () => {
  it.live("prints the same trace for the same seed, byte for byte, and another for another", () =>
    Effect.gen(function* () {
      const folder = yield* ready
      const first = yield* dandori(folder, "simulate", "nightly", "--seed", "11")
      assert.strictEqual(first.code, 0, first.err)
      assert.include(first.out, "001 run.created")
      assert.include(first.out, "promises")
      assert.strictEqual((yield* dandori(folder, "simulate", "nightly", "--seed", "11")).out, first.out)
      assert.notStrictEqual((yield* dandori(folder, "simulate", "nightly", "--seed", "12")).out, first.out)
    }).pipe(Effect.scoped),
  )

  it.live("runs without faults to success, evaluating conditions, and changes nothing in the project", () =>
    Effect.gen(function* () {
      const folder = yield* ready
      const names = Effect.promise(() => Fs.readdir(folder, { recursive: true }).then((all) => all.toSorted()))
      const before = yield* names
      const items = ndjson((yield* dandori(folder, "simulate", "nightly", "--fault", "none", "--json")).out)
      const entries = items.filter(({ kind }) => kind === "appended").map(({ entry }) => entry as { type: string })
      assert.deepStrictEqual(
        entries.map(({ type }) => type.replace(/^dev\.dandori\.(.*)\.v1$/, "$1")),
        [
          "run.created",
          "attempt.started",
          "attempt.succeeded",
          "attempt.started",
          "attempt.succeeded",
          "task.skipped",
          "run.finished",
        ],
      )
      assert.deepInclude(items.at(-1), { kind: "simulation", events: 7, statuses: { succeeded: 1 }, faults: {} })
      assert.deepStrictEqual(yield* names, before)
    }).pipe(Effect.scoped),
  )

  it.live("simulates days of a schedule, and closes every tick", () =>
    Effect.gen(function* () {
      const folder = yield* ready
      const said = yield* dandori(
        folder,
        "simulate",
        "nightly",
        "--days",
        "2",
        "--fault",
        "none",
        "--from",
        "2025-05-01",
      )
      assert.strictEqual(said.code, 0, said.err)
      assert.include(said.out, "tick 2025-05-01T03:00:00Z ran")
      assert.match(said.out, /ticks +ran 8\n/)
    }).pipe(Effect.scoped),
  )

  it.live("shows only the tally of many seeds", () =>
    Effect.gen(function* () {
      const folder = yield* ready
      const said = yield* dandori(folder, "simulate", "nightly", "--runs", "50", "--fault", "process-dies=0.05")
      assert.strictEqual(said.code, 0, said.err)
      assert.match(said.out, /^nightly, seeds 1 to 50\n/)
      assert.match(said.out, /faults +process-dies \d+\n/)
      assert.isBelow(said.out.split("\n").length, 10)
    }).pipe(Effect.scoped),
  )

  it.live("says what is wrong with what it was asked", () =>
    Effect.gen(function* () {
      const folder = yield* ready
      const asked = (...args: ReadonlyArray<string>) => dandori(folder, "simulate", "nightly", ...args)
      const typo = yield* asked("--fault", "process-dyes")
      assert.deepStrictEqual([typo.code, typo.out], [64, ""])
      assert.include(typo.err, 'process-dyes is no fault. Did you mean "process-dies"?')
      const rate = yield* asked("--fault", "cancel=2")
      assert.strictEqual(rate.code, 64)
      assert.include(rate.err, "a probability from 0 to 1")
      const both = yield* asked("--days", "2", "--param", "day=2025-01-02")
      assert.strictEqual(both.code, 64)
      assert.include(both.err, "--param is for one run")
      assert.strictEqual((yield* asked("--param", "night=1")).code, 64)
      assert.strictEqual((yield* asked("--runs", "0")).code, 64)
    }).pipe(Effect.scoped),
  )
})

describe("a broken promise", () => {
  it("comes with the command that shows it again, ready for a shell", () => {
    const asked = {
      pipeline: "my pipelines/night's.yaml",
      seed: 4,
      from: "2025-01-01T00:00:00Z",
      days: 3,
      fault: ["process-dies=0.5"],
      param: [],
    }
    const again = Render.command(asked, Hint.of({ env: Option.some("stg"), server: Option.none() }))
    assert.strictEqual(
      again,
      `dandori simulate 'my pipelines/night'\\''s.yaml' --seed 4 --from 2025-01-01T00:00:00Z --days 3 --fault process-dies=0.5 --env stg`,
    )
    assert.deepStrictEqual(
      Render.violation(4, { promise: 3, text: "publish begins too early", moments: [7, 9] }, 1, again),
      ["promise 3 is broken under seed 4: publish begins too early (moments 7, 9)", `  ${again}`],
    )
  })
})
