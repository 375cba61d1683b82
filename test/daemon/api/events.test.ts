import * as Fs from "node:fs/promises"
import { connect, type Socket } from "node:net"
import { join } from "node:path"
import { assert, describe, it } from "@effect/vitest"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import { Host } from "../../../src/daemon/host.ts"
import { Ledger } from "../../../src/ledger/ledger.ts"
import * as StreamName from "../../../src/ledger/stream-name.ts"
import * as ApiPlace from "./api-place.ts"

type Place = Effect.Success<ReturnType<typeof ApiPlace.make>>

const who = { authid: "olga", authtype: "api_key" } as const

const start = ({ services }: Place, pipeline: string) =>
  Context.get(services, Host).start({ pipeline, params: {}, run: Bun.randomUUIDv7(), who, trigger: "api" })

/** The events of a text of server-sent events. */
const eventsOf = (text: string) =>
  text
    .split("\n\n")
    .filter((block) => block.startsWith("id: "))
    .map((block) => {
      const [id, event, data] = block.split("\n").map((line) => line.slice(line.indexOf(": ") + 2))
      return { id: Number(id), event, data: JSON.parse(data) }
    })

/** Opens a stream of events and reads on until the text fits, or the stream ends. */
const listen = ({ url }: Place, path: string, token: string, until?: (text: string) => boolean) =>
  Effect.promise(async (signal) => {
    const response = await fetch(`${url}${path}`, { signal, headers: { authorization: `Bearer ${token}` } })
    assert.strictEqual(response.status, 200)
    assert.match(response.headers.get("content-type") ?? "", /^text\/event-stream/)
    const decoder = new TextDecoder()
    let text = ""
    const reader = response.body?.getReader()
    for (let part = await reader?.read(); part?.done === false; part = await reader?.read()) {
      text += decoder.decode(part.value, { stream: true })
      if (until?.(text) === true) {
        await reader?.cancel()
        break
      }
    }
    return text
  })

