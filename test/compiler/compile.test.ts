import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import { render } from "../../src/compiler/diagnostic.ts"
import { command, mistakes, pipeline, plan, told } from "./compiled.ts"

const one = (text: string, expected: string) =>
  Effect.map(told(text), (all) => {
    assert.deepStrictEqual(all, [expected])
  })

describe("a mistake in a pipeline", () => {
  it.effect("in a key is told with what was probably meant", () =>
    Effect.gen(function* () {
      const [missing, typo] = yield* mistakes(
        pipeline("tasks:", "  a:", "    uses: command", "    wiht: { argv: [a] }"),
      )
      assert.include(missing.message, '"argv" is missing')
      assert.include(typo.message, 'Task a has no key "wiht". Did you mean "with"?')
      assert.strictEqual(render(typo).split("\n").slice(1).join("\n"), "  6 |     wiht: { argv: [a] }\n    |     ^^^^")
    }),
  )

  it.effect("in a top-level key is told with its place", () =>
    Effect.gen(function* () {
      const all = yield* told(pipeline("taks:", command("a")))
      assert.lengthOf(all, 2)
      assert.match(all[0], /^1:1 The pipeline has no tasks/)
      assert.match(all[1], /^3:1 A pipeline has no key "taks"\. Did you mean "tasks"\?/)
    }),
  )

  it.effect("in an input's name points at it", () =>
    Effect.gen(function* () {
      const all = yield* told(pipeline("tasks:", "  a:", "    uses: command", "    with: { argv: [a], stdn: x }"))
      assert.lengthOf(all, 1)
      assert.match(all[0], /^6:24 There is no input "stdn"\. Did you mean "stdin"\?/)
    }),
  )

  it.effect("in a task type is told with what was probably meant", () =>
    Effect.gen(function* () {
      const all = yield* told(pipeline("tasks:", "  a: { uses: comand }"))
      assert.lengthOf(all, 1)
      assert.match(all[0], /^4:14 There is no task type "comand"\. Did you mean "command"\?/)
    }),
  )

  it.effect("in an expression's field points at the field", () =>
    Effect.gen(function* () {
      const all = yield* told(
        pipeline("tasks:", command("a"), "  b: { uses: command, with: { argv: ['${{ tasks.a.stdot }}'] } }"),
      )
      assert.lengthOf(all, 1)
      assert.match(all[0], /^5:51 tasks\.a has no field "stdot"; .* Did you mean "stdout"\?$/)
    }),
  )

  it.effect("in an expression's task is told with what was probably meant", () =>
    Effect.gen(function* () {
      const all = yield* told(
        pipeline("tasks:", command("first"), "  b: { uses: command, with: { argv: ['${{ tasks.frist.stdout }}'] } }"),
      )
      assert.lengthOf(all, 1)
      assert.match(all[0], /^5:49 tasks has no field "frist".*Did you mean "first"\?$/)
    }),
  )

  it.effect("in a value's type is told with both types", () =>
    one(
      pipeline("tasks:", "  a:", "    uses: command", "    with: { argv: [a], stdin: 5 }"),
      "6:31 Expected string, got 5.",
    ),
  )

  it.effect("in an expression's type is told with both types", () =>
    one(
      pipeline("tasks:", command("a"), "  b: { uses: command, with: { argv: [b], stdin: '${{ tasks.a.exitCode }}' } }"),
      "5:54 tasks.a.exitCode: expected string, got integer.",
    ),
  )

  it.effect("in a choice is told with the choices", () =>
    one(
      pipeline("tasks:", "  a: { uses: seed, with: { symbols: [EURUSD], timeframe: 1hh, month: 2025-01 } }"),
      '4:58 "1hh" is none of 15m, 1h, 4h. Did you mean "1h"?',
    ),
  )

  it.effect("that only the Schema knows is told at the value", () =>
    one(
      pipeline("tasks:", "  a: { uses: seed, with: { symbols: [EURUSD, eur], timeframe: 1h, month: 2025-01 } }"),
      "4:46 symbols: must be a symbol like EURUSD (capital letters and digits).",
    ),
  )

  it.effect("between two inputs is told when both are literal", () =>
    one(
      pipeline("tasks:", "  a: { uses: seed, with: { symbols: [EURUSD], timeframe: 1h } }"),
      "4:26 give either month or months, and not both.",
    ),
  )

  it.effect("in one input does not hide a mistake in another", () =>
    Effect.gen(function* () {
      const all = yield* told(
        pipeline("tasks:", "  a: { uses: seed, with: { symbols: [EURUSD], timeframe: 2h, month: 2025-13 } }"),
      )
      assert.deepStrictEqual(
        all.map((text) => text.slice(0, 12)),
        ['4:58 "2h" is', "4:69 month: "],
      )
    }),
  )

  it.effect("in a missing input names it", () =>
    Effect.gen(function* () {
      const all = yield* told(pipeline("tasks:", "  a: { uses: command, with: {} }"))
      assert.lengthOf(all, 1)
      assert.match(all[0], /^4:29 "argv" is missing/)
    }),
  )

  it.effect("of a number without its unit says so", () =>
    Effect.gen(function* () {
      const all = yield* told(
        pipeline(
          "timeout: 30",
          "tasks:",
          "  a:",
          "    uses: command",
          "    timeout: 90",
          "    with: { argv: [a], grace: 5, memory: 1024 }",
        ),
      )
      assert.deepStrictEqual(all, [
        "3:10 timeout: 30 has no unit. It must be a duration with a unit, like 90s, 5m or 2d.",
        "7:14 timeout: 90 has no unit. It must be a duration with a unit, like 90s, 5m or 2d.",
        "8:31 5 has no unit. It must be a duration with a unit, like 90s, 5m or 2d.",
        "8:42 1024 has no unit. It must be a size with a unit, like 500MB or 2GiB.",
      ])
    }),
  )

  it.effect("of a heartbeat that no attempt could keep says so", () =>
    Effect.gen(function* () {
      const all = yield* told(
        pipeline(
          "defaults: { heartbeat: 0s }",
          "tasks:",
          command("a", "heartbeat: 5"),
          command("b", "heartbeat: PT0S"),
          command("c", "heartbeet: 5m"),
        ),
      )
      assert.deepStrictEqual(
        all.map((line) => line.replace(/^\d+:\d+ | Known: .*/g, "")),
        [
          "heartbeat must be longer than 0. Leave it out to wait for ever.",
          "heartbeat: 5 has no unit. It must be a duration with a unit, like 90s, 5m or 2d.",
          "heartbeat must be longer than 0. Leave it out to wait for ever.",
          'Task c has no key "heartbeet". Did you mean "heartbeat"?',
        ],
      )
    }),
  )

  it.effect("of a circle names the circle", () =>
    Effect.gen(function* () {
      const all = yield* told(
        pipeline(
          "tasks:",
          command("a", "needs: [c]"),
          command("b", "needs: [a]"),
          command("c", "needs: [b]"),
          command("d", "needs: [c]"),
        ),
      )
      assert.deepStrictEqual(all, ["4:3 These tasks wait for each other: a → c → b → a. Break the circle."])
    }),
  )

  it.effect("of a task that reads itself is told", () =>
    one(
      pipeline("tasks:", "  a: { uses: command, with: { argv: ['${{ tasks.a.stdout }}'] } }"),
      "4:43 Task a cannot read itself.",
    ),
  )

  it.effect("of an id that two blocks have names the other", () =>
    one(
      pipeline("tasks:", command("a"), "finally:", command("a")),
      '6:3 The task id "a" is taken by one in tasks. Rename one of them.',
    ),
  )

  it.effect("of a dash in an id proposes a better one", () =>
    Effect.gen(function* () {
      const all = yield* told(pipeline("tasks:", command("train-model")))
      assert.lengthOf(all, 1)
      assert.match(all[0], /^4:3 "train-model" is no task id.* Try "train_model"\.$/)
    }),
  )

  it.effect("of a need that does not exist is told with what was probably meant", () =>
    one(
      pipeline("tasks:", command("first"), command("b", "needs: [frst]")),
      '5:58 There is no task "frst". Did you mean "first"?',
    ),
  )

  it.effect("of an expression that is not closed points at its start", () =>
    one(pipeline("tasks:", "  a: { uses: command, with: { argv: ['x ${{ run.id'] } }"), '4:41 This "${{" has no "}}".'),
  )

  it.effect("of a condition that is no condition is told", () =>
    one(pipeline("tasks:", command("a", "if: '${{ run.id }}'")), "4:59 if must be true or false, this is string."),
  )

  it.effect("of a comparison with a value that never occurs is told", () =>
    Effect.gen(function* () {
      const all = yield* told(
        pipeline("tasks:", command("a"), "finally:", command("b", "if: 'run.status == \"success\"'")),
      )
      assert.lengthOf(all, 1)
      assert.match(all[0], /run\.status is never "success"; it is one of .*succeeded/)
    }),
  )

  it.effect("of caching what changes the world is told", () =>
    one(
      pipeline("tasks:", command("a", "cache: true")),
      '4:57 Only pure tasks can be cached; command is once. Leave "cache" out.',
    ),
  )

  it.effect("of an expression inside a script is refused", () =>
    Effect.gen(function* () {
      for (const argv of [
        "[sh, -c, 'echo ${{ run.id }}']",
        "[/usr/bin/python3, -c, '${{ run.id }}']",
        "[env, bash, -lc, '${{ run.id }}']",
        "[node, -e, '${{ run.id }}']",
      ]) {
        const all = yield* told(pipeline("tasks:", `  a: { uses: command, with: { argv: ${argv} } }`))
        assert.lengthOf(all, 1, argv)
        assert.include(all[0], "An expression inside a script would become code")
      }
    }),
  )

  it.effect("does not keep an expression from being an argument after a script", () =>
    Effect.gen(function* () {
      const { tasks } = yield* plan(
        pipeline("tasks:", "  a: { uses: command, with: { argv: [sh, -c, 'echo \"$1\"', x, '${{run.id}}'] } }"),
      )
      assert.deepStrictEqual(tasks[0].with.argv, ["sh", "-c", 'echo "$1"', "x", "${{ run.id }}"])
    }),
  )

  it.effect("comes together with all others, in file order", () =>
    Effect.gen(function* () {
      const all = yield* mistakes(
        pipeline(
          "descripton: x",
          "params: { n: { type: intger } }",
          "tasks:",
          "  b: { uses: nothing }",
          "  a-b: { uses: command, with: { argv: [1] }, timeout: 3 }",
          "  c: { uses: command, with: { argv: ['${{ params.m }}'] }, needs: [zz] }",
          "nothing: 1",
        ),
      )
      assert.deepStrictEqual(
        all.map(({ line }) => line),
        [3, 4, 6, 7, 7, 7, 8, 8, 9],
      )
      const places = all.map(({ line, column }) => line * 1000 + column)
      assert.deepStrictEqual(
        places,
        places.toSorted((a, b) => a - b),
      )
    }),
  )
})

