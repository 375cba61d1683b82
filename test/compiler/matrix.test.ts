import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import { command, pipeline, plan, told } from "./compiled.ts"

const many = (matrix: string, input = "'n ${{ matrix.n }}'", more = "") =>
  `  many: { uses: command, matrix: ${matrix}, with: { argv: [${input}] }${more} }`

describe("a matrix", () => {
  it.effect("stands in the plan with its values, and the defaults left out", () =>
    Effect.gen(function* () {
      const { tasks } = yield* plan(
        pipeline("tasks:", many("{ values: { n: [1, 2] }, fail-fast: true, max-parallel: 2, exclude: [{ n: 1 }] }")),
      )
      assert.deepStrictEqual(tasks[0].matrix, { values: { n: [1, 2] }, exclude: [{ n: 1 }], maxParallel: 2 })
    }),
  )

  it.effect("whose values come from a task needs that task, and its outputs are a list for others", () =>
    Effect.gen(function* () {
      const { tasks } = yield* plan(
        pipeline(
          "tasks:",
          many("{ values: { n: [1, 2] } }"),
          "  next:",
          "    uses: command",
          "    matrix: { values: { line: '${{  tasks.many.map(x, x.stdout) }}' }, fail-fast: false }",
          "    with: { argv: [echo, '${{ matrix.line }}'] }",
          "  last: { uses: command, with: { argv: [echo, '${{ tasks.next[0].stdout }}'] } }",
        ),
      )
      assert.deepStrictEqual(
        tasks.map(({ id, needs }) => [id, needs]),
        [
          ["many", []],
          ["next", ["many"]],
          ["last", ["next"]],
        ],
      )
      assert.deepStrictEqual(tasks[1].matrix, {
        values: { line: "${{ tasks.many.map(x, x.stdout) }}" },
        failFast: false,
      })
    }),
  )

  const refused: ReadonlyArray<readonly [string, ReadonlyArray<string>, RegExp]> = [
    ["an unknown key", [many("{ value: { n: [1] } }")], /matrix has no key "value"\. Did you mean "values"\?/],
    ["a misspelt axis", [many("{ values: { n: [1] } }", "'${{ matrix.m }}'")], /matrix has no field "m"; it has n/],
    ["no values", [many("{ fail-fast: true }", "a")], /A matrix needs values/],
    ["an axis that is no list", [many("{ values: { n: 3 } }")], /An axis must be a list/],
    [
      "an expression that gives no list",
      [command("a"), many("{ values: { n: '${{ tasks.a.stdout }}' } }")],
      /n must be a list, this is string/,
    ],
    ["an expression inside a list", [many("{ values: { n: ['${{ run.id }}'] } }")], /holds no expressions/],
    ["exclude of what is no axis", [many("{ values: { n: [1] }, exclude: [{ m: 1 }] }")], /"m" is no axis/],
    [
      "too many instances",
      [
        many(
          `{ values: { n: [${Array.from({ length: 101 }, (_, i) => i)}], m: [${Array.from({ length: 100 }, (_, i) => i)}] } }`,
        ),
      ],
      /10100 instances; at most 10000/,
    ],
    [
      "max-parallel of none",
      [many("{ values: { n: [1] }, max-parallel: 0 }")],
      /max-parallel must be a whole number from 1/,
    ],
    [
      "an approval",
      [many("{ values: { n: [1] } }", "a", ", approval: { approvers: 1 }")],
      /A matrix has no approval: put it on a task/,
    ],
    [
      "a value that its input never takes",
      [
        "  many: { uses: seed, matrix: { values: { t: [1h, 2h] } }, with: { symbols: [EURUSD], timeframe: '${{ matrix.t }}', month: 2025-01 } }",
      ],
      /"2h" is none of/,
    ],
    [
      "a value that the schema of its input refuses",
      [
        "  many: { uses: seed, matrix: { values: { s: [EURUSD, eur] } }, with: { symbols: ['${{ matrix.s }}'], timeframe: 1h, month: 2025-01 } }",
      ],
      /symbols: must be a symbol like EURUSD .*; an instance of the matrix has \["eur"\]/,
    ],
    [
      "a key that may be absent",
      [many("{ values: { n: [1, 2] }, include: [{ n: 1, extra: x }] }", "'${{ matrix.extra }}'")],
      /matrix\.extra may be absent/,
    ],
    [
      "the use of its list where it may not be there",
      [
        many("{ values: { n: [1] } }"),
        "finally:",
        "  end: { uses: command, with: { argv: ['${{ tasks.many[0].stdout }}'] } }",
      ],
      /Task many may have no output here\. Ask first: has\(tasks\.many\)/,
    ],
    [
      "matrix outside of one",
      [command("a"), "  b: { uses: command, with: { argv: ['${{ matrix.n }}'] } }"],
      /no "matrix" here/,
    ],
  ]
  for (const [what, lines, message] of refused) {
    it.effect(`with ${what} is refused`, () =>
      Effect.gen(function* () {
        const all = yield* told(pipeline("tasks:", ...lines))
        assert.lengthOf(all, 1, all.join("\n"))
        assert.match(all[0], message)
        assert.match(all[0], /^\d+:\d+ /)
      }),
    )
  }
})

