import * as Fs from "node:fs/promises"
import { type IncomingMessage, type ServerResponse, createServer } from "node:http"
import type { AddressInfo } from "node:net"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { assert, describe, it } from "@effect/vitest"
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as Logger from "effect/Logger"
import * as Queue from "effect/Queue"
import { TestClock } from "effect/testing"
import * as DeadMan from "../../src/services/dead-man.ts"
import * as ServiceManager from "../../src/services/service-manager.ts"
import * as Datagrams from "../support/datagrams.ts"

const folder = Effect.acquireRelease(
  Effect.promise(() => Fs.mkdtemp(join(tmpdir(), "dead man "))),
  (path) => Effect.promise(() => Fs.rm(path, { recursive: true, force: true })),
)

const nobody = ServiceManager.ofEnvironment({})
const usual = { everyMillis: 10_000, serviceManager: nobody, healthy: Effect.succeed(true) }

const turn = Effect.promise(() => new Promise<void>((resolve) => setImmediate(resolve)))
/** Lets half of the usual time pass, after what was going on has come to its wait. */
const halfTime = Effect.andThen(turn, TestClock.adjust(5_000))

/** A signal that is being sent: each try, what was logged, and how it goes. */
const started = Effect.fnUntraced(function* (options: Partial<DeadMan.Options>) {
  const tries = yield* Queue.unbounded<string>()
  const said: Array<string> = []
  const listening = Logger.layer([Logger.make(({ message }) => void said.push(String(message)))])
  const onTry = (way: DeadMan.Way, succeeded: boolean) =>
    Effect.asVoid(Queue.offer(tries, `${way} ${succeeded ? "arrived" : "lost"}`))
  const { run, state } = yield* DeadMan.make({ ...usual, onTry, ...options })
  yield* Effect.forkScoped(Effect.provide(run, listening))
  const next = Queue.take(tries)
  const until = (wanted: string) => Effect.repeat(next, { until: (found) => found === wanted })
  return { next, until, said, state }
})

/** An answer whose body is none. */
const broken = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n"

/** A server whose answers are up to a test. */
const server = Effect.gen(function* () {
  const requests: Array<string> = []
  const received = yield* Queue.unbounded<void>()
  let respond = (_: IncomingMessage, response: ServerResponse): void => void response.writeHead(200).end("OK")
  const http = createServer((request, response) => {
    requests.push(`${request.method} ${request.url}`)
    Queue.offerUnsafe(received, undefined)
    respond(request, response)
  })
  yield* Effect.acquireRelease(
    Effect.promise(() => new Promise<void>((resolve) => http.listen(0, "127.0.0.1", resolve))),
    () =>
      Effect.promise(() => {
        http.closeAllConnections()
        return new Promise((resolve) => http.close(resolve))
      }),
  )
  const origin = `http://127.0.0.1:${(http.address() as AddressInfo).port}`
  return { origin, requests, received, answer: (next: typeof respond) => void (respond = next) }
})

const mtime = (path: string) => Effect.promise(async () => (await Fs.stat(path)).mtimeMs)
const long = new Date("2001-01-01T00:00:00Z")

