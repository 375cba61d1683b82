import { join } from "node:path"
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Figures from "../../bench/figure.ts"
import * as Table from "../../bench/table.ts"

const repository = join(import.meta.dirname, "../..")

/** Runs benches with tiny sizes; the lines that they print. */
const run = (...args: ReadonlyArray<string>) =>
  Effect.promise(async () => {
    const argv = [process.execPath, join(repository, "bench/main.ts"), ...args]
    const child = Bun.spawn(argv, { cwd: repository, stdout: "pipe", stderr: "pipe" })
    const [out, error] = await Promise.all([new Response(child.stdout).text(), new Response(child.stderr).text()])
    return { code: await child.exited, lines: out.trimEnd().split("\n"), error }
  })

const graph = ["compile", "plan", "plan, one task changed", "run, memory", "run, batched"].flatMap((name) => [
  name,
  `${name}: peak memory`,
])

/** Figures that each bench must print, by the beginning of their lines. */
const expected: Readonly<Record<string, ReadonlyArray<string>>> = {
  "durable-run": [
    "3 pure tasks: run",
    "3 pure tasks: flushes",
    "3 pure tasks: beyond its flushes",
    "3 idempotent tasks: run",
  ],
  "task-overhead": [
    "memory, pure: at task 1",
    "memory, pure: at task 10 : at task 5",
    "batched, pure: at task 10 : at task 5",
    "fsync, idempotent: at task 1",
    "SQLite",
  ],
  wide: graph,
  deep: graph,
  mixed: graph,
  matrix: ["a matrix", "a matrix over an output", "ten matrices"].flatMap((name) =>
    ["compile", "plan", "run in memory"].map((what) => `${name}: ${what}`),
  ),
  "cache-hit": ["a task that fills the cache", "a task found in the cache", "a pure task without a cache"],
  peers: ["three durable steps", "40 steps in a row", "fan-out of 400, 16 at a time"].flatMap((name) => [
    `${name}: Dandori`,
    `${name}: effect/workflow`,
  ]),
  "cli-start": [
    ...["--version", "--help", "completion", "validate", "run"].map((name) => `${name}, source`),
    "an empty Bun program",
  ],
  compile: ["20 tasks of YAML", "50 tasks of TypeScript", "plan of 50: prepare a run"],
  data: ["dq, 2,688 rows of parquet", "dq, 2,688 rows of csv", "seed", "features", "backtest, simulate and measure"],
  ledger: ["append 50 events, batched", "append and wait, one at a time", "verify", "sha256sum"],
  registry: ["find a version", "versions of a slot", "move an alias"].flatMap((name) => [
    `SQLite: ${name}`,
    `PostgreSQL: ${name}`,
  ]),
  "lock-hand-over": ["released in A to held in B, held for 2 ms", "kill -9 of the holder", "taken and given back"],
  "worker-start": [
    "train: start of its child",
    "command: start and end of `true`",
    "a TypeScript pipeline of one task",
  ],
  recovery: ["kill -9 to the first resumed attempt, source"],
}

describe("bench", () => {
  for (const [name, figures] of Object.entries(expected)) {
    it.live(`prints the machine, the disk's flush and the figures of ${name}`, () =>
      Effect.gen(function* () {
        const { code, error, lines } = yield* run("--small", name)
        assert.strictEqual(code, 0, error)
        assert.match(lines[0] ?? "", /cores, .* GiB memory, .*Bun \d/)
        assert.isTrue(lines.some((line) => /disk: .*fdatasync of 4 KiB p50 [\d.]+ ms/.test(line)))
        for (const figure of figures) {
          const line = lines.find((each) => each.startsWith(`  ${figure}`)) ?? ""
          assert.match(line.slice(figure.length + 2), /\d+(\.\d+)?\s+[\d.,]+\s/, `${figure} in:\n${lines.join("\n")}`)
        }
      }),
    )
  }

  it.live("refuses a name that no bench has, and says which there are", () =>
    Effect.gen(function* () {
      const { code, error } = yield* run("durable-rum")
      assert.strictEqual(code, 64)
      assert.match(error, /durable-rum.*durable-run, task-overhead/)
    }),
  )
})

describe("a figure", () => {
  it("takes the middle and the best of its values, and ninety-five percent from twenty on", () => {
    const figure = Figures.fromValues(
      "x",
      "ms",
      Array.from({ length: 20 }, (_, i) => 20 - i),
    )
    assert.deepStrictEqual(figure, { name: "x", unit: "ms", p50: 10, best: 1, p95: 19 })
    const rate = Figures.fromRates("x", "rows/s", 100, { millis: [50, 200, 100], cpu: [40, 40, 40] })
    assert.deepStrictEqual(rate, { name: "x", unit: "rows/s", p50: 1000, best: 2000, cpu: 2500 })
  })

  it("holds or misses its target by its middle, and the table says so", () => {
    const slow = Figures.fromValues("slow", "ms", [3, 1, 9], { target: { atMost: 2 } })
    const fast = Figures.fromRates("fast", "rows/s", 10, { millis: [1], cpu: [1] }, { target: { atLeast: 10_000 } })
    assert.deepStrictEqual(
      [Figures.holds(slow), Figures.holds(fast), Figures.holds({ ...slow, p50: 2 })],
      [false, true, true],
    )
    const lines = Table.lines({ figures: [slow, fast], notes: ["a note"] })
    assert.match(lines[1] ?? "", /^slow +3\.00 +1\.00 .*≤ 2\.00 +MISSED$/)
    assert.match(lines[2] ?? "", /^fast +10,000 +10,000 .*≥ 10,000 +holds$/)
    assert.strictEqual(lines[3], "- a note")
  })
})
