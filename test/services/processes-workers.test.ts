import { mkdirSync, readFileSync } from "node:fs"
import { availableParallelism } from "node:os"
import { join } from "node:path"
import { fileURLToPath } from "node:url"
import { assert, describe, it } from "@effect/vitest"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Latch from "effect/Latch"
import { TestClock } from "effect/testing"
import { Hurry, skipGrace } from "../../src/services/process-groups.ts"
import { type Mark, ProcessMark } from "../../src/services/process-launch.ts"
import { stopLeftovers } from "../../src/services/process-records.ts"
import { layer } from "../../src/services/processes-local.ts"
import { Processes, type Spawn } from "../../src/services/processes.ts"
import { carrying, eventually, newFolder, newToken, programs, records } from "./processes-machine.fixture.ts"
import type { Work } from "./processes-worker.fixture.ts"

const fixture = (name: string) => fileURLToPath(new URL(name, import.meta.url))
const worker = [process.execPath, fixture("./processes-worker.fixture.ts")]

/** A folder of records (there are spaces in its path), and a way to give jobs to workers that carry a token. */
const place = () => {
  const folder = newFolder()
  const token = newToken()
  const argv = [...worker, token]
  const spawn = (work: Work, more: Partial<Spawn> = {}): Spawn => ({ argv, job: JSON.stringify(work), ...more })
  const run = (work: Work, more: Partial<Spawn> = {}) =>
    Effect.gen(function* () {
      const said: Array<string> = []
      const { run } = yield* Processes
      const ended = yield* run({
        ...spawn(work, more),
        onStdout: more.onStdout ?? ((line) => Effect.sync(() => void said.push(line))),
      })
      return { ...ended, said, pid: Number(/^pid (\d+)$/m.exec(ended.stdout)?.[1]) }
    })
  return { folder, token, argv, spawn, run, local: layer({ folder }) }
}

const recordOf = (folder: string, pid: number) => JSON.parse(readFileSync(join(folder, `${pid}.json`), "utf8"))

const mark = (task: string): Mark => ({ run: "r1", task, attempt: 1 })

describe("a worker that has done its job", () => {
  const { folder, local, run, token } = place()

  it.live("gets the next job of the same program, and one with other settings is another process", () =>
    Effect.gen(function* () {
      const first = yield* run({})
      assert.deepInclude(first, { exitCode: 0, signal: undefined })
      assert.strictEqual((yield* run({})).pid, first.pid)
      const elsewhere = join(folder, "another folder; with $odd 'name'")
      mkdirSync(elsewhere)
      const others = yield* Effect.forEach(
        [{ cwd: elsewhere }, { env: { COLOUR: "blue" } }, { graceMillis: 1 }],
        (each) => run({}, each),
      )
      assert.notInclude(
        others.map(({ pid }) => pid),
        first.pid,
      )
      assert.strictEqual((yield* run({})).pid, first.pid)
    }).pipe(Effect.provide(local)),
  )

  it.live("is gone when the service is, and its record with it", () =>
    Effect.gen(function* () {
      yield* Effect.provide(
        Effect.gen(function* () {
          const { pid } = yield* run({})
          assert.include(programs(token), pid)
          assert.include(records(folder), `${pid}.json`)
        }),
        local,
      )
      assert.deepStrictEqual(carrying(token), [])
      assert.deepStrictEqual(records(folder), [])
    }),
  )

  it.live("is recorded with the attempt's mark before it gets a job, and without one while it has none", () =>
    Effect.gen(function* () {
      for (const task of ["first", "second"]) {
        const { pid, said } = yield* Effect.provideService(
          run({ record: folder, attempt: true }),
          ProcessMark,
          mark(task),
        )
        assert.deepStrictEqual(JSON.parse(said[1]).mark, mark(task))
        assert.strictEqual(said[2], `attempt r1/${task}/1`)
        const { mark: none, ...rest } = JSON.parse(said[1])
        assert.deepStrictEqual(recordOf(folder, pid), rest)
        assert.isDefined(none)
      }
    }).pipe(Effect.provide(local)),
  )

  it.live("leaves what it printed to the attempt that it worked for, to the last byte", () =>
    Effect.gen(function* () {
      const long = `${"ä".repeat(300_000)}\nno line end`
      const first = yield* run({ print: long }, { keep: 1_000_000 })
      assert.strictEqual(first.stdout, `pid ${first.pid}\n${long}`)
      assert.strictEqual(first.stderr, long)
      const second = yield* run({ print: "dandori-job-end\n" })
      assert.deepInclude(second, {
        pid: first.pid,
        stdout: `pid ${first.pid}\ndandori-job-end\n`,
        stderr: "dandori-job-end\n",
        said: [`pid ${first.pid}`, "dandori-job-end"],
      })
    }).pipe(Effect.provide(local)),
  )

  it.live("is kept among no more than there are processors", () =>
    Effect.gen(function* () {
      const count = availableParallelism() + 2
      const begun = yield* Deferred.make<void>()
      let waiting = 0
      const together = () =>
        Effect.suspend(() =>
          ++waiting === count ? Deferred.succeed(begun, undefined) : Effect.asVoid(Deferred.await(begun)),
        )
      yield* Effect.forEach(Array.from({ length: count }), () => run({}, { onStdout: together }), {
        concurrency: "unbounded",
      })
      assert.strictEqual(programs(token).length, availableParallelism())
      assert.strictEqual(records(folder).length, availableParallelism())
    }).pipe(Effect.provide(local)),
  )

  it.effect("ends after a minute without a job", () =>
    Effect.gen(function* () {
      const { pid } = yield* run({})
      yield* TestClock.adjust("59 seconds")
      assert.include(programs(token), pid)
      yield* TestClock.adjust("1 second")
      yield* eventually("it is gone", () => carrying(token).length === 0 && records(folder).length === 0)
    }).pipe(Effect.provide(local)),
  )
})

