import { assert, describe, expectTypeOf, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import type { Ref } from "../../src/authoring/reference.ts"
import { compileDocument, compileYaml } from "../../src/compiler/compile.ts"
import * as Located from "../../src/compiler/located.ts"
import * as Source from "../../src/compiler/source.ts"
import { SubPipelines } from "../../src/compiler/sub-pipeline.ts"
import * as Plan from "../../src/domain/plan.ts"
import { each, matrix, pipeline } from "../../src/index.ts"
import { command, notify } from "../../tasks/index.ts"
import { shipped } from "../compiler/compiled.ts"

const compiled = (made: { readonly document: unknown }) =>
  compileDocument(Source.make("p.ts", ""), Located.fromJson(made.document)).pipe(Effect.provide(shipped))

const inner = pipeline(
  "inner",
  { params: { who: { type: "string" }, n: { type: "integer", default: 1 } } },
  ({ params, task }) => {
    const hello = task("hello", command, { argv: ["echo", params.who] })
    return { text: hello.stdout, code: hello.exitCode }
  },
)

describe("a matrix in TypeScript", () => {
  it.effect("compiles to the plan of the same in YAML, with typed values and a list of outputs", () =>
    Effect.gen(function* () {
      const made = pipeline("p", {}, ({ task }) => {
        const m = matrix(
          { name: ["ada", "grace"], n: [1, 2] },
          { exclude: [{ name: "ada", n: 2 }], failFast: false, maxParallel: 2 },
        )
        expectTypeOf(m.of.name).toEqualTypeOf<Ref<"ada" | "grace">>()
        const many = task(
          "many",
          command,
          { argv: ["echo", m.of.name, `n ${m.of.n}`] },
          { matrix: m, labels: ["gpu"], priority: 2 },
        )
        expectTypeOf(many).toExtend<Ref<ReadonlyArray<{ readonly stdout: string }>>>()
        // @ts-expect-error a list has no field of an instance's output
        void many.stdout
        const last = task(
          "last",
          command,
          { argv: ["cat", "n ${{ size(tasks.many) }}"] },
          { approval: { approvers: 2, timeout: "4 hours" } },
        )
        task(
          "end",
          notify,
          { channel: "ops", text: last.stdout },
          { pauseUntil: { reason: "night", until: "2026-01-05T22:00:00Z" } },
        )
      })
      const yaml = `version: 1
id: p
tasks:
  many:
    uses: command
    matrix: { values: { name: [ada, grace], n: [1, 2] }, exclude: [{ name: ada, n: 2 }], fail-fast: false, max-parallel: 2 }
    with: { argv: [echo, '\${{ matrix.name }}', 'n \${{ matrix.n }}'] }
    labels: [gpu]
    priority: 2
  last: { uses: command, with: { argv: [cat, 'n \${{ size(tasks.many) }}'] }, approval: { approvers: 2, timeout: 4h } }
  end:
    uses: notify
    with: { channel: ops, text: '\${{ tasks.last.stdout }}' }
    pauseUntil: { reason: night, until: '2026-01-05T22:00:00Z' }
`
      const plan = yield* compileYaml(Source.make("p.yaml", yaml)).pipe(Effect.provide(shipped))
      assert.strictEqual(Plan.digest((yield* compiled(made)).plan), Plan.digest(plan.plan))
    }),
  )

  it.effect("takes the values of an axis from a list that a task gives", () =>
    Effect.gen(function* () {
      const made = pipeline(
        "p",
        { params: { names: { type: "array", items: { type: "string" } } } },
        ({ params, task }) => {
          const m = matrix({ name: each(params.names as Ref<ReadonlyArray<string>>) })
          expectTypeOf(m.of.name).toEqualTypeOf<Ref<string>>()
          task("many", command, { argv: ["echo", m.of.name] }, { matrix: m })
        },
      )
      const { plan } = yield* compiled(made)
      assert.deepStrictEqual(plan.tasks[0].matrix, { values: { name: "${{ params.names }}" } })
    }),
  )
})

describe("a pipeline that uses another one in TypeScript", () => {
  it.effect("gives it typed params and reads its typed outputs", () =>
    Effect.gen(function* () {
      const made = pipeline("outer", {}, ({ task }) => {
        const used = task("used", inner, { who: "ada" })
        expectTypeOf(used.text).toEqualTypeOf<Ref<string>>()
        task("tell", notify, { channel: "ops", text: used.text }, { needs: [used] })
        // @ts-expect-error it has no such param
        task("wrong", inner, { who: "ada", whom: "grace" })
        // @ts-expect-error who has no default
        task("less", inner, { n: 2 })
        // @ts-expect-error it gives no such output
        void used.txt
      })
      assert.deepStrictEqual((inner.document as { outputs: unknown }).outputs, {
        text: "${{ tasks.hello.stdout }}",
        code: "${{ tasks.hello.exitCode }}",
      })
      const child = yield* compiled(inner)
      const { wrong: _, less: __, ...tasks } = (made.document as { tasks: Record<string, unknown> }).tasks
      const { plan } = yield* compiled({ document: { ...made.document, tasks } }).pipe(
        Effect.provideService(SubPipelines, { load: () => Effect.succeed({ _tag: "Compiled", ...child }) }),
      )
      assert.deepStrictEqual(
        plan.tasks.map(({ id, type }) => [id, type]),
        [
          ["used", "pipeline/inner"],
          ["used/hello", "command"],
          ["tell", "notify"],
        ],
      )
    }),
  )
})
