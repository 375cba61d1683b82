import * as Fs from "node:fs/promises"
import { join } from "node:path"
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import { taskType } from "../../src/authoring/task-type.ts"
import * as Resolve from "../../src/engine/resolve.ts"
import * as Resume from "../../src/engine/resume.ts"
import * as Run from "../../src/engine/run.ts"
import { runStatus, taskOf } from "../../src/engine/run-state.ts"
import { Attempt } from "../../src/services/attempt.ts"
import { AttemptFiles } from "../../src/services/attempt-files.ts"
import type { AnyTaskType } from "../../src/domain/task-type.ts"
import command from "../../tasks/command/index.ts"
import { AnyValue, echo, plan, quick, task, typeOf } from "../support/engine-plan.ts"
import * as Project from "../support/engine-project.ts"

/** The services of a project that allows outputs of 1 KiB, or logs of 64 KiB. */
const tight = (place: Project.Project, types: ReadonlyArray<AnyTaskType>, limits = { output: "1KiB", log: "64MiB" }) =>
  Effect.map(Project.configuration, (settings) =>
    Project.services(place, {
      types,
      settings: { ...settings, sections: { ...settings.sections, limits } },
    }),
  )

/** `command` as a plan has it whose author says that it may run again. */
const program = { ...command, effects: "idempotent" as const }

const gives = (value: unknown, effects: Parameters<typeof typeOf>[1] = "pure") =>
  typeOf("gives", effects, () => Effect.succeed({ value }))

/** Runs tasks of a plan; gives the run's state, its entries and the size of its stream. */
const runAll = Effect.fnUntraced(function* (
  place: Project.Project,
  types: ReadonlyArray<AnyTaskType>,
  tasks: ReadonlyArray<ReturnType<typeof task>>,
  services: ReturnType<typeof Project.services> = Project.services(place, { types }),
) {
  return yield* Effect.gen(function* () {
    const { run, state } = yield* Run.start(Project.request(plan(tasks)))
    const entries = yield* Project.entriesOf(run)
    const longest = Math.max(...entries.map((entry) => JSON.stringify(entry).length))
    return { run, state, entries, longest, error: taskOf(state, tasks[0].id).error?.message }
  }).pipe(Effect.provide(services))
})

const advice =
  "Store large data as an artifact and put its reference into the output, or raise output in configs/base/limits.yaml"

