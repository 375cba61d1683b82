import { assert, describe, it } from "@effect/vitest"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Latch from "effect/Latch"
import { Hurry, skipGrace } from "../../src/services/process-groups.ts"
import { bootId, stopLeftovers, write } from "../../src/services/process-records.ts"
import { isAlive, lookUp } from "../../src/services/process-table.ts"
import { layer } from "../../src/services/processes-local.ts"
import { Processes, type Spawn } from "../../src/services/processes.ts"
import {
  carrying,
  eventually,
  newFolder,
  newToken,
  programs,
  records,
  startOwner,
} from "./processes-machine.fixture.ts"

/** Runs a child until it has said `ready`, then interrupts it; returns all that it said and how long stopping took. */
const interrupted = Effect.fnUntraced(function* (spawn: Spawn, meanwhile: Effect.Effect<void> = Effect.void) {
  const said: Array<string> = []
  const ready = yield* Deferred.make<void>()
  const processes = yield* Processes
  const fiber = yield* Effect.forkChild(
    processes.run({
      ...spawn,
      onStdout: (line) =>
        Effect.suspend(() => {
          said.push(line)
          return line === "ready" ? Deferred.succeed(ready, undefined) : Effect.void
        }),
    }),
  )
  yield* Deferred.await(ready)
  const from = performance.now()
  yield* Effect.all([Fiber.interrupt(fiber), meanwhile], { concurrency: "unbounded" })
  return { said, millis: performance.now() - from }
})

const folder = newFolder()
const local = layer({ folder })
describe("interrupting a child", () => {
  it.live("sends SIGINT first, and what it says while it ends is still read", () =>
    Effect.gen(function* () {
      const token = newToken()
      const script = `trap 'echo bye; exit 0' INT; echo ready; while :; do sleep 0.05; : ${token}; done`
      const { millis, said } = yield* interrupted({ argv: ["sh", "-c", script], graceMillis: 20_000 })
      assert.deepStrictEqual(said, ["ready", "bye"])
      assert.isBelow(millis, 10_000)
      assert.deepStrictEqual(carrying(token), [])
      assert.deepStrictEqual(records(folder), [])
    }).pipe(Effect.provide(local)),
  )

  it.live("sends SIGTERM after the grace to one that ignores SIGINT", () =>
    Effect.gen(function* () {
      const token = newToken()
      const script = `trap '' INT; trap 'echo term; exit 0' TERM; echo ready; while :; do sleep 0.05; : ${token}; done`
      const { millis, said } = yield* interrupted({ argv: ["sh", "-c", script], graceMillis: 300 })
      assert.deepStrictEqual(said, ["ready", "term"])
      assert.isAtLeast(millis, 300)
      assert.deepStrictEqual(carrying(token), [])
    }).pipe(Effect.provide(local)),
  )

  it.live("kills one that ignores both after the second grace", () =>
    Effect.gen(function* () {
      const token = newToken()
      const script = `trap '' INT TERM; echo ready; while :; do sleep 0.05; : ${token}; done`
      const { millis } = yield* interrupted({ argv: ["sh", "-c", script], graceMillis: 200 })
      assert.isAtLeast(millis, 400)
      assert.deepStrictEqual(carrying(token), [])
    }).pipe(Effect.provide(local)),
  )

  it.live("finds a grandchild that left the group by setsid and ignores SIGINT", () =>
    Effect.gen(function* () {
      const token = newToken()
      const stray = `setsid sh -c "trap '' INT; while :; do sleep 0.05; : ${token}; done"`
      const child = { argv: ["sh", "-c", `${stray} & echo ready; wait`], graceMillis: 200 }
      yield* interrupted(child, Effect.void)
      assert.deepStrictEqual(carrying(token), [])
    }).pipe(Effect.provide(local)),
  )

  it.live("spares a stranger with the same argv", () =>
    Effect.gen(function* () {
      const token = newToken()
      const argv = ["sh", "-c", `echo ready; while :; do sleep 0.05; : ${token}; done`]
      const stranger = Bun.spawn(argv, { stdio: ["ignore", "ignore", "ignore"], detached: true })
      yield* interrupted({ argv, graceMillis: 5_000 })
      assert.deepStrictEqual(carrying(token), [stranger.pid])
      stranger.kill("SIGKILL")
      yield* Effect.promise(() => stranger.exited)
    }).pipe(Effect.provide(local)),
  )

  it.live("waits for no grace once the operator is in a hurry", () =>
    Effect.gen(function* () {
      const token = newToken()
      const script = `trap 'echo got it' INT; trap '' TERM; echo ready; while :; do sleep 0.05; : ${token}; done`
      const { millis } = yield* interrupted({ argv: ["sh", "-c", script], graceMillis: 60_000 }, skipGrace)
      assert.isBelow(millis, 10_000)
      assert.deepStrictEqual(carrying(token), [])
    }).pipe(Effect.provide(local), Effect.provideService(Hurry, Latch.makeUnsafe(false))),
  )
})

