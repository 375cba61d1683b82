import { dlopen, FFIType } from "bun:ffi"
import * as Fs from "node:fs/promises"
import { join } from "node:path"
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Schema from "effect/Schema"
import { taskType } from "../../src/authoring/task-type.ts"
import * as Run from "../../src/engine/run.ts"
import { runStatus, taskOf } from "../../src/engine/run-state.ts"
import { Ledger } from "../../src/ledger/ledger.ts"
import * as StreamName from "../../src/ledger/stream-name.ts"
import { Attempt } from "../../src/services/attempt.ts"
import { AttemptFiles } from "../../src/services/attempt-files.ts"
import { Broken, echo, plan, task, typeOf } from "../support/engine-plan.ts"
import * as Project from "../support/engine-project.ts"

/** Makes an open file of this process a device that is always full. */
const fill = (fd: number) => {
  const { symbols } = dlopen("libc.so.6", {
    open: { args: [FFIType.cstring, FFIType.i32], returns: FFIType.i32 },
    dup2: { args: [FFIType.i32, FFIType.i32], returns: FFIType.i32 },
  })
  symbols.dup2(symbols.open(Buffer.from("/dev/full\0"), 1), fd)
}

const fails = typeOf("fails", "pure", () => Effect.fail(new Broken({ text: "it is broken" })))