describe("how a task starts", () => {
  it.effect("stands in the plan in one form", () =>
    Effect.gen(function* () {
      const { concurrency, tasks } = yield* plan(
        pipeline(
          "concurrency: { group: retrain }",
          "tasks:",
          command("a", "labels: [gpu, big, gpu], priority: 0, approval: { timeout: 4h, onTimeout: fail }"),
          command("b", "priority: 2, pauseUntil: { reason: night, until: '2026-01-05T22:00:00+01:00' }"),
          command("c", "pauseUntil: { reason: told, until: '${{ tasks.a.stdout }}' }"),
        ),
      )
      assert.deepStrictEqual(concurrency, { group: "retrain", limit: 1, onConflict: "queue" })
      const [a, b, c] = tasks
      assert.deepStrictEqual(
        [a.labels, a.priority, a.approval],
        [["big", "gpu"], undefined, { approvers: 1, timeout: 14_400_000 }],
      )
      assert.deepStrictEqual([b.priority, b.pauseUntil], [2, { reason: "night", until: "2026-01-05T21:00:00.000Z" }])
      assert.deepStrictEqual([c.needs, c.pauseUntil?.until], [["a"], "${{ tasks.a.stdout }}"])
    }),
  )

  const refused: ReadonlyArray<readonly [string, RegExp]> = [
    ["approval: { approvers: 0 }", /approvers must be a whole number from 1/],
    ["approval: { aprovers: 2 }", /Did you mean "approvers"/],
    ["approval: { onTimeout: skip }", /onTimeout needs a timeout/],
    ["approval: { timeout: 4 }", /timeout: 4 has no unit/],
    ["pauseUntil: { reason: x, until: tomorrow }", /until must be a moment with its offset/],
    ["pauseUntil: { reason: x, until: '2026-01-05T22:00:00' }", /until must be a moment with its offset/],
    ["pauseUntil: { until: '2026-01-05T22:00:00Z' }", /wants a reason and until/],
    ["pauseUntil: { reason: x, until: '${{ run.idd }}' }", /run has no field "idd"/],
    ["labels: [Big]", /"Big" is no label/],
    ["priority: 1.5", /priority must be a whole number/],
  ]
  for (const [text, message] of refused) {
    it.effect(`is refused as ${text}`, () =>
      Effect.gen(function* () {
        const all = yield* told(pipeline("tasks:", command("a", text)))
        assert.lengthOf(all, 1, all.join("\n"))
        assert.match(all[0], message)
      }),
    )
  }

  it.effect("is refused where a concurrency group has no name, or a limit of none", () =>
    Effect.gen(function* () {
      const [nameless] = yield* told(pipeline("concurrency: { limit: 2 }", "tasks:", command("a")))
      assert.match(nameless, /^3:14 concurrency has no group/)
      const [none] = yield* told(pipeline("concurrency: { group: a, limit: 0 }", "tasks:", command("a")))
      assert.match(none, /limit must be a whole number from 1/)
    }),
  )
})
