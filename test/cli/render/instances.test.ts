import { assert, describe, it } from "@effect/vitest"
import * as Option from "effect/Option"
import * as Hint from "../../../src/cli/hint.ts"
import * as LiveFrame from "../../../src/cli/render/live-frame.ts"
import * as RunFacts from "../../../src/engine/run-facts.ts"
import * as TasksJson from "../../../src/engine/tasks-json.ts"
import { resultsOf } from "../../../src/cli/render/run-results.ts"
import * as RunSummary from "../../../src/cli/render/run-summary.ts"
import type { Event } from "../../../src/domain/event.ts"
import type { Plan } from "../../../src/domain/plan.ts"
import { Sha256 } from "../../../src/domain/sha256.ts"

const digest = Sha256.make("a".repeat(64))
const artifact = { name: "plan.json", sha256: digest, bytes: 1, mediaType: "application/json" }
const capacity = { cpu: 4, memory: 1e9, gpu: 0, pools: {}, attempts: 64 }

const plan = {
  format: 1,
  id: "fan",
  params: {},
  env: [],
  audit: "required",
  tasks: [
    {
      id: "many",
      type: "command",
      version: 1,
      effects: "once",
      needs: [],
      with: {},
      labels: ["gpu"],
      matrix: { values: { x: "${{ tasks.list.json }}", y: ["a"] }, failFast: false },
    },
  ],
} as unknown as Plan

const created: Event = {
  type: "dev.dandori.run.created.v1",
  data: {
    pipeline: "fan",
    plan: digest,
    planArtifact: artifact,
    config: artifact,
    params: {},
    env: "dev",
    environment: {},
    capacity,
    durability: "fsync",
    code: digest,
  },
}
const expanded = (values: ReadonlyArray<unknown>): Event => ({
  type: "dev.dandori.matrix.expanded.v1",
  data: { task: "many", count: values.length, values: { x: values } },
})
const started = (n: number): Event => ({
  type: "dev.dandori.attempt.started.v1",
  data: { task: `many[${n}]`, attempt: 1 },
})
const failed = (n: number): Event => ({
  type: "dev.dandori.attempt.failed.v1",
  data: { task: `many[${n}]`, attempt: 1, error: { tag: "Broken", message: "no room" } },
})
const succeeded = (n: number): Event => ({
  type: "dev.dandori.attempt.succeeded.v1",
  data: { task: `many[${n}]`, attempt: 1, output: { path: `out/${n}` }, receipts: [artifact] },
})

const factsOf = (...events: ReadonlyArray<Event>) => {
  const facts = RunFacts.make(plan)
  events.forEach((event, index) => RunFacts.add(facts, { ...event, time: index * 1_000, run: "run-1" }))
  return facts
}

const hint = Hint.of({ env: Option.none(), server: Option.none() })
const options = { run: "run-1", hint, home: "/home/.dandori", colours: false, now: 5_000, table: true, quiet: false }

describe("the instances of a matrix", () => {
  const facts = factsOf(created, expanded(["p", "q"]), started(0), succeeded(0), started(1), failed(1))

  it("are told to programs with their values, states, attempts and receipts", () => {
    const [task] = TasksJson.tasksJson(facts, 9_000)
    assert.strictEqual(task.status, "failed")
    assert.deepStrictEqual(task.labels, ["gpu"])
    const instances = "instances" in task ? task.instances : []
    assert.deepStrictEqual(
      instances.map(({ attempts, id, matrix, receipts, status }) => [id, matrix, status, attempts.length, receipts]),
      [
        ["many[0]", { x: "p", y: "a" }, "succeeded", 1, [digest]],
        ["many[1]", { x: "q", y: "a" }, "failed", 1, undefined],
      ],
    )
    assert.deepInclude(instances[1].error, { tag: "Broken", message: "no room" })
  })

  it("are counted while they run, and that some failed is said at once", () => {
    const half = factsOf(created, expanded(["p", "q"]), started(0), failed(0), started(1))
    const frame = LiveFrame.frame(half, 5_000, { columns: 80, rows: 24, colours: false })
    assert.include(frame, "1 of 2 instances have ended, some failed")
  })

  it("are counted beside their task, and one that failed says what it was made of", () => {
    const lines = RunSummary.summary(facts, [], options).split("\n")
    assert.include(
      lines.find((line) => line.includes("many  failed")),
      "2 instances, 1 failed",
    )
    const at = lines.indexOf("  ✗ many[1] failed (Broken)")
    assert.isAbove(at, 0)
    assert.deepStrictEqual(lines.slice(at + 1, at + 4), [
      '    x: "q", y: "a"',
      "    no room",
      "    dandori runs logs run-1 'many[1]'",
    ])
  })

  it("give their results, of very many the first", () => {
    const values = Array.from({ length: 100 }, (_, n) => n)
    const all = factsOf(created, expanded(values), ...values.flatMap((n) => [started(n), succeeded(n)]))
    const found = resultsOf(all, new Map())
    assert.lengthOf(found, 100)
    assert.deepInclude(found[99], { task: "many[99]", paths: [{ name: "path", path: "out/99" }] })
    const text = RunSummary.results(found, options)
    assert.isBelow(text.length, 100)
    assert.strictEqual(text.at(-1), "… and 60 more: dandori runs show run-1 --json")
  })

  it("that could not be found out make their task fail, which has no logs", () => {
    const error = { tag: "InputInvalid", message: "many has a matrix of 10001 instances", settled: true }
    const facts = factsOf(created, {
      type: "dev.dandori.attempt.failed.v1",
      data: { task: "many", attempt: 1, error },
    })
    const text = RunSummary.summary(facts, [], options)
    assert.include(text, "✗ many failed (InputInvalid)\n    many has a matrix of 10001 instances")
    assert.notInclude(text, "runs logs")
  })
})