describe("a worker is not kept", () => {
  const { folder, local, run, token } = place()

  /** Runs a job after which no process may be left, and one after it in a fresh worker. */
  const gone = <A, E, R>(before: Effect.Effect<A, E, R>, more: Partial<Spawn> = {}) =>
    Effect.gen(function* () {
      const { pid } = yield* run({}, more)
      const result = yield* before
      yield* eventually("it is gone", () => carrying(token).length === 0 && records(folder).length === 0)
      assert.notStrictEqual((yield* run({}, more)).pid, pid)
      return result
    }).pipe(Effect.provide(local))

  it.live("when its job failed, and its exit code and last words are the job's", () =>
    Effect.gen(function* () {
      const failed = yield* gone(run({ fail: "no such column" }))
      assert.strictEqual(failed.exitCode, 1)
      assert.include(failed.stdout + failed.stderr, "no such column")
      const ended = yield* gone(run({ exit: 7, print: "bye" }))
      assert.deepInclude(ended, { exitCode: 7, signal: undefined, stderr: "bye" })
    }),
  )

  it.live("when it has left a process behind, in its group or out of it, which is stopped with it", () =>
    Effect.gen(function* () {
      for (const stray of [false, true]) {
        const left = yield* gone(run({ leave: token, stray }))
        assert.strictEqual(left.exitCode, 0)
      }
    }),
  )

  it.live("when it ends, or says something, while it has no job", () =>
    Effect.gen(function* () {
      for (const later of ["exit", "print"] as const) {
        const done = yield* gone(run({ later }))
        assert.notInclude(done.stdout, "another thing")
      }
    }),
  )

  it.live("when it is killed while it has no job", () =>
    gone(Effect.map(run({}), ({ pid }) => process.kill(pid, "SIGKILL"))),
  )

  it.live("when its group uses more memory than allowed, and the error says so", () =>
    Effect.gen(function* () {
      const error = yield* gone(Effect.flip(run({ grow: true }, { memoryBytes: 600_000_000 })))
      if (error._tag !== "MemoryExceeded") return assert.fail(error.message)
      assert.isAbove(error.usedBytes, 600_000_000)
    }),
  )

  it.live("when the handler of a line dies", () =>
    Effect.gen(function* () {
      const exit = yield* gone(Effect.exit(run({ print: "line\n" }, { onStdout: () => Effect.die("handler") })))
      assert.strictEqual(exit._tag, "Failure")
    }),
  )

  it.live("for an attempt that may use little more memory than it holds already", () =>
    Effect.gen(function* () {
      const { pid } = yield* run({})
      assert.notStrictEqual((yield* run({}, { memoryBytes: 150_000_000 })).pid, pid)
      assert.strictEqual((yield* run({}, { memoryBytes: 1e12 })).exitCode, 0)
    }).pipe(Effect.provide(local)),
  )

  it.live("when its attempt is interrupted: SIGINT, SIGTERM, SIGKILL, each after the grace", () =>
    Effect.gen(function* () {
      const { said } = yield* gone(interrupted({ graceMillis: 200 }), { graceMillis: 200 })
      assert.deepStrictEqual(said, ["got SIGINT", "got SIGTERM"])
    }),
  )

  it.live("nor given a grace, once the operator is in a hurry", () =>
    Effect.gen(function* () {
      const { millis } = yield* gone(interrupted({ graceMillis: 60_000 }, skipGrace), { graceMillis: 60_000 })
      assert.isBelow(millis, 10_000)
    }).pipe(Effect.provideService(Hurry, Latch.makeUnsafe(false))),
  )

  /** Interrupts the second job of a worker; what that says from then on, and how long stopping took. */
  const interrupted = Effect.fnUntraced(function* (more: Partial<Spawn>, meanwhile: Effect.Effect<void> = Effect.void) {
    const before = yield* run({}, more)
    const ready = yield* Deferred.make<void>()
    const said: Array<string> = []
    const onStdout = (line: string) =>
      Effect.suspend(() => {
        said.push(line)
        return line === "ready" ? Deferred.succeed(ready, undefined) : Effect.void
      })
    const fiber = yield* Effect.forkChild(run({ hang: true }, { ...more, onStdout }))
    yield* Deferred.await(ready)
    assert.deepStrictEqual(said.splice(0), [`pid ${before.pid}`, "ready"])
    const from = performance.now()
    yield* Effect.all([Fiber.interrupt(fiber), meanwhile], { concurrency: "unbounded" })
    assert.notInclude(programs(token), before.pid)
    return { said, millis: performance.now() - from }
  })
})