describe("an output over the limit", () => {
  it.live("is refused, once, with its size, the limit and what to do; nothing of it is kept", () =>
    Effect.gen(function* () {
      const place = yield* Project.temporary
      const type = gives("x".repeat(2_000))
      const one = task("one", type, { retry: quick(3) })
      const { entries, error, longest } = yield* runAll(place, [type], [one], yield* tight(place, [type]))
      assert.strictEqual(error, `The output of one is 2012 bytes of JSON, at most 1 KiB are allowed. ${advice}`)
      assert.strictEqual(Project.story(entries).filter((line) => line.startsWith("attempt.started")).length, 1)
      assert.isBelow(longest, 2_000)
    }),
  )

  it.live("is counted in bytes, and one of just the limit is kept", () =>
    Effect.gen(function* () {
      for (const [text, fits] of [
        ["x".repeat(1_012), true],
        ["x".repeat(1_013), false],
        ["é".repeat(506), true],
        ["é".repeat(507), false],
        ["\n".repeat(507), false],
      ] as const) {
        const place = yield* Project.temporary
        const type = gives(text)
        const { state } = yield* runAll(place, [type], [task("one", type)], yield* tight(place, [type]))
        assert.strictEqual(taskOf(state, "one").status, fits ? "succeeded" : "failed")
      }
    }),
  )

  it.live("fails a once task: its effect has happened, and nobody needs to be asked", () =>
    Effect.gen(function* () {
      const place = yield* Project.temporary
      const type = gives(
        Array.from({ length: 1_000 }, (_, i) => i),
        "once",
      )
      const { state } = yield* runAll(place, [type], [task("one", type)], yield* tight(place, [type]))
      assert.strictEqual(taskOf(state, "one").status, "failed")
    }),
  )

  it.live("of a program is refused as the configuration that ships says: 4 MiB", () =>
    Effect.gen(function* () {
      const place = yield* Project.temporary
      const printing = (bytes: number) => ({
        argv: ["sh", "-c", `printf '"'; head -c ${bytes} /dev/zero | tr '\\0' x; printf '"'`],
        effects: "idempotent",
        parseOutput: "json",
      })
      const tasks = [
        task("large", program, { with: printing(8_000_000) }),
        task("fits", program, { with: printing(3_000_000) }),
      ]
      const { error, longest, state } = yield* runAll(place, [command], tasks)
      assert.match(error ?? "", /^The output of large is 80\d{5} bytes of JSON, at most 4 MiB are allowed\./)
      assert.strictEqual(taskOf(state, "fits").outputArtifact?.bytes.toString().slice(0, 2), "30")
      assert.isBelow(longest, 100_000)
    }),
  )

  it.live("whose parts stand for more than there is memory is refused too", () =>
    Effect.gen(function* () {
      const place = yield* Project.temporary
      const type = gives(Array.from({ length: 40 }).reduce<unknown>((inner) => [inner, inner], "x"))
      const { error } = yield* runAll(place, [type], [task("one", type)])
      assert.match(error ?? "", /^The output of one is more than 64 MiB of JSON, at most 4 MiB are allowed\./)
    }),
  )

  it.live("is refused from a person who resolves; a large one is an artifact, as others are", () =>
    Effect.gen(function* () {
      const place = yield* Project.temporary
      const fails = typeOf("unclear", "once", () => Effect.die("nobody knows"))
      const { run, state } = yield* runAll(place, [fails], [task("one", fails)])
      assert.strictEqual(runStatus(state), "waiting")
      const told = Effect.gen(function* () {
        const resolve = (value: string) =>
          Effect.flatMap(Resume.recall(run), (recalled) =>
            Resolve.resolve(run, recalled, { task: "one", as: "succeeded", reason: "seen", output: { value }, now: 0 }),
          )
        const refused = yield* Effect.flip(resolve("x".repeat(5_000_000)))
        assert.match(refused.message, /^The output of one is 5000012 bytes of JSON, at most 4 MiB are allowed\./)
        yield* resolve("x".repeat(1_000_000))
        const entries = yield* Project.entriesOf(run)
        const [resolved] = Project.dataOf(entries, "task.resolved")
        assert.deepInclude(resolved.outputArtifact, { bytes: 1_000_012 })
        assert.notProperty(resolved, "output")
      })
      yield* told.pipe(Effect.provide(Project.services(place, { types: [fails] })))
    }),
  )
})

describe("what an attempt says beside its output", () => {
  it.live("is left out of the event where it is too large: facts fail no task", () =>
    Effect.gen(function* () {
      const place = yield* Project.temporary
      const type = typeOf("notes", "pure", () =>
        Effect.flatMap(Attempt, ({ note }) => Effect.as(note({ rows: 3, seen: "x".repeat(1_000_000) }), {})),
      )
      const { entries, longest, state } = yield* runAll(place, [type], [task("one", type)])
      assert.strictEqual(taskOf(state, "one").status, "succeeded")
      const [{ facts }] = Project.dataOf(entries, "attempt.succeeded")
      assert.deepStrictEqual(facts, { leftOut: "its facts are 1000020 bytes of JSON, an event takes 256 KiB of them" })
      assert.isBelow(longest, 10_000)
    }),
  )

  it.live("as the verdict of a gate is refused where it is too large", () =>
    Effect.gen(function* () {
      const place = yield* Project.temporary
      const gate = taskType({
        type: "judge",
        version: 1,
        description: "judge",
        input: AnyValue,
        output: Schema.Struct({}),
        effects: "pure",
        gate: () => ({
          verdict: "PASSED",
          subjects: [],
          policy: { name: "p", sha256: "0".repeat(64) as never },
          reasons: ["x".repeat(6_000_000)],
          reports: [],
        }),
        run: () => Effect.succeed({}),
      })
      const { error, longest } = yield* runAll(place, [gate], [task("one", gate)])
      assert.match(error ?? "", /^The verdict of one is 60\d{5} bytes of JSON, at most 4 MiB are allowed\./)
      assert.isBelow(longest, 10_000)
    }),
  )
})

