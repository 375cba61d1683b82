import * as Fs from "node:fs/promises"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Libc from "../../src/services/libc.ts"
import * as ServiceManager from "../../src/services/service-manager.ts"
import * as Datagrams from "../support/datagrams.ts"

const folder = Effect.acquireRelease(
  Effect.promise(() => Fs.mkdtemp(join(tmpdir(), "n-"))),
  (path) => Effect.promise(() => Fs.rm(path, { recursive: true, force: true })),
)

/** Abstract names are Linux' own. */
const kinds = process.platform === "linux" ? [false, true] : [false]

describe("service manager", () => {
  for (const abstract of kinds) {
    it.live(`is told each state in the words of sd_notify, at ${abstract ? "an abstract name" : "a path"}`, () =>
      Effect.gen(function* () {
        const name = Datagrams.nameIn(yield* folder, abstract)
        const { next } = yield* Datagrams.receive(name)
        const { tell } = ServiceManager.ofEnvironment({ NOTIFY_SOCKET: name })
        yield* tell("ready")
        assert.strictEqual(yield* next, "READY=1")
        const before = Libc.awakeMillis()
        yield* tell("reloading")
        const after = Libc.awakeMillis()
        const [words, time] = (yield* next).split("\n")
        assert.strictEqual(words, "RELOADING=1")
        const micros = Number(/^MONOTONIC_USEC=(\d+)$/.exec(time)?.[1])
        assert.isTrue(micros >= Math.floor(before * 1_000) && micros <= after * 1_000, `${micros}`)
        yield* tell({ status: "42 runs\nMAINPID=1\0of 段取り" })
        assert.strictEqual(yield* next, "STATUS=42 runs MAINPID=1 of 段取り")
        yield* tell("alive")
        assert.strictEqual(yield* next, "WATCHDOG=1")
        yield* tell("stopping")
        assert.strictEqual(yield* next, "STOPPING=1")
      }),
    )
  }

  it.live("that is away, or does not read, makes nobody wait, and is named with what to do", () =>
    Effect.gen(function* () {
      const name = Datagrams.nameIn(yield* folder, false)
      const { tell } = ServiceManager.ofEnvironment({ NOTIFY_SOCKET: name })
      const missing = yield* Effect.flip(tell("ready"))
      assert.strictEqual(missing.code, "ENOENT")
      assert.include(missing.message, `${name} cannot be told: nothing is there`)
      const { child } = yield* Datagrams.receive(name)
      child.kill("SIGSTOP")
      const full = yield* Effect.flip(Effect.forever(tell("alive")))
      assert.strictEqual(full.code, "EAGAIN")
      child.kill("SIGKILL")
      yield* Effect.promise(() => child.exited)
      assert.strictEqual((yield* Effect.flip(tell("alive"))).code, "ECONNREFUSED")
    }),
  )

  for (const name of ["notify.sock", "vsock:2:1234", `/${"x".repeat(200)}`, "@"]) {
    it.effect(`refuses the address ${name.slice(0, 20)}`, () =>
      Effect.gen(function* () {
        const { message } = yield* Effect.flip(ServiceManager.ofEnvironment({ NOTIFY_SOCKET: name }).tell("ready"))
        assert.include(message, "neither a path nor a name that begins with @")
      }),
    )
  }

  it.effect("that is not there is told nothing, and watches nothing", () =>
    Effect.gen(function* () {
      for (const env of [{}, { NOTIFY_SOCKET: "" }, { WATCHDOG_USEC: "1000000" }]) {
        const { tell, watchdogMillis } = ServiceManager.ofEnvironment(env)
        yield* tell("ready")
        assert.isUndefined(watchdogMillis)
      }
    }),
  )

  it("watches by a time that is meant for this process only", () => {
    const watched = (words: Record<string, string>) =>
      ServiceManager.ofEnvironment({ NOTIFY_SOCKET: "/run/x", ...words }).watchdogMillis
    assert.strictEqual(watched({ WATCHDOG_USEC: "3000000" }), 3_000)
    assert.strictEqual(watched({ WATCHDOG_USEC: "3000000", WATCHDOG_PID: String(process.pid) }), 3_000)
    assert.isUndefined(watched({ WATCHDOG_USEC: "3000000", WATCHDOG_PID: String(process.pid + 1) }))
    for (const wrong of ["", "0", "-1", "3s", "1e9", "99999999999999999999"]) {
      assert.isUndefined(watched({ WATCHDOG_USEC: wrong }), wrong)
    }
  })
})
