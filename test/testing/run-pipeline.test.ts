import * as Fs from "node:fs/promises"
import { fileURLToPath } from "node:url"
import { assert, describe, it } from "@effect/vitest"
import { Notifier, configured, pipeline, taskType } from "dandori"
import { command, notify } from "dandori/tasks"
import { fake, runPipeline } from "dandori/testing"
import * as Effect from "effect/Effect"
import * as FileSystem from "effect/FileSystem"
import * as Layer from "effect/Layer"
import * as NodeServices from "@effect/platform-node/NodeServices"
import * as Schema from "effect/Schema"

const project = fileURLToPath(new URL("../..", import.meta.url))

class Busy extends Schema.TaggedError<Busy>()("Busy", {}) {
  readonly transient = true
  override get message() {
    return "the bank is busy"
  }
}

const typeOf = (name: string, effects: "pure" | "idempotent" | "once") =>
  taskType({
    type: name,
    version: 1,
    description: name,
    input: Schema.Struct({ n: Schema.Int }),
    output: Schema.Struct({ n: Schema.Int }),
    effects,
    run: ({ n }) => Effect.succeed({ n }),
  })
const ask = typeOf("ask", "idempotent")
const pay = typeOf("pay", "once")

const one = (type: typeof ask, options: object = {}) =>
  pipeline("one", {}, ({ task }) => void task("only", type, { n: 1 }, options))

const hours = (millis: number) => millis / 3_600_000

/** Time between the first and the last event of a run, in hours. */
const lasted = ({ events }: { readonly events: ReadonlyArray<{ readonly time: number }> }) =>
  hours((events.at(-1)?.time ?? 0) - events[0].time)

const short = ({ events }: { readonly events: ReadonlyArray<{ readonly type: string }> }) =>
  events.map(({ type }) => type.replace(/^dev\.dandori\.(.*)\.v1$/, "$1"))