describe("dead-man signal", () => {
  it.effect("renews the time of its file at half of its time, and makes the file where it is missing", () =>
    Effect.gen(function* () {
      const file = join(yield* folder, "alive")
      const { next, state } = yield* started({ file })
      assert.strictEqual(yield* next, "file arrived")
      assert.strictEqual(yield* mtime(file), 0)
      yield* halfTime
      assert.strictEqual(yield* next, "file arrived")
      assert.strictEqual(yield* mtime(file), 5_000)
      yield* Effect.promise(() => Fs.rm(file))
      yield* halfTime
      assert.strictEqual(yield* next, "file arrived")
      assert.strictEqual(yield* mtime(file), 10_000)
      assert.deepStrictEqual(yield* state, [{ way: "file", sent: 3, failures: 0, last: 10_000, problem: undefined }])
    }),
  )

  it.effect("keeps the content of its file, and its time before the first signal", () =>
    Effect.gen(function* () {
      const file = join(yield* folder, "alive")
      yield* Effect.promise(() => Fs.writeFile(file, "kept"))
      yield* Effect.promise(() => Fs.utimes(file, long, long))
      yield* DeadMan.make({ ...usual, file })
      assert.strictEqual(yield* mtime(file), long.getTime())
      const { next } = yield* started({ file })
      yield* next
      assert.strictEqual(yield* mtime(file), 0)
      assert.strictEqual(yield* Effect.promise(() => Fs.readFile(file, "utf8")), "kept")
    }),
  )

  it.live("is refused at the start where its file cannot be written, with what to do", () =>
    Effect.gen(function* () {
      const place = yield* folder
      const refusal = (file: string) => Effect.flip(DeadMan.make({ ...usual, file }))
      const missing = yield* refusal(join(place, "nowhere", "alive"))
      assert.include(missing.message, `there is no folder ${join(place, "nowhere")}; make it`)
      assert.include((yield* refusal(place)).message, "EISDIR")
      const pipe = join(place, "pipe")
      assert.strictEqual(Bun.spawnSync(["mkfifo", pipe]).exitCode, 0)
      assert.include((yield* refusal(pipe)).message, "daemon.dead_man.file")
      const held = Bun.spawn(["sh", "-c", 'exec 3<>"$1"; echo open; exec cat', "sh", pipe], {
        stdin: "pipe",
        stdout: "pipe",
      })
      yield* Effect.addFinalizer(() => Effect.sync(() => held.kill("SIGKILL")))
      yield* Effect.promise(() => held.stdout.getReader().read())
      assert.include((yield* refusal(pipe)).message, "it is no regular file")
    }),
  )

  it.effect("that does not arrive is counted, said once, and said again when it arrives", () =>
    Effect.gen(function* () {
      const place = yield* folder
      const file = join(place, "a", "alive")
      yield* Effect.promise(() => Fs.mkdir(join(place, "a")))
      const { next, said, state } = yield* started({ file })
      assert.strictEqual(yield* next, "file arrived")
      yield* Effect.promise(() => Fs.rename(join(place, "a"), join(place, "b")))
      for (let count = 0; count < 3; count++) {
        yield* halfTime
        assert.strictEqual(yield* next, "file lost")
      }
      const [lost] = yield* state
      assert.deepStrictEqual([lost.sent, lost.failures, lost.last], [1, 3, 0])
      assert.include(lost.problem, "ENOENT")
      assert.strictEqual(said.length, 1)
      assert.include(said[0], `does not arrive by the file ${file}`)
      yield* Effect.promise(() => Fs.rename(join(place, "b"), join(place, "a")))
      for (let count = 0; count < 2; count++) {
        yield* halfTime
        assert.strictEqual(yield* next, "file arrived")
      }
      assert.deepStrictEqual(said.slice(1), [`The dead-man signal by the file ${file} arrives again; 3 did not`])
      assert.isUndefined((yield* state)[0].problem)
    }),
  )

  it.effect("requests its URL; any answer but 2xx, and none in time, is a signal that did not arrive", () =>
    Effect.gen(function* () {
      const { answer, origin, received, requests } = yield* server
      const url = `${origin}/ping/0b5e2a6c-secret?key=also-secret`
      const { next, said, state } = yield* started({ url: Effect.succeed(url) })
      assert.strictEqual(yield* next, "url arrived")
      assert.deepStrictEqual(requests, ["GET /ping/0b5e2a6c-secret?key=also-secret"])
      answer(() => {})
      yield* Queue.clear(received)
      yield* halfTime
      yield* Queue.take(received)
      answer((_, response) => void response.writeHead(200).end("OK"))
      yield* TestClock.adjust(10_000)
      assert.deepStrictEqual([yield* next, yield* next], ["url lost", "url arrived"])
      assert.include(said[0], `${origin}/…: it took more than 10s`)
      const problems: Array<string | undefined> = []
      const lost = Effect.fnUntraced(function* (expected: string) {
        assert.strictEqual(yield* next, "url lost")
        const [{ problem }] = yield* state
        assert.include(problem, expected)
        problems.push(problem)
      })
      for (const [expected, respond] of [
        ["it answered 500", (_, response) => void response.writeHead(500).end()],
        ["", (request) => void request.socket.destroy()],
        ["InvalidHTTPResponse", (request) => void request.socket.end(broken)],
        ["it answered 404", (_, response) => void response.writeHead(404).end()],
        [
          "it leads to another host",
          (_, response) => {
            response.writeHead(302, { location: "http://elsewhere.example/ping/0b5e2a6c-secret" }).end()
          },
        ],
      ] as ReadonlyArray<readonly [string, (request: IncomingMessage, response: ServerResponse) => void]>) {
        answer(respond)
        yield* halfTime
        yield* lost(expected)
      }
      answer((_, response) => void response.writeHead(204).end())
      yield* halfTime
      assert.strictEqual(yield* next, "url arrived")
      assert.strictEqual(said.length, 4, said.join("\n"))
      assert.notMatch([...said, ...problems].join("\n"), /secret|ping/)
      assert.isTrue(
        problems.every((problem) => problem?.startsWith(`${origin}/…: `)),
        problems.join("\n"),
      )
    }),
  )

  it.effect("reads its URL anew for each signal, and says why there is none, without a word of what it is", () =>
    Effect.gen(function* () {
      const { origin, requests } = yield* server
      let url: Effect.Effect<string, { readonly message: string }> = Effect.fail({
        message: "The secret X has no value",
      })
      const { next, said, state } = yield* started({ url: Effect.suspend(() => url) })
      const tryNext = Effect.andThen(halfTime, next)
      assert.strictEqual(yield* next, "url lost")
      assert.strictEqual((yield* state)[0].problem, "The secret X has no value")
      url = Effect.succeed("ftp://secret.example/ping")
      assert.strictEqual(yield* tryNext, "url lost")
      assert.include((yield* state)[0].problem, "it is no http or https URL")
      url = Effect.succeed(`${origin}/ping/first`)
      assert.strictEqual(yield* tryNext, "url arrived")
      url = Effect.succeed(`${origin}/ping/second`)
      assert.strictEqual(yield* tryNext, "url arrived")
      assert.deepStrictEqual(requests, ["GET /ping/first", "GET /ping/second"])
      assert.notMatch(said.join("\n"), /secret\.example|ping/)
    }),
  )

  it.live(
    "by one way does not wait for another: a file is renewed while a URL hangs, and while its server is away",
    () =>
      Effect.gen(function* () {
        const { answer, origin, received } = yield* server
        answer(() => {})
        const file = join(yield* folder, "alive")
        const hanging = yield* started({ url: Effect.succeed(`${origin}/ping`), file, everyMillis: 600_000 })
        assert.strictEqual(yield* hanging.next, "file arrived")
        yield* Queue.take(received)
        const away = yield* started({ url: Effect.succeed("http://127.0.0.1:1/ping"), file, everyMillis: 20 })
        yield* away.until("url lost")
        yield* away.until("file arrived")
        assert.include((yield* away.state).find(({ way }) => way === "url")?.problem, "http://127.0.0.1:1/…")
      }),
  )

  it.live("keeps the service manager's watchdog at half of its time, whatever the other ways have", () =>
    Effect.gen(function* () {
      const name = Datagrams.nameIn(yield* folder, process.platform === "linux")
      const { next } = yield* Datagrams.receive(name)
      const serviceManager = ServiceManager.ofEnvironment({ NOTIFY_SOCKET: name, WATCHDOG_USEC: "60000" })
      const { state } = yield* started({ serviceManager, everyMillis: 600_000 })
      for (let count = 0; count < 3; count++) assert.strictEqual(yield* next, "WATCHDOG=1")
      assert.deepStrictEqual(
        (yield* state).map(({ failures, way }) => [way, failures]),
        [["watchdog", 0]],
      )
    }),
  )

  it.effect("leaves only while the process does its work", () =>
    Effect.gen(function* () {
      const place = yield* folder
      const file = join(place, "alive")
      const name = Datagrams.nameIn(place, false)
      const datagrams = yield* Datagrams.receive(name)
      const serviceManager = ServiceManager.ofEnvironment({ NOTIFY_SOCKET: name, WATCHDOG_USEC: "10000000" })
      let turns = true
      const asked = yield* Queue.unbounded<boolean>()
      const healthy = Effect.sync(() => {
        Queue.offerUnsafe(asked, turns)
        return turns
      })
      const { next, said, state } = yield* started({ file, serviceManager, healthy })
      const both = Effect.map(Effect.all([next, next]), (found) => found.toSorted())
      assert.deepStrictEqual(yield* both, ["file arrived", "watchdog arrived"])
      assert.strictEqual(yield* datagrams.next, "WATCHDOG=1")
      turns = false
      yield* Queue.clear(asked)
      for (let count = 0; count < 3; count++) {
        yield* halfTime
        assert.deepStrictEqual([yield* Queue.take(asked), yield* Queue.take(asked)], [false, false])
      }
      assert.strictEqual(yield* mtime(file), 0)
      for (const { failures, problem, sent } of yield* state) {
        assert.deepStrictEqual([sent, failures], [1, 0])
        assert.include(problem, "the scheduler does not turn")
      }
      turns = true
      yield* halfTime
      assert.deepStrictEqual(yield* both, ["file arrived", "watchdog arrived"])
      assert.strictEqual(yield* mtime(file), 20_000)
      assert.strictEqual(yield* datagrams.next, "WATCHDOG=1")
      assert.strictEqual(said.filter((text) => text.includes("withheld")).length, 2)
      assert.strictEqual(said.filter((text) => text.endsWith("goes on")).length, 2)
    }),
  )

  it.effect("is not put off by a clock that is set back", () =>
    Effect.gen(function* () {
      const file = join(yield* folder, "alive")
      const clock = yield* Clock.Clock
      let setBy = 0
      const set: Clock.Clock = {
        ...clock,
        sleep: (duration) => clock.sleep(duration),
        currentTimeMillisUnsafe: () => clock.currentTimeMillisUnsafe() + setBy,
        currentTimeMillis: Effect.sync(() => clock.currentTimeMillisUnsafe() + setBy),
        currentTimeNanosUnsafe: () => clock.currentTimeNanosUnsafe() + BigInt(setBy) * 1_000_000n,
        currentTimeNanos: Effect.sync(() => clock.currentTimeNanosUnsafe() + BigInt(setBy) * 1_000_000n),
        monotonicTimeNanosUnsafe: () => clock.monotonicTimeNanosUnsafe(),
        monotonicTimeNanos: clock.monotonicTimeNanos,
      }
      const healthy = Effect.sync(() => {
        setBy -= 3_600_000
        return true
      })
      const { next } = yield* Effect.provideService(started({ file, healthy }), Clock.Clock, set)
      assert.strictEqual(yield* next, "file arrived")
      yield* halfTime
      assert.strictEqual(yield* next, "file arrived")
      yield* halfTime
      assert.strictEqual(yield* next, "file arrived")
    }),
  )
})
