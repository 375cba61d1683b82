import { fileURLToPath } from "node:url"
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import { compileFile } from "../../src/compiler/compile-file.ts"
import * as Plan from "../../src/domain/plan.ts"
import { cron, pipeline, tick } from "../../src/index.ts"
import { command } from "../../tasks/index.ts"
import { shipped } from "../compiler/compiled.ts"

const fixture = (name: string) => fileURLToPath(new URL(`../compiler/fixtures/${name}`, import.meta.url))

describe("cron()", () => {
  it("is the document that YAML would hold", () => {
    const { document } = pipeline(
      "p",
      {
        params: { month: Schema.String, n: { type: "integer" } },
        schedule: cron("30 2 * * 2-6", {
          timezone: "America/New_York",
          dst: { gap: "shift", overlap: "first" },
          params: { month: `${tick.month}-01`, n: 3 },
        }),
      },
      ({ task }) => void task("a", command, { argv: ["a"] }),
    )
    assert.deepStrictEqual(document.schedule, {
      cron: "30 2 * * 2-6",
      timezone: "America/New_York",
      dst: { gap: "shift", overlap: "first" },
      params: { month: "${{ run.tick.month }}-01", n: 3 },
    })
  })

  it("gives params values of their types, or references to some", () => {
    const options = { timezone: "UTC" } as const
    const params = { month: Schema.String, n: { type: "integer" } } as const
    const build = () => {}
    pipeline("p", { params, schedule: cron("@daily", { ...options, params: { month: tick.date, n: 1 } }) }, build)
    // @ts-expect-error n is a number
    pipeline("p", { params, schedule: cron("@daily", { ...options, params: { n: "1" } }) }, build)
    // @ts-expect-error n is a number, and run.tick.month a string
    pipeline("p", { params, schedule: cron("@daily", { ...options, params: { n: tick.month } }) }, build)
    const given = { month: tick.date } as const
    assert.strictEqual(cron("@daily", { ...options, params: given }).params, given)
  })
})

describe("a scheduled pipeline in TypeScript", () => {
  it.effect("has the plan and the digest of the same pipeline in YAML", () =>
    Effect.gen(function* () {
      const yaml = yield* compileFile(fixture("scheduled.yaml"))
      const typescript = yield* compileFile(fixture("scheduled.ts"))
      assert.isDefined(yaml.plan.schedule)
      assert.deepStrictEqual(typescript.plan, yaml.plan)
      assert.strictEqual(Plan.digest(typescript.plan), Plan.digest(yaml.plan))
    }).pipe(Effect.provide(shipped)),
  )
})