describe("runPipeline", () => {
  it.live("runs a pipeline of the project, real task types and all, and keeps the messages that it sent", () =>
    Effect.gen(function* () {
      const before = yield* Effect.promise(() => Fs.readdir(project))
      const result = yield* runPipeline("pipelines/hello.yaml", { project, params: { name: "Ada" } })
      assert.strictEqual(result.status, "succeeded")
      assert.deepStrictEqual(result.tasks, { greet: "succeeded", tell: "succeeded", sorry: "skipped" })
      assert.deepInclude(result.outputs.greet as object, { stdout: "Hello, Ada\n" })
      assert.deepStrictEqual(
        result.messages.map(({ channel, text }) => [channel, text]),
        [["ml-ops", "Hello, Ada\n"]],
      )
      assert.deepStrictEqual(yield* Effect.promise(() => Fs.readdir(project)), before)
    }),
  )

  it.live("has the schedules of the project's configuration in dev, with their retries", () =>
    Effect.gen(function* () {
      const named = pipeline("named", { schedule: configured("retrain") }, ({ task }) => {
        task("only", ask, { n: 1 })
      })
      const tasks = { ask: fake(ask, () => Effect.fail(new Busy())) }
      const { plan, status, ...result } = yield* runPipeline(named, { project, tasks })
      assert.strictEqual(plan.schedule?.cron, "0 3 1 * *")
      assert.strictEqual(status, "failed")
      assert.isAtLeast(lasted(result), 2)
    }),
  )

  it.live("waits through hours of backoff in no time, at the times that the plan gives", () =>
    Effect.gen(function* () {
      let tries = 0
      const flaky = fake(ask, ({ n }) => (++tries < 4 ? new Busy() : Effect.succeed({ n: n + 1 })))
      const backoff = { initial: "1h", factor: 2, max: "1d", jitter: "none" } as const
      const result = yield* runPipeline(one(ask, { retry: { attempts: 4, backoff } }), {
        project,
        tasks: { only: flaky },
      })
      assert.strictEqual(result.status, "succeeded")
      assert.deepStrictEqual(result.outputs, { only: { n: 2 } })
      assert.strictEqual(lasted(result), 1 + 2 + 4)
    }),
  )

  it.live("ends a fake that hangs when the task's timeout is over, and the run when the pipeline's is", () =>
    Effect.gen(function* () {
      const tasks = { ask: fake(ask, () => Effect.never) }
      const hung = yield* runPipeline(one(ask, { timeout: "2h" }), { project, tasks })
      assert.deepStrictEqual([hung.status, hung.tasks.only], ["failed", "timed_out"])
      assert.strictEqual(lasted(hung), 2)
      const slow = pipeline("slow", { timeout: "3h" }, ({ task }) => void task("only", ask, { n: 1 }))
      const stopped = yield* runPipeline(slow, { project, tasks })
      assert.strictEqual(stopped.status, "timed_out")
      assert.strictEqual(lasted(stopped), 3)
    }),
  )

  it.live("stands still while a real task type works, so that real work meets no timeout", () =>
    Effect.gen(function* () {
      const reads = {
        ...ask,
        run: ({ n }: { readonly n: number }) =>
          Effect.gen(function* () {
            const fs = yield* FileSystem.FileSystem
            const file = yield* fs.makeTempFileScoped()
            for (let i = 0; i < 50; i++) yield* fs.writeFileString(file, String(i))
            return { n }
          }).pipe(Effect.orDie, Effect.scoped),
      }
      const result = yield* runPipeline(one(ask, { timeout: "1ms" }), { project, tasks: { ask: reads } })
      assert.strictEqual(result.status, "succeeded")
      assert.strictEqual(lasted(result), 0)
    }),
  )

  it.live("goes on while a real task type waits for the clock", () =>
    Effect.gen(function* () {
      const naps = { ...ask, run: () => Effect.as(Effect.sleep("90 minutes"), { n: 5 }) }
      const result = yield* runPipeline(one(ask), { project, tasks: { ask: naps } })
      assert.deepStrictEqual(result.outputs, { only: { n: 5 } })
      assert.strictEqual(lasted(result), 1.5)
    }),
  )

  it.live("leaves the same ledger to the byte, whatever the disk has to do meanwhile", () =>
    Effect.gen(function* () {
      const text = Schema.Struct({ n: Schema.Int, text: Schema.String })
      const large = taskType({
        ...typeOf("large", "pure"),
        output: text,
        run: ({ n }) => Effect.succeed({ n, text: "" }),
      })
      const wide = pipeline("wide", {}, ({ task }) => {
        const first = task("first", ask, { n: 1 })
        for (let i = 0; i < 8; i++) {
          task(`ask${i}`, ask, { n: first.n }, { timeout: "1m" })
          task(`large${i}`, large, { n: first.n }, { cache: true })
          task(`pay${i}`, pay, { n: first.n })
        }
      })
      const tasks = {
        ask: fake(ask, ({ n }) => Effect.as(Effect.sleep(n * 1000), { n: n + 1 })),
        large: fake(large, ({ n }) => Effect.succeed({ n, text: "x".repeat(300_000) })),
        pay,
      }
      const run = runPipeline(wide, { project, tasks })
      const [first, ...others] = yield* Effect.all([run, run, run, run], { concurrency: 4 })
      assert.strictEqual(first.status, "succeeded")
      assert.strictEqual(first.entries.length, 1 + 25 * 2 + 1)
      for (const other of others) assert.deepStrictEqual(other.entries, first.entries)
    }),
  )

  it.live("lets services be replaced by layers, for the fakes and the real task types alike", () =>
    Effect.gen(function* () {
      const told: Array<string> = []
      const layers = Layer.succeed(Notifier, {
        send: ({ text }) => Effect.sync(() => ({ id: String(told.push(text)), to: ["a friend"] })),
      })
      const tell = pipeline("tell", {}, ({ task }) => void task("tell", notify, { channel: "ml-ops", text: "hi" }))
      const result = yield* runPipeline(tell, { project, layers })
      assert.deepStrictEqual(result.outputs, { tell: { id: "1", to: ["a friend"] } })
      assert.deepStrictEqual(told, ["hi"])
    }),
  )

  it.live("replaces one task of a type by its id and leaves the others", () =>
    Effect.gen(function* () {
      const two = pipeline("two", {}, ({ task }) => {
        task("real", ask, { n: 1 })
        task("unreal", ask, { n: 1 })
      })
      const tasks = { ask, unreal: fake(ask, () => Effect.succeed({ n: 9 })) }
      const { outputs } = yield* runPipeline(two, { project, tasks })
      assert.deepStrictEqual(outputs, { real: { n: 1 }, unreal: { n: 9 } })
    }),
  )

  it.live("checks what a fake gives by the real output schema, and shows how a task failed", () =>
    Effect.gen(function* () {
      const wrong = fake(ask, () => Effect.succeed({ n: "one" } as unknown as { n: number }))
      const result = yield* runPipeline(one(ask), { project, tasks: { ask: wrong } })
      assert.strictEqual(result.status, "failed")
      assert.strictEqual(result.errors.only.tag, "OutputInvalid")
    }),
  )

  it.live("waits for people when a once task was left open", () =>
    Effect.gen(function* () {
      const hangs = fake(pay, () => Effect.never)
      const result = yield* runPipeline(one(pay, { timeout: "1m" }), { project, tasks: { pay: hangs } })
      assert.strictEqual(result.status, "waiting")
      assert.deepStrictEqual(short(result), ["run.created", "attempt.started", "attempt.unknown"])
    }),
  )

  it.live("refuses a replacement that the pipeline does not meet, or of another type", () =>
    Effect.gen(function* () {
      const cast = (tasks: Record<string, typeof ask>) =>
        Effect.flip(runPipeline(one(ask), { project, tasks: { ask, ...tasks } }))
      assert.include((yield* cast({ onyl: ask })).message, "tasks.onyl of this test is neither a task nor a task type")
      assert.include((yield* cast({ only: pay })).message, "stands for pay, but the task uses ask")
    }),
  )

  it.live("refuses params that the pipeline does not have, and says what is missing", () =>
    Effect.gen(function* () {
      const strict = pipeline("strict", { params: { n: Schema.Int }, env: ["HOST"] }, ({ params, task }) => {
        task("only", ask, { n: params.n })
      })
      const error = yield* Effect.flip(runPipeline(strict, { project, tasks: { ask }, params: { m: 1 } }))
      assert.include(
        error.message,
        "there is no param m; param n is missing and has no default; environment lacks HOST",
      )
    }),
  )

  it.live("fails with the compiler's own error for a pipeline that does not compile", () =>
    Effect.gen(function* () {
      const fs = yield* FileSystem.FileSystem
      const file = yield* fs.makeTempFileScoped({ suffix: ".yaml" })
      yield* fs.writeFileString(file, "version: 1\nid: bad\ntasks: { a: { uses: comand } }\n")
      const error = yield* Effect.flip(runPipeline(file, { project }))
      assert.include(error.message, 'Did you mean "command"')
    }).pipe(Effect.scoped, Effect.provide(NodeServices.layer)),
  )

  it.live("type-checks a fake against the type that it stands for", () =>
    Effect.sync(() => {
      // @ts-expect-error the output of `command` has no such field
      assert.strictEqual(fake(command, () => Effect.succeed({ stdot: "" })).type, "command")
    }),
  )
})
