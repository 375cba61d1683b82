import * as Fs from "node:fs/promises"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import { compileFile } from "../../src/compiler/compile-file.ts"
import * as PipelineSchema from "../../src/compiler/pipeline-schema.ts"
import { digest, evaluated, folder, typescript, write, yaml } from "./convert/converted.ts"
import { mistakes, pipeline, plan, shipped, told } from "./compiled.ts"

const task = (effects: string) => `{ uses: command, with: { effects: ${effects}, argv: [a] } }`
const bestEffort = (...lines: ReadonlyArray<string>) => pipeline("audit: best-effort", ...lines)

/** Compiles `outer.yaml` beside these pipelines. */
const beside = (files: Readonly<Record<string, string>>) =>
  Effect.gen(function* () {
    const folder = yield* Effect.acquireRelease(
      Effect.promise(() => Fs.mkdtemp(join(tmpdir(), "dandori audit "))),
      (path) => Effect.promise(() => Fs.rm(path, { recursive: true, force: true })),
    )
    for (const [name, text] of Object.entries(files)) {
      yield* Effect.promise(() => Fs.writeFile(join(folder, name), text))
    }
    return yield* compileFile(join(folder, "outer.yaml")).pipe(Effect.provide(shipped))
  }).pipe(Effect.scoped)

const toldBeside = (files: Readonly<Record<string, string>>) =>
  beside(files).pipe(
    Effect.flip,
    Effect.map((error) => (error._tag === "PipelineInvalid" ? error.diagnostics : [])),
    Effect.map((all) => all.map(({ column, line, message }) => `${line}:${column} ${message}`)),
  )

const outer = (audit: string, used = "inner") =>
  `version: 1\nid: outer\n${audit}\ntasks:\n  use: { uses: pipeline/${used} }\n`
const inner = (audit: string, effects = "idempotent", id = "inner") =>
  `version: 1\nid: ${id}\n${audit}\ntasks:\n  work: ${task(effects)}\n`

describe("audit: best-effort", () => {
  it.effect("is in the plan, and required where nothing is said", () =>
    Effect.gen(function* () {
      const lines = ["tasks:", `  a: ${task("pure")}`, `  b: ${task("idempotent")}`]
      assert.strictEqual((yield* plan(bestEffort(...lines))).audit, "best-effort")
      assert.strictEqual((yield* plan(pipeline(...lines))).audit, "required")
      const [typo] = yield* told(pipeline("audit: besteffort", ...lines))
      assert.match(
        typo,
        /^3:8 audit must be one of required, best-effort, not besteffort\. Did you mean "best-effort"\?/,
      )
    }),
  )

  it.effect(
    "is refused once for each task that may not be done again, in handlers too, with its place and the reason",
    () =>
      Effect.gen(function* () {
        const text = bestEffort(
          "tasks:",
          `  a: ${task("once")}`,
          `  b: ${task("idempotent")}`,
          "onFailure:",
          "  c: { uses: command, with: { argv: [c] } }",
          "finally:",
          "  d: { uses: cleanup, with: { plan: x } }",
        )
        const all = (yield* mistakes(text)).filter(({ message }) => message.includes("effect class"))
        assert.deepStrictEqual(
          all.map(({ column, line, path }) => `${line}:${column} ${path}`),
          ["5:14 tasks.a.uses", "8:14 onFailure.c.uses", "10:14 finally.d.uses"],
        )
        assert.match(
          all[0].message,
          /^a is of effect class once: .* without a durable record, and after a crash nobody would know .*effects: idempotent/,
        )
        assert.match(all[2].message, /^d is of effect class irreversible: .* Say audit: required/)
      }),
  )

  it.effect("looks into the pipelines that it uses, and is refused where one of them says required", () =>
    Effect.gen(function* () {
      const follows = yield* beside({ "outer.yaml": outer("audit: best-effort"), "inner.yaml": inner("") })
      assert.strictEqual(follows.plan.audit, "best-effort")
      const [task, ...others] = yield* toldBeside({
        "outer.yaml": outer("audit: best-effort"),
        "inner.yaml": inner("", "once"),
      })
      assert.match(task, /^5:16 use\/work is of effect class once/)
      assert.deepStrictEqual(others, [])
      const insists = yield* toldBeside({
        "outer.yaml": outer("audit: best-effort"),
        "inner.yaml": inner("audit: required"),
      })
      assert.deepStrictEqual(insists, [
        "5:16 inner says audit: required, so a pipeline with audit: best-effort cannot use it.",
      ])
      const further = yield* toldBeside({
        "outer.yaml": outer("audit: best-effort", "between"),
        "between.yaml": "version: 1\nid: between\ntasks:\n  go: { uses: pipeline/inner }\n",
        "inner.yaml": inner("audit: required"),
      })
      assert.lengthOf(further, 1)
      assert.match(further[0], /^5:16 between uses inner, which says audit: required/)
    }),
  )

  it.effect("of a used pipeline gives way to its parent's required", () =>
    Effect.gen(function* () {
      const { plan } = yield* beside({ "outer.yaml": outer(""), "inner.yaml": inner("audit: best-effort") })
      assert.strictEqual(plan.audit, "required")
    }),
  )

  it.live("goes to TypeScript and back, word by word", () =>
    Effect.gen(function* () {
      const command = { uses: "command", with: { effects: "pure", argv: ["a"] } }
      const document = { version: 1, id: "p", audit: "best-effort", tasks: { a: command } }
      const code = yield* typescript(document)
      assert.include(code, 'audit: "best-effort"')
      const file = join(yield* folder, "p.ts")
      yield* write(file, code)
      const [typed] = yield* evaluated([file])
      assert.strictEqual(typed.audit, "best-effort")
      assert.include(yaml(typed), "\naudit: best-effort\n")
      assert.strictEqual(yield* digest(typed), yield* digest(document))
    }).pipe(Effect.scoped),
  )

  it("is offered by the schema that an editor completes from", () => {
    const schema = PipelineSchema.ofTypes([])
    assert.deepStrictEqual(schema.properties?.audit.enum, ["required", "best-effort"])
    assert.match(schema.properties?.audit.description ?? "", /goes on.*pure and idempotent/)
  })
})
