import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import { command, pipeline, plan, told } from "./compiled.ts"

const seed = "  seed: { uses: seed, with: { symbols: [EURUSD, GBPUSD], timeframe: 1h, month: 2025-01 } }"
const dq = "  dq: { uses: dq, with: { dataset: '${{ tasks.seed.dataset }}', expectations: e.yaml } }"
const train = (from: string) => `  train: { uses: train, with: { dataset: '\${{ ${from} }}' } }`
const backtest = "  backtest: { uses: backtest, with: { model: '${{ tasks.train.model }}' } }"
const publish = (from: string) => `  publish: { uses: publish, with: { model: '\${{ ${from} }}' } }`

describe("gates", () => {
  it.effect("let through what they have judged", () =>
    Effect.gen(function* () {
      const { tasks } = yield* plan(
        pipeline("tasks:", publish("tasks.backtest.model"), backtest, train("tasks.dq.dataset"), dq, seed),
      )
      assert.deepStrictEqual(
        tasks.map(({ id, needs }) => [id, needs]),
        [
          ["seed", []],
          ["dq", ["seed"]],
          ["train", ["dq"]],
          ["backtest", ["train"]],
          ["publish", ["backtest"]],
        ],
      )
    }),
  )

  it.effect("cannot be left out: a model that no backtest saw is not published", () =>
    Effect.gen(function* () {
      const all = yield* told(pipeline("tasks:", seed, dq, train("tasks.dq.dataset"), publish("tasks.train.model")))
      assert.deepStrictEqual(all, [
        "7:49 tasks.train.model: expected Gated<Model>, got Model; only a gate gives one: pass the output of a backtest task.",
      ])
    }),
  )

  it.effect("cannot be left out: data that no check saw is not trained on", () =>
    Effect.gen(function* () {
      const all = yield* told(pipeline("tasks:", seed, train("tasks.seed.dataset")))
      assert.lengthOf(all, 1)
      assert.match(all[0], /^5:\d+ tasks\.seed\.dataset: expected Checked<Dataset>, got Dataset/)
    }),
  )

  it.effect("cannot be written by hand", () =>
    Effect.gen(function* () {
      const all = yield* told(
        pipeline("tasks:", "  publish:", "    uses: publish", "    with: { model: { version: v1 } }"),
      )
      assert.lengthOf(all, 1)
      assert.match(all[0], /^6:20 .*Gated<Model>.*only a gate gives one/)
    }),
  )

  it.effect("cannot be made up by an expression", () =>
    Effect.gen(function* () {
      for (const made of [
        '{"version": "v1"}',
        "tasks.c.json",
        "[tasks.train.model][0]",
        "true ? tasks.train.model : tasks.backtest.model",
      ]) {
        const all = yield* told(
          pipeline("tasks:", command("c"), seed, dq, train("tasks.dq.dataset"), backtest, publish(made)),
        )
        assert.lengthOf(all, 1, made)
        assert.match(all[0], /^9:/)
      }
    }),
  )
})

describe("an output", () => {
  it.effect("that may be absent cannot be read without asking", () =>
    Effect.gen(function* () {
      const all = yield* told(
        pipeline(
          "params: { go: { type: boolean, default: true } }",
          "tasks:",
          command("a", "if: params.go"),
          command("a2", "continueOnError: true"),
          "  c: { uses: command, if: '${{ params.go }}', with: { argv: ['${{ tasks.a.stdout }}'] } }",
          "finally:",
          "  f: { uses: notify, with: { channel: x, text: '${{ tasks.a.stdout }}' } }",
        ),
      )
      assert.deepStrictEqual(
        all.map((text) => text.replace(/ Ask.*/, "")),
        ["7:67 Task a may have no output here.", "9:53 Task a may have no output here."],
      )
    }),
  )

  it.effect("of a task whose error lets the run go on is asked for first, too", () =>
    Effect.gen(function* () {
      const all = yield* told(
        pipeline(
          "tasks:",
          command("a", "continueOnError: true"),
          "  b: { uses: command, with: { argv: ['${{ tasks.a.stdout }}'] } }",
        ),
      )
      assert.lengthOf(all, 1)
      assert.include(all[0], "if: '${{ tasks.a.status == \"succeeded\" }}', or has(tasks.a.stdout)")
    }),
  )

  it.effect("may be read where the condition or the expression asks first", () =>
    Effect.gen(function* () {
      const { tasks } = yield* plan(
        pipeline(
          "tasks:",
          command("a"),
          "finally:",
          "  f: { uses: notify, if: 'tasks.a.status == \"succeeded\"', with: { channel: x, text: '${{ tasks.a.stdout }}' } }",
          "  g: { uses: notify, with: { channel: x, text: '${{ has(tasks.a.stdout) ? tasks.a.stdout : \"none\" }}' } }",
          "  h: { uses: notify, with: { channel: x, text: '${{ tasks.a.status }}' } }",
        ),
      )
      assert.deepStrictEqual(
        tasks.map(({ id, needs, block }) => [id, needs, block]),
        [
          ["a", [], undefined],
          ["f", [], "finally"],
          ["g", [], "finally"],
          ["h", [], "finally"],
        ],
      )
    }),
  )

  it.effect("with a field that it need not have is asked for it first", () =>
    Effect.gen(function* () {
      const chain = [seed, dq, train("tasks.dq.dataset"), backtest, publish("tasks.backtest.model")]
      const note = (text: string, more = "") => `  n: { uses: notify, ${more}with: { channel: x, text: '${text}' } }`
      const all = yield* told(pipeline("tasks:", ...chain, note("was ${{ tasks.publish.previous }}")))
      assert.lengthOf(all, 1)
      assert.match(all[0], /^9:\d+ tasks\.publish\.previous may be absent\. Ask first: has\(tasks\.publish\.previous\)/)
      const asked = '${{ has(tasks.publish.previous) ? tasks.publish.previous : "none" }}'
      assert.lengthOf((yield* plan(pipeline("tasks:", ...chain, note(asked)))).tasks, 6)
      const guarded = note("was ${{ tasks.publish.previous }}", "if: 'has(tasks.publish.previous)', ")
      assert.lengthOf((yield* plan(pipeline("tasks:", ...chain, guarded))).tasks, 6)
    }),
  )

  it.effect("of a block that starts later cannot be read", () =>
    Effect.gen(function* () {
      const all = yield* told(
        pipeline(
          "tasks:",
          "  a: { uses: command, with: { argv: ['${{ tasks.f.stdout }}'] } }",
          command("b", "needs: [g]"),
          "onFailure:",
          command("g"),
          "finally:",
          command("f"),
        ),
      )
      assert.deepStrictEqual(all, [
        "4:43 Task f is in finally, which starts later.",
        "5:58 Task g is in onFailure, which starts later.",
      ])
    }),
  )

  it.effect("is not known of the run before its tasks have ended", () =>
    Effect.gen(function* () {
      const all = yield* told(pipeline("tasks:", command("a", "if: 'run.status == \"failed\"'")))
      assert.lengthOf(all, 1)
      assert.include(all[0], 'run has no field "status"')
    }),
  )
})