describe("a run", () => {
  it.live("records its life from created to finished, names its plan and closes its books", () =>
    Effect.gen(function* () {
      const place = yield* Project.temporary
      const scratch = typeOf("scratch", "pure", () =>
        Effect.gen(function* () {
          const attempt = yield* Attempt
          yield* Effect.promise(() => Fs.writeFile(join(attempt.scratch, "half-made"), "x"))
          yield* attempt.log("a line")
          yield* attempt.note({ rows: 3 })
          return { value: attempt.idempotencyKey }
        }),
      )
      yield* Effect.gen(function* () {
        const two = plan([task("first", scratch), task("second", echo, { needs: ["first"], with: { value: 1 } })])
        const { run, state } = yield* Run.start(Project.request(two))
        assert.strictEqual(runStatus(state), "succeeded")
        const entries = yield* Project.entriesOf(run)
        assert.deepStrictEqual(Project.story(entries), [
          "run.created",
          "attempt.started first",
          "attempt.succeeded first",
          "attempt.started second",
          "attempt.succeeded second",
          "run.finished",
        ])
        const [first] = Project.dataOf(entries, "attempt.succeeded")
        assert.deepInclude(first, { output: { value: `${run}/first` }, facts: { rows: 3 } })
        assert.strictEqual(entries[1].subject, `${run}/first`)
        const root = yield* (yield* Ledger).read("root")
        assert.deepStrictEqual(Project.story(root.entries), ["stream.opened", "stream.closed"])
        assert.deepInclude(root.entries[1].data as object, { entries: 6, head: entries[5].entryhash })
        assert.isFalse(yield* Effect.promise(() => Fs.exists(join(place.home, "scratch", run))))
        const log = yield* Effect.promise(() => Fs.readFile(join(place.home, "logs", run, "first.1.log"), "utf8"))
        assert.strictEqual(log, "a line\n")
      }).pipe(Effect.provide(Project.services(place, { types: [scratch, echo] })))
    }),
  )

  it.live("closes its books though its scratch folders cannot be removed, and tells of it", () =>
    Effect.gen(function* () {
      const place = yield* Project.temporary
      yield* Effect.gen(function* () {
        const files = yield* AttemptFiles
        const stuck = AttemptFiles.of({ ...files, clean: () => Effect.die(new Error("the folder is busy")) })
        const exit = yield* Run.start(Project.request(plan([task("only", echo, { with: { value: 1 } })]))).pipe(
          Effect.provideService(AttemptFiles, stuck),
          Effect.exit,
        )
        assert.include(String(exit), "the folder is busy")
        const ledger = yield* Ledger
        const { entries } = yield* ledger.read("root")
        assert.deepStrictEqual(Project.story(entries), ["stream.opened", "stream.closed"])
        const { stream } = entries[1].data as { readonly stream: string }
        const { mode } = yield* Effect.promise(() =>
          Fs.stat(join(place.home, "ledger", StreamName.segmentPath(stream))),
        )
        assert.strictEqual(mode & 0o777, 0o444)
      }).pipe(Effect.provide(Project.services(place, { types: [echo] })))
    }),
  )

  it.live("hands outputs on with their types kept, and evaluates conditions on statuses and params", () =>
    Effect.gen(function* () {
      const place = yield* Project.temporary
      const Numbers = Schema.Struct({
        whole: Schema.Int,
        half: Schema.Finite,
        nested: Schema.Struct({ list: Schema.Array(Schema.Array(Schema.Finite)), text: Schema.String }),
      })
      const nested = { list: Array.from({ length: 50 }, (_, i) => [i, i / 3, 0 - i, 1e300]), text: '段取り \u2028 "q"' }
      const source = taskType({
        type: "source",
        version: 1,
        description: "source",
        input: Schema.Struct({}),
        output: Numbers,
        effects: "pure",
        run: () => Effect.succeed({ whole: 9_007_199_254_740_991, half: 2, nested }),
      })
      yield* Effect.gen(function* () {
        const { run, state } = yield* Run.start(
          Project.request(
            plan(
              [
                task("source", source),
                task("copy", echo, {
                  needs: ["source"],
                  with: {
                    value: ["${{ tasks.source.whole }}", "${{ tasks.source.half }}", "${{ tasks.source.nested }}"],
                  },
                }),
                task("sum", echo, {
                  needs: ["source"],
                  with: { value: ["${{ tasks.source.half + 0.5 }}", "${{ 1 + 2 }}", "m ${{ params.month }}"] },
                }),
                task("no", echo, { needs: ["source"], if: 'params.month == "2024-12"' }),
                task("after_no", echo, { needs: ["no"] }),
                task("always", echo, { needs: ["no"], if: 'tasks.no.status == "skipped"', with: { value: "ran" } }),
              ],
              { params: { month: { type: "string" } } },
            ),
            { params: { month: "2025-01" } },
          ),
        )
        assert.strictEqual(runStatus(state), "succeeded")
        assert.deepStrictEqual(taskOf(state, "copy").output, { value: [9_007_199_254_740_991, 2, nested] })
        assert.deepStrictEqual(taskOf(state, "sum").output, { value: [2.5, 3, "m 2025-01"] })
        assert.strictEqual(taskOf(state, "no").status, "skipped")
        assert.strictEqual(taskOf(state, "after_no").status, "skipped")
        assert.deepStrictEqual(taskOf(state, "always").output, { value: "ran" })
        assert.deepStrictEqual(
          Project.dataOf(yield* Project.entriesOf(run), "task.skipped").map(({ reason }) => reason),
          ['if: params.month == "2024-12" is false', "a task that it needs did not succeed"],
        )
      }).pipe(Effect.provide(Project.services(place, { types: [source, echo] })))
    }),
  )

  it.live("runs onFailure and then finally when a task fails, and skips what needed it", () =>
    Effect.gen(function* () {
      const place = yield* Project.temporary
      yield* Effect.gen(function* () {
        const { state, run } = yield* Run.start(
          Project.request(
            plan([
              task("bad", fails),
              task("after", echo, { needs: ["bad"] }),
              task("cleared", echo, { block: "onFailure", with: { value: "${{ run.status }}" } }),
              task("stopped", echo, { block: "onCancel" }),
              task("report", echo, { block: "finally", with: { value: "${{ run.status }} ${{ tasks.bad.status }}" } }),
            ]),
          ),
        )
        assert.strictEqual(runStatus(state), "failed")
        assert.strictEqual(taskOf(state, "after").status, "skipped")
        assert.strictEqual(taskOf(state, "stopped").status, "pending")
        assert.deepStrictEqual(taskOf(state, "cleared").output, { value: "failed" })
        assert.deepStrictEqual(taskOf(state, "report").output, { value: "failed failed" })
        const story = Project.story(yield* Project.entriesOf(run))
        assert.isAbove(story.indexOf("attempt.started report"), story.indexOf("attempt.succeeded cleared"))
      }).pipe(Effect.provide(Project.services(place, { types: [fails, echo] })))
    }),
  )

  it.live("is warned by a failure that it was told to go on after, and by one in finally", () =>
    Effect.gen(function* () {
      const place = yield* Project.temporary
      yield* Effect.gen(function* () {
        const softly = yield* Run.start(
          Project.request(
            plan([task("bad", fails, { continueOnError: true }), task("next", echo, { needs: ["bad"] })]),
          ),
        )
        assert.strictEqual(runStatus(softly.state), "warned")
        assert.strictEqual(taskOf(softly.state, "bad").status, "warned")
        assert.strictEqual(taskOf(softly.state, "next").status, "succeeded")
        const late = yield* Run.start(
          Project.request(plan([task("good", echo), task("bad", fails, { block: "finally" })])),
        )
        assert.strictEqual(runStatus(late.state), "warned")
      }).pipe(Effect.provide(Project.services(place, { types: [fails, echo] })))
    }),
  )

  it.live("does not begin with params that are too large for its first event", () =>
    Effect.gen(function* () {
      const place = yield* Project.temporary
      yield* Effect.gen(function* () {
        const params = { text: "x".repeat(2 ** 20) }
        const refused = yield* Effect.flip(Run.start(Project.request(plan([task("one", echo)]), { params })))
        assert.strictEqual(
          refused.message,
          "The params are 1048587 bytes of JSON, at most 1 MiB are allowed. Put large data into a file, and give its path",
        )
        assert.deepStrictEqual(yield* (yield* Ledger).runs, [])
      }).pipe(Effect.provide(Project.services(place, { types: [echo] })))
    }),
  )

  it.live("does not begin when a task asks for more than the machine offers, or its type is another version", () =>
    Effect.gen(function* () {
      const place = yield* Project.temporary
      yield* Effect.gen(function* () {
        const large = plan([task("large", echo, { resources: { cpu: 64 } })])
        const missing = yield* Effect.flip(Run.start(Project.request(large)))
        assert.strictEqual(missing._tag, "ResourcesMissing")
        const other = plan([{ ...task("other", echo), version: 2 }])
        const mismatch = yield* Effect.flip(Run.start(Project.request(other)))
        assert.include(mismatch.message, "has version 1")
        assert.deepStrictEqual(yield* (yield* Ledger).runs, [])
      }).pipe(Effect.provide(Project.services(place, { types: [echo] })))
    }),
  )

  it.live("fails with LedgerLost and writes no end when its ledger cannot be written", () =>
    Effect.gen(function* () {
      const place = yield* Project.temporary
      const once = typeOf("once", "once", () => Effect.die(new Error("it must not start")))
      const breaks = typeOf("breaks", "pure", () =>
        Effect.promise(async () => {
          const descriptors = await Fs.readdir("/proc/self/fd")
          for (const name of descriptors) {
            const target = await Fs.readlink(`/proc/self/fd/${name}`).catch(() => "")
            if (target.startsWith(place.home) && target.endsWith(".ndjson")) fill(Number(name))
          }
          return {}
        }),
      )
      yield* Effect.gen(function* () {
        const exit = yield* Effect.exit(
          Run.start(Project.request(plan([task("breaks", breaks), task("once", once, { needs: ["breaks"] })]))),
        )
        assert.isTrue(Exit.isFailure(exit))
        assert.include(String(exit), "LedgerLost")
        const [run] = yield* (yield* Ledger).runs
        const chain = yield* (yield* Ledger).read(`runs/${run}`)
        assert.notInclude(Project.story(chain.entries), "run.finished")
        assert.notInclude(Project.story(chain.entries), "attempt.started once")
      }).pipe(Effect.provide(Project.services(place, { types: [once, breaks] })))
    }),
  )
})
