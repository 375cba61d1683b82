import * as Fs from "node:fs/promises"
import { join } from "node:path"
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Run from "../../src/engine/run.ts"
import { runStatus, taskOf } from "../../src/engine/run-state.ts"
import { Attempt } from "../../src/services/attempt.ts"
import { Processes } from "../../src/services/processes.ts"
import { Progress } from "../../src/services/progress.ts"
import command from "../../tasks/command/index.ts"
import { plan, quick, task, typeOf } from "../support/engine-plan.ts"
import * as Project from "../support/engine-project.ts"

/** Calls something every tenth of a second, 15 times. */
const often = <A, E, R>(effect: Effect.Effect<A, E, R>) =>
  Effect.as(Effect.repeat(Effect.andThen(Effect.sleep(100), effect), { times: 14 }), {})

const sh = (script: string, grace = "5s") => ({ argv: ["sh", "-c", script], effects: "idempotent", grace })
/** `command` as a plan has it whose author says that it may run again. */
const program = { ...command, effects: "idempotent" as const }
const lines = (text: string) => `for n in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15; do sleep 0.1; echo '${text}'; done`

const logs = typeOf("logs", "pure", () => Effect.flatMap(Attempt, ({ log }) => often(log("on it"))))
const effectLogs = typeOf("effect_logs", "pure", () => often(Effect.log("on it")))
const reports = typeOf("reports", "pure", () => Effect.flatMap(Progress, ({ report }) => often(report({ done: 1 }))))
const child = typeOf("child", "pure", () =>
  Effect.flatMap(Processes, ({ run }) => Effect.as(run({ argv: ["sh", "-c", lines("on it")] }), {})),
)
const complains = typeOf("complains", "pure", () =>
  Effect.flatMap(Processes, ({ run }) => Effect.as(run({ argv: ["sh", "-c", `{ ${lines("on it")}; } >&2`] }), {})),
)
const silent = (effects: Parameters<typeof typeOf>[1], probe?: Parameters<typeof typeOf>[3]) =>
  typeOf("silent", effects, () => Effect.never, probe)

/** Runs tasks of a plan; gives the run's state and its story. */
const runAll = Effect.fnUntraced(function* (
  place: Project.Project,
  tasks: ReadonlyArray<ReturnType<typeof task>>,
  types: ReadonlyArray<ReturnType<typeof typeOf>>,
) {
  return yield* Effect.gen(function* () {
    const { run, state } = yield* Run.start(Project.request(plan(tasks)))
    const entries = yield* Project.entriesOf(run)
    const story = Project.story(entries).map((line) => line.split(" ")[0])
    return { entries, state, story, status: runStatus(state) }
  }).pipe(Effect.provide(Project.services(place, { types })))
})

describe("an attempt with a heartbeat", () => {
  it.live("that gives no sign of life is stopped with its processes, lost, and tried again as often as others", () =>
    Effect.gen(function* () {
      const place = yield* Project.temporary
      const script = "echo begun >> said; trap 'echo asked >> said' INT; while :; do sleep 0.01; done"
      const settings = { with: sh(script, "100ms"), heartbeat: 1_000, retry: quick(2) }
      const { entries, state, status, story } = yield* runAll(place, [task("one", program, settings)], [command])
      const tried = ["attempt.started", "attempt.lost"]
      const again = [...tried, "retry.scheduled", ...tried]
      assert.deepStrictEqual(story, ["run.created", ...again, "run.finished"])
      assert.strictEqual(taskOf(state, "one").status, "lost")
      assert.strictEqual(status, "lost")
      const [{ reason }] = Project.dataOf(entries, "attempt.lost")
      assert.strictEqual(reason, "it gave no sign of life for 1s (heartbeat)")
      const said = yield* Effect.promise(() => Fs.readFile(join(place.project, "said"), "utf8"))
      assert.strictEqual(said, "begun\nasked\nbegun\nasked\n")
      const left = yield* Effect.promise(() => Fs.readdir(join(place.home, "processes")))
      assert.deepStrictEqual(left, [])
    }),
  )

  it.live("is tried three times when the task says nothing of retries", () =>
    Effect.gen(function* () {
      const place = yield* Project.temporary
      const type = silent("pure")
      const { story } = yield* runAll(place, [task("one", type, { heartbeat: 20 })], [type])
      assert.strictEqual(story.filter((line) => line === "attempt.lost").length, 3)
    }),
  )

  it.live("lives as long as it logs, reports progress, or a program of it says something", () =>
    Effect.gen(function* () {
      const place = yield* Project.temporary
      const progress = lines('{"progress": {"done": 1}}')
      const types = [logs, effectLogs, reports, child, complains]
      const given = { heartbeat: 1_000, retry: quick(1) }
      const tasks = [
        task("lines", program, { ...given, with: sh(lines("on it")) }),
        task("progress", program, { ...given, with: sh(progress) }),
        ...types.map((type) => task(type.type, type, given)),
      ]
      const { state, status } = yield* runAll(place, tasks, [command, ...types])
      assert.deepStrictEqual(
        tasks.map(({ id }) => `${id} ${taskOf(state, id).status}`),
        tasks.map(({ id }) => `${id} succeeded`),
      )
      assert.strictEqual(status, "succeeded")
    }),
  )

  it.live("of a once task asks the probe when it is lost, and is unknown without one", () =>
    Effect.gen(function* () {
      const place = yield* Project.temporary
      const settings = { heartbeat: 20, retry: quick(2) }
      const storyOf = (type: ReturnType<typeof typeOf>) =>
        Effect.map(runAll(place, [task("one", type, settings)], [type]), ({ story }) =>
          story.filter((line) => line.startsWith("attempt.")),
        )
      assert.deepStrictEqual(yield* storyOf(silent("once")), ["attempt.started", "attempt.unknown"])
      const happened = silent("once", () => Effect.succeed(Option.some({ value: 1 })))
      assert.deepStrictEqual(yield* storyOf(happened), ["attempt.started", "attempt.succeeded"])
      const nothing = silent("irreversible", () => Effect.succeed(Option.none()))
      const lost = ["attempt.started", "attempt.lost"]
      assert.deepStrictEqual(yield* storyOf(nothing), [...lost, ...lost])
    }),
  )

  it.live("may be timed out first", () =>
    Effect.gen(function* () {
      const place = yield* Project.temporary
      const type = silent("pure")
      const { state } = yield* runAll(place, [task("one", type, { heartbeat: 60_000, timeout: 5 })], [type])
      assert.strictEqual(taskOf(state, "one").status, "timed_out")
    }),
  )
})
