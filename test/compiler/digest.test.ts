import { assert, describe, it } from "@effect/vitest"
import * as Fs from "node:fs"
import { fileURLToPath } from "node:url"
import * as Effect from "effect/Effect"
import * as FastCheck from "fast-check"
import * as Yaml from "yaml"
import { compileFile } from "../../src/compiler/compile-file.ts"
import * as Plan from "../../src/domain/plan.ts"
import { command, pipeline, plan, shipped } from "./compiled.ts"

const fixture = (name: string) => fileURLToPath(new URL(`fixtures/${name}`, import.meta.url))
const sample = Fs.readFileSync(fixture("sample.yaml"), "utf8")
const digest = (text: string) => Effect.map(plan(text), Plan.digest)

/** The same value with the keys of every map in another order. */
const shuffled = (value: unknown, random: () => number): unknown => {
  if (Array.isArray(value)) return value.map((item) => shuffled(item, random))
  if (typeof value !== "object" || value === null) return value
  const entries = Object.entries(value).map(([key, item]) => [key, shuffled(item, random)] as const)
  const keyed = entries.map((entry) => ({ entry, at: random() })).toSorted((a, b) => a.at - b.at)
  return Object.fromEntries(keyed.map(({ entry }) => entry))
}

describe("a plan's digest", () => {
  it.effect("is the same for YAML and TypeScript", () =>
    Effect.gen(function* () {
      const yaml = yield* compileFile(fixture("sample.yaml"))
      const typescript = yield* compileFile(fixture("sample.ts"))
      assert.deepStrictEqual(typescript.plan, yaml.plan)
      assert.strictEqual(Plan.digest(typescript.plan), Plan.digest(yaml.plan))
    }).pipe(Effect.provide(shipped)),
  )

  it("does not depend on key order, comments or layout", () =>
    FastCheck.assert(
      FastCheck.asyncProperty(
        FastCheck.infiniteStream(FastCheck.double({ min: 0, max: 1, noNaN: true })),
        FastCheck.constantFrom(1, 2, 4),
        async (numbers, indent) => {
          const document = shuffled(Yaml.parse(sample), () => numbers.next().value)
          const text = `# another file\n${Yaml.stringify(document, { indent, lineWidth: 40 + indent * 20 })}`
          assert.strictEqual(await Effect.runPromise(digest(text)), await Effect.runPromise(digest(sample)))
        },
      ),
      { numRuns: 15 },
    ))

  it.effect("does not depend on how durations, sizes and expressions are written", () =>
    Effect.gen(function* () {
      const written = sample
        .replace("timeout: 2h", "timeout: PT2H")
        .replace("timeout: 30m", "timeout: 1800s")
        .replace("memory: 2GiB", "memory: 2048MiB")
        .replace("'${{ params.month }}'", '"${{params.month}}"')
        .replace("'${{ run.status != \"succeeded\" }}'", "'run.status != \"succeeded\"'")
        .replace("needs: [snap]", "needs: snap")
      assert.notStrictEqual(written, sample)
      assert.strictEqual(yield* digest(written), yield* digest(sample))
    }),
  )

  it.effect("does not depend on words for people", () =>
    Effect.gen(function* () {
      const described = sample
        .replace("description: Seed", "description: Sow")
        .replace("default: '2025-01' }", "default: '2025-01', description: which month, title: Month }")
      assert.strictEqual(yield* digest(described), yield* digest(sample))
    }),
  )

  it.effect("changes with everything that changes what a run does", () =>
    Effect.gen(function* () {
      const changes: ReadonlyArray<readonly [string, string]> = [
        ["id: sample-e2e", "id: sample-e3e"],
        ["default: '2025-01'", "default: '2025-02'"],
        ["timeframe: 1h", "timeframe: 4h"],
        ["timeout: 30m", "timeout: 31m"],
        ["heartbeat: 5m", "heartbeat: 6m"],
        ["heartbeat: 1h", "heartbeat: 2h"],
        ["timeout: 2h", "timeout: 3h"],
        ["attempts: 2", "attempts: 3"],
        ["on: [TrainerUnavailable]", "on: [TimedOut]"],
        ["cpu: 1", "cpu: 2"],
        ["continueOnError: true", "continueOnError: false"],
        ["needs: [snap]", "needs: []"],
        ['!= "succeeded"', '== "failed"'],
        ["onFailure:", "onCancel:"],
        ["env: [SERVICE_ENV]", "env: [SERVICE_ENV, OTHER]"],
      ]
      const digests = yield* Effect.forEach(changes, ([from, to]) => {
        assert.include(sample, from)
        return digest(sample.replace(from, to))
      })
      assert.strictEqual(new Set([...digests, yield* digest(sample)]).size, changes.length + 1)
    }),
  )

  it.effect("is the same where a heartbeat is said once for all tasks", () =>
    Effect.gen(function* () {
      const each = pipeline("tasks:", command("a", "heartbeat: 90s"), command("b", "heartbeat: 5m"))
      const once = pipeline("defaults: { heartbeat: PT90S }", "tasks:", command("a"), command("b", "heartbeat: 5m"))
      assert.strictEqual(yield* digest(once), yield* digest(each))
      assert.notStrictEqual(yield* digest(once.replace("PT90S", "PT91S")), yield* digest(each))
    }),
  )

  it.effect("leaves out what says nothing but the default", () =>
    Effect.gen(function* () {
      const plain = yield* digest(pipeline("tasks:", command("a")))
      const spelled = pipeline(
        "audit: required",
        "tasks:",
        command("a", "continueOnError: false, cache: false, needs: []"),
      )
      assert.strictEqual(yield* digest(spelled), plain)
    }),
  )
})
