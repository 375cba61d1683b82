import { assert, describe, expectTypeOf, it } from "@effect/vitest"
import * as Schema from "effect/Schema"
import { has, pipeline, when } from "../../src/index.ts"
import { type AddTask, isPipeline, type TaskRef } from "../../src/authoring/pipeline.ts"
import type { Expression, Ref } from "../../src/authoring/reference.ts"
import type { TaskType } from "../../src/domain/task-type.ts"
import type { Model } from "../../src/domain/model.ts"
import { command, notify, publish, train } from "../../tasks/index.ts"

describe("a pipeline in TypeScript", () => {
  it("is the document that YAML would hold", () => {
    const made = pipeline(
      "p",
      {
        description: "all of it",
        params: { n: { type: "integer", default: 3 } },
        env: ["HOME_PAGE"],
        timeout: "1 hour",
      },
      ({ params, env, run, task, onFailure, onCancel, finally: last }) => {
        const a = task("a", command, { argv: ["a", env.HOME_PAGE] }, { continueOnError: true, description: "first" })
        const b = task(
          "b",
          command,
          { argv: ["b", `n is ${params.n}`] },
          { needs: [a], if: when(params.n).above(2), cache: false },
        )
        onFailure("c", notify, { channel: "x", text: run.id }, { if: has(a.stdout) })
        onCancel("d", notify, { channel: "x", text: "gone" }, { if: 'run.env == "prod"' })
        last("e", notify, { channel: "x", text: `${b.status}` }, { retry: { attempts: 2, backoff: { initial: "1s" } } })
      },
    )
    assert.deepStrictEqual(made.document, {
      version: 1,
      id: "p",
      description: "all of it",
      env: ["HOME_PAGE"],
      timeout: "1 hour",
      params: { n: { type: "integer", default: 3 } },
      tasks: {
        a: {
          uses: "command",
          with: { argv: ["a", "${{ env.HOME_PAGE }}"] },
          continueOnError: true,
          description: "first",
        },
        b: {
          uses: "command",
          with: { argv: ["b", "n is ${{ params.n }}"] },
          needs: ["a"],
          if: "${{ params.n > 2 }}",
          cache: false,
        },
      },
      onFailure: {
        c: { uses: "notify", with: { channel: "x", text: "${{ run.id }}" }, if: "${{ has(tasks.a.stdout) }}" },
      },
      onCancel: { d: { uses: "notify", with: { channel: "x", text: "gone" }, if: 'run.env == "prod"' } },
      finally: {
        e: {
          uses: "notify",
          with: { channel: "x", text: "${{ tasks.b.status }}" },
          retry: { attempts: 2, backoff: { initial: "1s" } },
        },
      },
    })
    assert.isTrue(isPipeline(made))
  })

  it("remembers where each task was written", () => {
    const { sites } = pipeline("p", {}, ({ task }) => {
      task("a", command, { argv: ["a"] })
    })
    assert.deepStrictEqual(
      sites.map(({ path }) => path),
      ["", "tasks.a"],
    )
    for (const { call } of sites) assert.include(call.stack, "pipeline.test.ts")
  })

  it("refuses an id twice in a block, and a need that is no task", () => {
    const build = (more: (task: AddTask, a: TaskRef<unknown>) => void) => () =>
      pipeline("p", {}, ({ task }) => more(task, task("a", command, { argv: ["a"] })))
    assert.throws(
      build((task) => task("a", command, { argv: ["a"] })),
      /The task id "a" is taken/,
    )
    assert.throws(
      build((task, a) => task("b", command, { argv: ["a"] }, { needs: [a.status as never] })),
      /tasks\.b\.needs\[0\] must be what task\(\) returned/,
    )
  })

  it("has no tasks where it adds none: the compiler says so", () => {
    assert.notProperty(pipeline("p", {}, () => undefined).document, "tasks")
  })
})

describe("conditions", () => {
  it("are CEL, with text in quotes", () => {
    const source = (condition: Ref<boolean>) => `${condition}`
    pipeline("p", { params: { s: Schema.String, n: Schema.Int, b: Schema.Boolean } }, ({ params }) => {
      assert.strictEqual(source(when(params.s).is('a "b"')), '${{ params.s == "a \\"b\\"" }}')
      assert.strictEqual(source(when(params.n).below(5)), "${{ params.n < 5 }}")
      assert.strictEqual(source(when(params.b).isNot(true)), "${{ params.b != true }}")
      assert.strictEqual(source(when(params.s).is(params.s)), "${{ params.s == params.s }}")
    })
  })
})

describe("types of a pipeline", () => {
  it("follow from params, task types and outputs", () => {
    pipeline(
      "p",
      { params: { s: Schema.Literals(["a", "b"]), n: { type: "integer" }, e: { enum: ["x", "y"] } }, env: ["TOKEN"] },
      ({ params, env, run, task }) => {
        expectTypeOf(params.s).toExtend<Expression<"a" | "b">>()
        expectTypeOf(params.n).toExtend<Expression<number>>()
        expectTypeOf(params.n).not.toExtend<Expression<string>>()
        expectTypeOf(params.e).toExtend<Expression<"x" | "y">>()
        expectTypeOf(params).not.toHaveProperty("other")
        expectTypeOf(env).toHaveProperty("TOKEN")
        expectTypeOf(env).not.toHaveProperty("OTHER")
        expectTypeOf(run.status).toExtend<Expression<string>>()
        const made = task("c", command, { argv: ["x"] })
        expectTypeOf(made.exitCode).toExtend<Expression<number>>()
        expectTypeOf(made.status).toExtend<Expression<string>>()
        expectTypeOf(made).not.toHaveProperty("exitcode")
      },
    )
  })

  it("keep a model that no gate has seen from being published", () => {
    type InputOf<T> = T extends TaskType<infer I, infer _O, infer _E, infer _R> ? I : never
    type OutputOf<T> = T extends TaskType<infer _I, infer O, infer _E, infer _R> ? O : never
    expectTypeOf<OutputOf<typeof train>["model"]>().toExtend<Model>()
    expectTypeOf<OutputOf<typeof train>["model"]>().not.toExtend<InputOf<typeof publish>["model"]>()
  })
})