describe("the events of a run", () => {
  it.live("come in order as they were sealed, from any sequence on, and end with the run", () =>
    Effect.gen(function* () {
      const place = yield* ApiPlace.make()
      const viewer = yield* place.token("vera", "viewer")
      const { run } = yield* start(place, "good")
      const path = `/api/v1/runs/${run}/events`
      const text = yield* listen(place, path, viewer)
      const events = eventsOf(text)
      assert.deepStrictEqual(
        events.map(({ id }) => id),
        events.map((_, n) => n + 1),
      )
      assert.strictEqual(events[0].event, "dev.dandori.run.created.v1")
      assert.deepInclude(events[0].data, { authid: "olga", authtype: "api_key", sequence: "1" })
      assert.strictEqual(events[1].data.prevhash, events[0].data.entryhash)
      assert.strictEqual(events.at(-1)?.event, "dev.dandori.run.finished.v1")
      const file = yield* Effect.promise(() => Bun.$`cat ${place.home}/ledger/runs/*/*/${run}.ndjson`.text())
      assert.deepStrictEqual(
        events.map(({ data }) => data),
        file
          .trim()
          .split("\n")
          .map((line) => JSON.parse(line)),
      )
      const later = eventsOf(yield* listen(place, `${path}?after=2`, viewer))
      assert.deepStrictEqual(later, events.slice(2))
      const resumed = yield* place.call(path, { token: viewer, headers: { "last-event-id": "3" } })
      assert.deepStrictEqual(eventsOf(resumed.text), events.slice(3))
      const over = yield* place.call(path, { token: viewer, headers: { "last-event-id": String(events.length) } })
      assert.strictEqual(over.status, 204)
      assert.strictEqual((yield* place.call(`${path}?after=-1`, { token: viewer })).status, 400)
    }),
  )

  it.live("are told by no word where the stream was altered", () =>
    Effect.gen(function* () {
      const place = yield* ApiPlace.make()
      const viewer = yield* place.token("vera", "viewer")
      const { run } = yield* start(place, "good")
      yield* listen(place, `/api/v1/runs/${run}/events`, viewer)
      const [file] = yield* Effect.promise(() =>
        Array.fromAsync(new Bun.Glob(`**/${run}.ndjson`).scan(`${place.home}/ledger`)),
      )
      const path = join(place.home, "ledger", file)
      yield* Effect.promise(async () => {
        await Fs.chmod(path, 0o600)
        await Fs.writeFile(path, (await Fs.readFile(path, "utf8")).replace("hello", "hallo"))
      })
      const altered = yield* place.call(`/api/v1/runs/${run}/events`, { token: viewer })
      assert.strictEqual(altered.status, 409)
      assert.strictEqual(altered.body.code, "StreamDamaged")
    }),
  )

  it.live(
    "reach two thousand who listen at once, and are read once for all of them",
    () =>
      Effect.gen(function* () {
        const place = yield* ApiPlace.make()
        const viewer = yield* place.token("vera", "viewer")
        const operator = yield* place.token("olga", "operator")
        const { run } = yield* start(place, "hanging")
        const count = 2_000
        const limits = yield* Effect.promise(() => Fs.readFile("/proc/self/limits", "utf8"))
        const files = /^Max open files\s+(\d+|unlimited)/m.exec(limits)?.[1]
        // Both ends of each connection are this process's.
        assert.isTrue(files === "unlimited" || Number(files) > 2 * count + 200, `ulimit -n is ${files}; raise it`)
        const head = `GET /api/v1/runs/${run}/events HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer ${viewer}\r\n\r\n`
        const sockets: Array<Socket> = []
        yield* Effect.addFinalizer(() => Effect.sync(() => sockets.forEach((socket) => socket.destroy())))
        let opened = 0
        let ended = 0
        let allOpen = () => {}
        let allEnded = () => {}
        const whenOpen = new Promise<void>((resolve) => (allOpen = resolve))
        const whenEnded = new Promise<void>((resolve) => (allEnded = resolve))
        for (let n = 0; n < count; n++) {
          let text = ""
          const told = { started: false, finished: false }
          const socket = connect(place.port, "127.0.0.1", () => socket.write(head))
          socket.on("error", () => {})
          socket.on("data", (data) => {
            text += data.toString()
            if (!told.started && text.includes("attempt.started.v1")) {
              told.started = true
              if (++opened === count) allOpen()
            }
            if (!told.finished && text.includes("event: dev.dandori.run.finished.v1")) {
              told.finished = true
              if (++ended === count) allEnded()
            }
          })
          sockets.push(socket)
        }
        yield* Effect.promise(() => whenOpen)
        // While all of them listen, others are answered.
        assert.strictEqual((yield* place.call("/livez")).status, 200)
        const cancelled = yield* place.post(`/api/v1/runs/${run}/cancel`, operator, { reason: "enough" })
        assert.strictEqual(cancelled.status, 200, cancelled.text)
        yield* Effect.promise(() => whenEnded)
        assert.strictEqual(ended, count)
      }),
    60_000,
  )

  it.live("end when the API closes, which waits for no one who listens", () =>
    Effect.gen(function* () {
      const place = yield* ApiPlace.make()
      const viewer = yield* place.token("vera", "viewer")
      const { run } = yield* start(place, "hanging")
      const path = `/api/v1/runs/${run}/events`
      const started = Promise.withResolvers<void>()
      const listening = yield* Effect.forkChild(
        listen(place, path, viewer, (text) => {
          if (text.includes("attempt.started")) started.resolve()
          return false
        }),
      )
      yield* Effect.promise(() => started.promise)
      yield* place.close
      const events = eventsOf(yield* Fiber.join(listening))
      assert.notInclude(
        events.map(({ event }) => event),
        "dev.dandori.run.finished.v1",
      )
      // Its places are free for the next one, and taken by it.
      yield* place.serve
      const second = yield* Effect.flip(Effect.scoped(place.serve))
      assert.match(second.message, /daemon\.sock: another daemon of this project listens there/)
      const me = yield* place.call("/api/v1/whoami", { unix: join(place.home, "daemon.sock") })
      assert.strictEqual(me.status, 200)
    }),
  )

  it.live("are refused beyond the limit of streams, until a client that does not read is dropped", () =>
    Effect.gen(function* () {
      const place = yield* ApiPlace.make({ streams: 1, request_timeout: "1s" })
      const viewer = yield* place.token("vera", "viewer")
      // More than the buffers between the two take.
      const run = Bun.randomUUIDv7()
      const writer = yield* Context.get(place.services, Ledger).create(StreamName.ofRun(run))
      for (let n = 0; n < 150; n++) {
        writer.append({ type: "dev.dandori.cancel.requested.v1", data: { reason: "x".repeat(200_000) } })
      }
      yield* writer.durable
      const path = `/api/v1/runs/${run}/events`
      const socket = connect(place.port, "127.0.0.1")
      yield* Effect.addFinalizer(() => Effect.sync(() => socket.destroy()))
      yield* Effect.promise(() => new Promise((resolve) => socket.once("connect", resolve)))
      socket.write(`GET ${path} HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer ${viewer}\r\n\r\n`)
      yield* Effect.promise(() => new Promise((resolve) => socket.once("readable", resolve)))
      const second = yield* place.call(path, { token: viewer })
      assert.strictEqual(second.status, 503)
      assert.strictEqual(second.body.code, "TooManyStreams")
      const open = Effect.promise(async () => {
        const answer = await fetch(`${place.url}${path}`, { headers: { authorization: `Bearer ${viewer}` } })
        await answer.body?.cancel()
        return answer.status
      })
      yield* Effect.repeat(open, { until: (status) => status === 200 })
      assert.isFalse(socket.destroyed)
    }),
  )
})