describe("a log over its limit", () => {
  const prints = (count: number) => ({
    argv: ["sh", "-c", `n=0; while [ $n -lt ${count} ]; do n=$((n+1)); echo "line $n é"; done`],
    effects: "idempotent",
  })

  it.live("keeps its head and its end, says so between them, and the run goes on", () =>
    Effect.gen(function* () {
      const place = yield* Project.temporary
      const tasks = [task("talks", program, { with: prints(20_000) }), task("next", echo, { needs: ["talks"] })]
      const services = yield* tight(place, [command, echo], { output: "4MiB", log: "64KiB" })
      const { run, state } = yield* runAll(place, [command, echo], tasks, services)
      assert.strictEqual(taskOf(state, "next").status, "succeeded")
      const files = yield* AttemptFiles.pipe(Effect.provide(AttemptFiles.layer(place.home)))
      const text = yield* Effect.promise(() => Fs.readFile(files.logPath(run, "talks", 1), "utf8"))
      const lines = text.split("\n")
      assert.isAtMost(Buffer.byteLength(text), 64 * 1024 + 300)
      assert.strictEqual(lines[0], "line 1 é")
      assert.deepStrictEqual(lines.slice(-2), ["line 20000 é", ""])
      const marks = lines.filter((line) => !/^line \d+ é$/.test(line))
      assert.lengthOf(marks, 3)
      assert.match(marks[0], /^… the log has reached its limit of 64 KiB; of what follows the end is kept/)
      assert.match(marks[1], /^… \d+ bytes left out …$/)
      const kept = lines.filter((line) => line.startsWith("line")).map((line) => Number(line.split(" ")[1]))
      const cut = kept.findIndex((n, i) => n !== i + 1)
      assert.isAbove(cut, 1_000)
      assert.deepStrictEqual(
        kept.slice(cut),
        Array.from({ length: kept.length - cut }, (_, i) => kept[cut] + i),
      )
      const left = Number(/\d+/.exec(marks[1])?.[0])
      const all = Array.from({ length: 20_000 }, (_, i) => Buffer.byteLength(`line ${i + 1} é\n`))
      const total = all.reduce((sum, bytes) => sum + bytes, 0)
      const there = kept.reduce((sum, n) => sum + all[n - 1], 0)
      assert.strictEqual(left, total - there)
    }),
  )

  it.live("of a program that prints for ever is full until its time is over, and the run goes on", () =>
    Effect.gen(function* () {
      const place = yield* Project.temporary
      const tasks = [
        task("talks", program, {
          timeout: 2_000,
          retry: quick(1),
          continueOnError: true,
          with: { argv: ["yes", "for ever"], effects: "idempotent" },
        }),
        task("next", echo, { needs: ["talks"] }),
      ]
      const services = yield* tight(place, [command, echo], { output: "4MiB", log: "64KiB" })
      const { run, state } = yield* runAll(place, [command, echo], tasks, services)
      assert.strictEqual(taskOf(state, "talks").status, "warned")
      assert.strictEqual(taskOf(state, "next").status, "succeeded")
      const path = join(place.home, "logs", run, "talks.1.log")
      const text = yield* Effect.promise(() => Fs.readFile(path, "utf8"))
      assert.isAtMost(text.length, 64 * 1024 + 300)
      assert.isTrue(text.endsWith("for ever\n"))
    }),
  )
})