describe("kill -9 of the owner", () => {
  it.live("leaves nothing alive: not one that ignores signals, not one that left the group", () =>
    Effect.gen(function* () {
      const place = newFolder()
      const token = newToken()
      const loop = `while :; do sleep 0.05; : ${token}; done`
      const owner = startOwner(place, 300, [
        ["sh", "-c", `setsid sh -c '${loop}' & ${loop}`],
        ["sh", "-c", `trap '' INT TERM; ${loop}`],
        ["sh", "-c", `setsid sh -c "trap '' INT TERM; ${loop}" & exit 0`],
      ])
      yield* eventually("the children run", () => records(place).length >= 2 && programs(token).length >= 3)
      owner.kill("SIGKILL")
      yield* Effect.promise(() => owner.exited)
      yield* eventually("all are gone", () => carrying(token).length === 0)
      const leftovers = yield* stopLeftovers(place)
      assert.deepStrictEqual(
        leftovers.flatMap((left) => left.stopped),
        [],
      )
      assert.deepStrictEqual(records(place), [])
    }),
  )

  it.live("lets a resume stop what is left where the watchers died too, and only that", () =>
    Effect.gen(function* () {
      const place = newFolder()
      const token = newToken()
      const loop = `while :; do sleep 0.05; : ${token}; done`
      const argv = ["sh", "-c", `setsid sh -c '${loop}' & ${loop}`]
      const owner = startOwner(place, 300, [argv])
      const stranger = Bun.spawn(["sh", "-c", loop], { stdio: ["ignore", "ignore", "ignore"], detached: true })
      yield* eventually("the children run", () => records(place).length === 1 && programs(token).length >= 3)
      assert.deepStrictEqual(yield* stopLeftovers(place), [], "while the owner lives its children are its own")
      const watchers = carrying(token).filter((pid) => !programs(token).includes(pid) && pid !== owner.pid)
      owner.kill("SIGSTOP")
      for (const pid of watchers) process.kill(pid, "SIGKILL")
      owner.kill("SIGKILL")
      yield* Effect.promise(() => owner.exited)
      const [left, ...others] = yield* stopLeftovers(place)
      assert.deepStrictEqual(others, [])
      assert.deepStrictEqual(left.record.mark, { run: "run-1", task: "work", attempt: 2 })
      assert.isAtLeast(left.stopped.length, 2)
      assert.deepStrictEqual(left.remaining, [])
      assert.deepStrictEqual(programs(token), [stranger.pid])
      assert.deepStrictEqual(records(place), [])
      stranger.kill("SIGKILL")
      yield* Effect.promise(() => stranger.exited)
    }),
  )

  it.live("never makes a resume stop a process that got a recorded pid later, or after a restart of the machine", () =>
    Effect.gen(function* () {
      const stranger = Bun.spawn(["sleep", "1000"], { stdio: ["ignore", "ignore", "ignore"], detached: true })
      const started = lookUp(stranger.pid)?.started ?? assert.fail("the stranger does not run")
      const base = { pid: stranger.pid, child: "none", program: "/bin/sleep", graceMillis: 10 }
      const owner = { pid: process.pid, started: "1" }
      for (const record of [
        { ...base, owner, started: "7", boot: bootId() },
        { ...base, owner, started, boot: "another boot" },
      ]) {
        const place = newFolder()
        write(place, record)
        const leftovers = yield* stopLeftovers(place)
        assert.deepStrictEqual(
          leftovers.flatMap((left) => left.stopped),
          [],
        )
        assert.isTrue(isAlive(stranger.pid, started))
        assert.deepStrictEqual(records(place), [])
      }
      stranger.kill("SIGKILL")
      yield* Effect.promise(() => stranger.exited)
    }),
  )
})