describe("kill -9 of the owner", () => {
  const start = (works: ReadonlyArray<Work>) => {
    const { argv, folder, token } = place()
    const jobs = works.map((work) => JSON.stringify(work))
    const owner = Bun.spawn(
      [
        process.execPath,
        fixture("./processes-workers-owner.fixture.ts"),
        folder,
        "300",
        JSON.stringify(argv),
        JSON.stringify(jobs),
      ],
      { stdio: ["ignore", "inherit", "inherit"] },
    )
    const marks = () => records(folder).map((name) => recordOf(folder, Number.parseInt(name, 10)).mark)
    const workers = () => programs(token).filter((pid) => pid !== owner.pid)
    return { folder, owner, token, marks, workers }
  }

  it.live("leaves neither a worker that has a job nor one that has none", () =>
    Effect.gen(function* () {
      const { folder, marks, owner, token, workers } = start([{}, { hang: true }])
      yield* eventually("one works, one does not", () => {
        const now = marks()
        return now.length === 2 && now.filter((each) => each === undefined).length === 1
      })
      assert.strictEqual(workers().length, 2)
      owner.kill("SIGKILL")
      yield* Effect.promise(() => owner.exited)
      yield* eventually("both are gone", () => carrying(token).length === 0)
      yield* stopLeftovers(folder)
      assert.deepStrictEqual(records(folder), [])
    }),
  )

  it.live("lets a resume stop an idle worker where the watcher died too", () =>
    Effect.gen(function* () {
      const { folder, marks, owner, token, workers } = start([{}])
      yield* eventually("it has no job", () => {
        const now = marks()
        return now.length === 1 && now[0] === undefined
      })
      const [pid] = workers()
      const watchers = carrying(token).filter((each) => each !== pid && each !== owner.pid)
      assert.isNotEmpty(watchers)
      process.kill(pid, "SIGSTOP")
      owner.kill("SIGSTOP")
      for (const each of watchers) process.kill(each, "SIGKILL")
      owner.kill("SIGKILL")
      yield* Effect.promise(() => owner.exited)
      const leftovers = yield* stopLeftovers(folder)
      assert.deepStrictEqual(
        leftovers.flatMap(({ stopped }) => stopped),
        [pid],
      )
      assert.isUndefined(leftovers[0].record.mark)
      assert.deepStrictEqual(carrying(token), [])
      assert.deepStrictEqual(records(folder), [])
    }),
  )
})
