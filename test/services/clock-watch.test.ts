import { readFileSync } from "node:fs"
import { join } from "node:path"
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Queue from "effect/Queue"
import * as Stream from "effect/Stream"
import { TestClock } from "effect/testing"
import type { Reading, Seen } from "../../src/domain/clock-look.ts"
import * as ClockWatch from "../../src/services/clock-watch.ts"
import * as Libc from "../../src/services/libc.ts"

/** A watch over clocks that are up to the test. */
const watched = Effect.gen(function* () {
  let reading: Reading = { wall: 1_000_000, passed: 1_000, awake: 1_000 }
  const seen = yield* Queue.unbounded<Seen>()
  const begun = yield* Queue.unbounded<void>()
  const clocks = () => {
    Queue.offerUnsafe(begun, undefined)
    return reading
  }
  yield* ClockWatch.seen.pipe(
    Stream.runForEach((one) => Queue.offer(seen, one)),
    Effect.provideService(ClockWatch.MachineClocks, clocks),
    Effect.forkScoped,
  )
  yield* Queue.take(begun)
  const after = (change: Partial<Reading>) =>
    Effect.suspend(() => {
      const { awake = 1_000, passed = 1_000, wall = 1_000 } = change
      reading = { wall: reading.wall + wall, passed: reading.passed + passed, awake: reading.awake + awake }
      return Effect.andThen(TestClock.adjust(1_000), Queue.take(begun))
    })
  return { after, seen }
})

/** A process of its own that watches the clocks of the machine. */
const watcher = Effect.acquireRelease(
  Effect.promise(async () => {
    const child = Bun.spawn([process.execPath, join(import.meta.dirname, "clock-watch.fixture.ts")], {
      cwd: join(import.meta.dirname, "../.."),
      stdin: "ignore",
      stdout: "pipe",
      stderr: "inherit",
    })
    const lines = (async function* () {
      let rest = ""
      for await (const chunk of child.stdout) {
        const parts = (rest + new TextDecoder().decode(chunk)).split("\n")
        rest = parts.pop() ?? ""
        for (const line of parts) yield JSON.parse(line) as "watches" | Seen
      }
    })()
    await lines.next()
    const next = Effect.promise(async () => {
      const { done, value } = await lines.next()
      if (done === true) throw new Error("the watcher has ended")
      return value
    })
    return { child, next }
  }),
  ({ child }) =>
    Effect.promise(async () => {
      child.kill("SIGKILL")
      await child.exited
    }),
)

/** Waits until something is so, by looking again and again. */
const until = (isSo: () => boolean) =>
  Effect.promise(async () => {
    while (!isSo()) await Bun.sleep(10)
  })

const stateOf = (pid: number): string =>
  process.platform === "linux"
    ? readFileSync(`/proc/${pid}/stat`, "utf8").replace(/^.*\) /s, "")[0]
    : Bun.spawnSync(["ps", "-o", "state=", "-p", String(pid)]).stdout.toString()[0]

describe("clock watch", () => {
  it.effect("sees a step within a second, and a pause at its end", () =>
    Effect.gen(function* () {
      const { after, seen } = yield* watched
      yield* after({})
      yield* after({ wall: -3_599_000 })
      assert.deepStrictEqual(yield* Queue.take(seen), {
        is: "stepped",
        by: -3_600_000,
        from: 1_002_000,
        to: -2_598_000,
      })
      yield* after({ wall: 9_000, passed: 9_000, awake: 2_000 })
      assert.deepStrictEqual(yield* Queue.take(seen), {
        is: "paused",
        millis: 9_000,
        asleep: 7_000,
        from: -2_598_000,
        to: -2_589_000,
      })
      yield* after({})
      assert.strictEqual(yield* Queue.size(seen), 0)
    }),
  )

  it.effect("goes on looking while nobody takes what it saw, and forgets the oldest of more than a thousand", () =>
    Effect.gen(function* () {
      let wall = 0
      const begun = yield* Queue.unbounded<void>()
      const taken: Array<Seen> = []
      const slow = yield* Queue.unbounded<void>()
      yield* ClockWatch.seen.pipe(
        Stream.runForEach((one) =>
          Effect.andThen(
            Effect.sync(() => taken.push(one)),
            Queue.take(slow),
          ),
        ),
        Effect.provideService(ClockWatch.MachineClocks, () => {
          Queue.offerUnsafe(begun, undefined)
          return { wall: (wall += 1_000), passed: 0, awake: 0 }
        }),
        Effect.forkScoped,
      )
      for (let count = 0; count < 1_500; count++) {
        yield* Queue.take(begun)
        yield* TestClock.adjust(1_000)
      }
      yield* Queue.offerAll(
        slow,
        Array.from({ length: 2_000 }, () => undefined),
      )
      yield* Effect.repeat(Effect.yieldNow, { until: () => taken.length >= 1_001 })
      const last = taken.at(-1)
      assert.strictEqual(last?.is === "stepped" && last.to, wall)
      assert.isAtMost(taken.length, 1_002)
    }),
  )

  it("reads clocks that agree with each other", () => {
    const before = Date.now()
    const [passed, awake, wall] = [Libc.passedMillis(), Libc.awakeMillis(), Libc.wallMillis()]
    assert.isAtLeast(wall, before)
    assert.isAtMost(wall, Date.now() + 1)
    assert.isAtLeast(Libc.passedMillis(), passed)
    assert.isAtLeast(Libc.awakeMillis(), awake)
  })

  it.live(
    "sees that its process was stopped, for how long, and that the machine did not sleep",
    () =>
      Effect.gen(function* () {
        const { child, next } = yield* watcher
        child.kill("SIGSTOP")
        yield* until(() => stateOf(child.pid) === "T")
        const stopped = Libc.passedMillis()
        yield* until(() => Libc.passedMillis() - stopped > 5_500)
        const stoppedFor = Libc.passedMillis() - stopped
        child.kill("SIGCONT")
        const isIt = (one: "watches" | Seen) => one !== "watches" && one.is === "paused" && one.millis >= stoppedFor
        const seen = yield* Effect.repeat(next, { until: isIt })
        assert.isTrue(seen !== "watches" && seen.is === "paused" && seen.asleep < 1_000, JSON.stringify(seen))
      }),
    60_000,
  )
})
