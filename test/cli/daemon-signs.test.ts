import * as Fs from "node:fs/promises"
import { createServer } from "node:http"
import type { AddressInfo } from "node:net"
import { join } from "node:path"
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as ClockLook from "../../src/domain/clock-look.ts"
import { daemon, daemonWith, says, until } from "./daemon-project.ts"
import { dandori, ndjson } from "./evidence-project.ts"
import { edit } from "./guarded-project.ts"
import { project } from "./run-project.ts"

/** A server that counts the requests for each path, and answers as it is told. */
const watcher = Effect.acquireRelease(
  Effect.promise(async () => {
    const answers = { status: 200 }
    const asked: Array<string> = []
    const server = createServer((request, response) => {
      asked.push(`${request.method} ${request.url}`)
      response.writeHead(answers.status).end()
    })
    await new Promise<void>((done) => void server.listen(0, "127.0.0.1", done))
    return { answers, asked, server, url: `http://127.0.0.1:${(server.address() as AddressInfo).port}` }
  }),
  ({ server }) =>
    Effect.promise(async () => {
      server.closeAllConnections()
      await new Promise((done) => void server.close(done))
    }),
)

const deadMan = (folder: string, ...lines: ReadonlyArray<string>) =>
  edit(folder, "configs/base/daemon.yaml", "dead_man:\n  every: 10s", ["dead_man:", "every: 1s", ...lines].join("\n  "))

describe("what is to be seen of a daemon from outside", () => {
  it.live("is a file whose time is renewed for as long as it goes on", () =>
    Effect.gen(function* () {
      const folder = yield* project
      yield* deadMan(folder, "file: alive")
      const process = yield* daemon(folder)
      const time = Effect.promise(() =>
        Fs.stat(join(folder, "alive")).then(
          ({ mtimeMs }) => mtimeMs,
          () => undefined,
        ),
      )
      const times: Array<number> = []
      for (let n = 0; n < 3; n++) {
        const last = times.at(-1) ?? 0
        times.push(yield* until(Effect.map(time, (now) => (now !== undefined && now > last ? now : undefined))))
      }
      // An alarm looks from another process: a time that somebody sets back is renewed as well.
      yield* Effect.promise(() => Fs.utimes(join(folder, "alive"), 1, 1))
      yield* until(Effect.map(time, (now) => (now !== undefined && now > times[0] ? now : undefined)))
      process.signal("SIGTERM")
      assert.strictEqual(yield* process.ended, 0, process.said())
    }),
  )

  it.live("is a request to what the URL refers to; what does not arrive is said, without the URL's key", () =>
    Effect.gen(function* () {
      const folder = yield* project
      const { answers, asked, url } = yield* watcher
      yield* deadMan(folder, 'url: "${env:TEST_DEAD_MAN_URL}"')
      const process = yield* daemonWith({ TEST_DEAD_MAN_URL: `${url}/ping/hidden-key` }, folder)
      const more = (count: number) =>
        Effect.suspend(() => {
          const before = asked.length
          return until(Effect.sync(() => (asked.length >= before + count ? true : undefined)))
        })
      yield* more(3)
      answers.status = 503
      yield* says(process, /The dead-man signal does not arrive by the URL of daemon\.dead_man\.url: .*it answered 503/)
      yield* more(2)
      answers.status = 204
      yield* says(process, /The dead-man signal by the URL of daemon\.dead_man\.url arrives again/)
      process.signal("SIGTERM")
      assert.strictEqual(yield* process.ended, 0, process.said())
      assert.deepStrictEqual([...new Set(asked)], ["GET /ping/hidden-key"])
      assert.notInclude(process.said(), "hidden-key")
    }),
  )

  it.live("is, in the stream system, a time in which it was stopped", () =>
    Effect.gen(function* () {
      const folder = yield* project
      const process = yield* daemon(folder)
      yield* says(process, /Leading/)
      yield* says(process, /The API listens/)
      const pauses = Effect.map(dandori(folder, "ledger", "show", "system", "--json"), ({ out }) =>
        ndjson(out).flatMap(({ data, type }) =>
          type === "dev.dandori.process.paused.v1" ? [data as typeof ClockLook.ProcessPaused.Type] : [],
        ),
      )
      const stopped = ClockLook.pauseMillis + 1_000
      const before = Date.now()
      process.signal("SIGSTOP")
      // What is measured is time: it passes here, and a busy machine only makes it longer.
      yield* Effect.sleep(stopped)
      process.signal("SIGCONT")
      const [, millis] = yield* says(process, /The process paused for (\d+\.\d) s/)
      const found = yield* until(Effect.map(pauses, (all) => all.find(({ to }) => to >= before + stopped)))
      assert.isAtLeast(found.millis, ClockLook.pauseMillis)
      // Each is rounded to a millisecond by itself.
      assert.closeTo(found.to - found.from, found.millis, 1)
      assert.isAbove(Number(millis), 0)
      assert.strictEqual(found.env, "dev")
      process.signal("SIGTERM")
      assert.strictEqual(yield* process.ended, 0, process.said())
    }),
  )
})