describe("params", () => {
  it.effect("keep their default, their words are no part of the plan", () =>
    Effect.gen(function* () {
      const { params } = yield* plan(
        pipeline(
          "params: { month: { type: string, pattern: '^a', default: ab, description: which } }",
          "tasks:",
          command("a"),
        ),
      )
      assert.deepStrictEqual(params, { month: { type: "string", pattern: "^a", default: "ab" } })
    }),
  )

  it.effect("with a default that does not fit are told at the default", () =>
    Effect.gen(function* () {
      const all = yield* told(
        pipeline(
          "params:",
          "  n: { type: integer, minimum: 3, default: 2 }",
          "  s: { type: string, default: 5 }",
          "tasks:",
          command("a"),
        ),
      )
      assert.deepStrictEqual(all, [
        "4:44 The default does not fit the schema: 2 must be at least 3.",
        "5:31 The default does not fit the schema: 5 is no string.",
      ])
    }),
  )

  it.effect("with a pattern that is none or a keyword that is none are told there", () =>
    Effect.gen(function* () {
      const all = yield* told(
        pipeline(
          "params:",
          "  a: { type: string, pattern: '(' }",
          "  b: { type: string, patern: 'a' }",
          "  c: { default: 1 }",
          "tasks:",
          command("a"),
        ),
      )
      assert.deepStrictEqual(
        all.map((text) => text.slice(0, 40)),
        [
          "4:31 This is no regular expression.",
          '5:22 "patern" is no keyword of JSON Sche',
          "6:6 The param c has no type. Give it one",
        ],
      )
    }),
  )

  it.effect("have their type in expressions", () =>
    Effect.gen(function* () {
      const all = yield* told(
        pipeline(
          "params: { n: { type: integer, default: 1 } }",
          "tasks:",
          "  a: { uses: command, with: { argv: [a], stdin: '${{ params.n }}' } }",
        ),
      )
      assert.deepStrictEqual(all, ["5:54 params.n: expected string, got integer."])
    }),
  )
})
