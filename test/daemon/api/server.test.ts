import * as Fs from "node:fs/promises"
import { connect } from "node:net"
import { join } from "node:path"
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as ApiPlace from "./api-place.ts"

/** Writes bytes to a port and reads what comes until the other side closes; `drip` is written again and again. */
const raw = (port: number, text: string, drip?: string) =>
  Effect.callback<string>((resume) => {
    let got = ""
    let timer: ReturnType<typeof setInterval> | undefined
    const socket = connect(port, "127.0.0.1", () => {
      socket.write(text)
      if (drip !== undefined) timer = setInterval(() => socket.write(drip), 100)
    })
    socket.on("data", (data) => (got += data.toString()))
    socket.on("error", () => {})
    socket.on("close", () => {
      clearInterval(timer)
      resume(Effect.succeed(got))
    })
    return Effect.sync(() => socket.destroy())
  })

const bodyOf = (response: string) => JSON.parse(response.slice(response.indexOf("\r\n\r\n") + 4))

describe("the API", () => {
  it.live("answers a monitor without a token, and nobody else", () =>
    Effect.gen(function* () {
      const { call, token } = yield* ApiPlace.make()
      assert.deepStrictEqual((yield* call("/livez")).body, { status: "alive" })
      assert.deepStrictEqual((yield* call("/readyz")).body, { status: "ready", leader: true })
      const wrong = [undefined, "", "nonsense", `dandori_${"A".repeat(43)}`]
      for (const path of ["/api/v1/runs", "/api/v1/openapi.json", "/api/v1/tokens", "/metrics"]) {
        for (const given of wrong) {
          const refused = yield* call(path, given === undefined ? {} : { token: given })
          assert.strictEqual(refused.status, 401, path)
          assert.deepInclude(refused.body, { status: 401, code: "TokenMissing" })
          assert.match(refused.headers.get("www-authenticate") ?? "", /^Bearer/)
        }
      }
      const viewer = yield* token("vera", "viewer")
      const runs = yield* call("/api/v1/runs", { token: viewer })
      assert.deepStrictEqual(runs.body, { runs: [] })
      assert.strictEqual(runs.headers.get("cache-control"), "no-store")
      assert.strictEqual(runs.headers.get("x-content-type-options"), "nosniff")
      assert.match(runs.headers.get("content-security-policy") ?? "", /default-src 'none'.*frame-ancestors 'none'/)
      const metrics = yield* call("/metrics", { token: viewer })
      assert.match(metrics.headers.get("content-type") ?? "", /^application\/openmetrics-text; version=1\.0\.0/)
      assert.match(metrics.text, /# EOF\n$/)
    }),
  )

  it.live("takes no requests that change anything while its daemon is not ready, and still tells what it knows", () =>
    Effect.gen(function* () {
      const place = yield* ApiPlace.make()
      const admin = yield* place.token("ada", "admin")
      place.standing.current = { ready: false, leader: false, why: "the database is away" }
      const ready = yield* place.call("/readyz")
      assert.deepInclude(ready.body, { status: 503, code: "NotReady" })
      assert.isNotNull(ready.headers.get("retry-after"))
      assert.strictEqual((yield* place.call("/livez")).status, 200)
      assert.strictEqual((yield* place.call("/api/v1/runs", { token: admin })).status, 200)
      const refused = yield* place.post("/api/v1/pipelines/good/runs", admin, {})
      assert.deepInclude(refused.body, { status: 503, code: "NotReady" })
      assert.match(refused.body.detail, /the database is away/)
      assert.isNotNull(refused.headers.get("retry-after"))
      assert.deepStrictEqual((yield* place.call("/api/v1/runs", { token: admin })).body, { runs: [] })
      const head = yield* place.call("/livez", { method: "HEAD" })
      assert.strictEqual(head.status, 200)
      assert.strictEqual(head.text, "")
    }),
  )

  it.live("answers every error with a problem", () =>
    Effect.gen(function* () {
      const { call, post, token } = yield* ApiPlace.make({ body: "4KiB" })
      const admin = yield* token("ada", "admin")
      const there = "/api/v1/runs/0190a000-0000-7000-8000-000000000001"
      const json = { "content-type": "application/json" }
      const cases = [
        [yield* call("/api/v1/nothing", { token: admin }), 404, "NotFound"],
        [yield* call("/api/v1/../../etc/passwd", { token: admin }), 404, "NotFound"],
        [yield* call("/api/v1/runs/..%2f..%2f..%2fetc%2fpasswd", { token: admin }), 400, "RequestInvalid"],
        [yield* call("/api/v1/runs/%00", { token: admin }), 400, "RequestInvalid"],
        [yield* call("/api/v1/runs/%ff", { token: admin }), 400, "RequestInvalid"],
        [yield* call(there, { token: admin }), 404, "RunMissing"],
        [yield* call(`${there}/events`, { token: admin }), 404, "RunMissing"],
        [yield* call("/api/v1/runs?limit=x", { token: admin }), 400, "RequestInvalid"],
        [yield* call("/api/v1/runs", { token: admin, method: "DELETE" }), 405, "MethodNotAllowed"],
        [
          yield* call(`${there}/cancel`, { token: admin, method: "POST", body: "{", headers: json }),
          400,
          "RequestInvalid",
        ],
        [
          yield* call(`${there}/cancel`, { token: admin, method: "POST", body: "[]", headers: json }),
          400,
          "RequestInvalid",
        ],
        [yield* post(`${there}/cancel`, admin, { reason: "x", other: 1 }), 400, "RequestInvalid"],
        [yield* post(`${there}/cancel`, admin, { reason: " " }), 400, "RequestInvalid"],
        [yield* post(`${there}/cancel`, admin, { reason: "\ud800" }), 400, "RequestInvalid"],
        [yield* post(`${there}/cancel`, admin, { reason: "x".repeat(5_000) }), 413, "BodyTooLarge"],
        [yield* post(`${there}/cancel`, admin, { reason: "x" }), 404, "RunMissing"],
        [
          yield* call(`${there}/cancel`, {
            token: admin,
            method: "POST",
            body: "reason=x",
            headers: { "content-type": "text/plain" },
          }),
          415,
          "MediaTypeUnknown",
        ],
      ] as const
      for (const [answer, status, code] of cases) {
        assert.strictEqual(answer.status, status, answer.text)
        assert.match(answer.headers.get("content-type") ?? "", /^application\/problem\+json/)
        assert.deepInclude(answer.body, { type: "about:blank", status, code })
        assert.strictEqual(answer.headers.get("x-content-type-options"), "nosniff")
        assert.notInclude(answer.text, "<")
      }
      assert.strictEqual(cases[8][0].headers.get("allow"), "GET, HEAD")
      assert.deepStrictEqual(cases[7][0].body.errors[0].path, ["query", "limit"])
    }),
  )

  it.live("refuses what is addressed to another name, or sent by a page of another site", () =>
    Effect.gen(function* () {
      const { call, port, token, url } = yield* ApiPlace.make()
      const viewer = yield* token("vera", "viewer")
      const from = (headers: Readonly<Record<string, string>>) => call("/api/v1/runs", { token: viewer, headers })
      for (const host of [`localhost:${port}`, `127.0.0.1:${port}`, "dandori.example", "DANDORI.example."]) {
        assert.strictEqual((yield* from({ host })).status, 200, host)
      }
      for (const host of ["evil.example", "127.0.0.1.evil.example", "10.1.2.3", "a b"]) {
        const refused = yield* from({ host })
        assert.strictEqual(refused.status, 421, host)
        assert.strictEqual(refused.body.code, "HostUnknown")
      }
      assert.strictEqual((yield* from({ origin: url })).status, 200)
      for (const headers of [
        { origin: "http://evil.example" },
        { origin: "null" },
        { "sec-fetch-site": "cross-site" },
      ]) {
        const refused = yield* from(headers as Record<string, string>)
        assert.strictEqual(refused.status, 403)
        assert.strictEqual(refused.body.code, "OriginRefused")
        assert.isNull(refused.headers.get("access-control-allow-origin"))
      }
    }),
  )

  it.live("turns away an address that asks too often, and says when to come again, but never a monitor", () =>
    Effect.gen(function* () {
      const { call } = yield* ApiPlace.make({ requests_per_minute: 5 })
      const monitored = Effect.forEach(["/livez", "/readyz", "/livez", "/readyz?now"], (path) => call(path))
      for (const { status } of yield* monitored) assert.strictEqual(status, 200)
      const answers = yield* Effect.forEach([1, 2, 3, 4, 5, 6], () => call("/api/v1/whoami"))
      assert.deepStrictEqual(
        answers.map(({ status }) => status),
        [401, 401, 401, 401, 401, 429],
      )
      assert.match(answers[5].headers.get("retry-after") ?? "", /^([1-9]|1[0-2])$/)
      assert.strictEqual(answers[5].body.code, "TooManyRequests")
      for (const { status } of yield* monitored) assert.strictEqual(status, 200)
    }),
  )

  it.live("does not wait for who sends slowly, and takes only so much", () =>
    Effect.gen(function* () {
      const { port, token } = yield* ApiPlace.make({ body: "4KiB", request_timeout: "1s" })
      const bearer = `Authorization: Bearer ${yield* token("ada", "admin")}\r\n`
      const head = "POST /api/v1/tokens HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
      const slow = yield* Effect.all(
        [
          raw(port, ""),
          raw(port, "GET /livez HTTP/1.1\r\nHost: localhost\r\nX-Slow: ", "a"),
          raw(port, `${head}Content-Length: 1000\r\n\r\n`, "a"),
          raw(port, `${head}Content-Length: 1000\r\n\r\n{`),
        ],
        { concurrency: "unbounded" },
      )
      for (const answer of slow) {
        assert.match(answer, /^HTTP\/1\.1 (408|401) /)
        if (answer.startsWith("HTTP/1.1 408")) assert.deepInclude(bodyOf(answer), { code: "RequestTimeout" })
      }
      const chunks = `${"400\r\n"}${"a".repeat(1_024)}\r\n`.repeat(8)
      const close = "Connection: close\r\n"
      const chunked = yield* raw(port, `${head}${close}Transfer-Encoding: chunked\r\n\r\n${chunks}0\r\n\r\n`)
      assert.match(chunked, /^HTTP\/1\.1 401 /)
      const whole = `${head}${bearer}${close}Transfer-Encoding: chunked\r\n\r\n${chunks}0\r\n\r\n`
      assert.match(yield* raw(port, whole), /^HTTP\/1\.1 413 /)
      const large = yield* raw(port, `${head}Content-Length: 1000000\r\n\r\n`)
      assert.match(large, /^HTTP\/1\.1 413 /)
      const garbage = yield* raw(port, "GARBAGE\r\n\r\n")
      assert.match(garbage, /^HTTP\/1\.1 400 /)
      assert.deepInclude(bodyOf(garbage), { code: "RequestInvalid" })
      const headed = yield* raw(port, `GET /livez HTTP/1.1\r\nHost: localhost\r\nX: ${"a".repeat(100_000)}\r\n\r\n`)
      assert.match(headed, /^HTTP\/1\.1 431 /)
    }),
  )

  it.live("answers who does not send the whole body in time, a webhook too, that it was not taken", () =>
    Effect.gen(function* () {
      const { port, token } = yield* ApiPlace.make({ request_timeout: "1s" })
      const started = `/pipelines/given/runs HTTP/1.1\r\nAuthorization: Bearer ${yield* token("ada", "admin")}`
      const hooked = "/hooks/given HTTP/1.1\r\nwebhook-id: a\r\nwebhook-timestamp: 1\r\nwebhook-signature: v1,AAAA"
      const ends = [
        "Content-Length: 23\r\n\r\n",
        'Content-Length: 23\r\n\r\n{"par',
        'Transfer-Encoding: chunked\r\n\r\n5\r\n{"par',
      ]
      const requests = [started, hooked].flatMap((head) =>
        ends.map((end) => `POST /api/v1${head}\r\nHost: localhost\r\nContent-Type: application/json\r\n${end}`),
      )
      const answers = yield* Effect.forEach(requests, (request) => raw(port, request), { concurrency: "unbounded" })
      for (const answer of answers) {
        assert.match(answer, /^HTTP\/1\.1 408 [^]*\r\ncontent-type: application\/problem\+json\r\n/i)
        assert.deepInclude(bodyOf(answer), { status: 408, title: "Request Timeout", code: "RequestTimeout" })
      }
    }),
  )

  it.live("lets in who can open its socket, as the machine's user and without a token", () =>
    Effect.gen(function* () {
      const { call, home } = yield* ApiPlace.make()
      const unix = join(home, "daemon.sock")
      assert.strictEqual((yield* Effect.promise(() => Fs.stat(unix))).mode & 0o777, 0o600)
      const me = yield* call("/api/v1/whoami", { unix })
      assert.deepStrictEqual(me.body, { authid: "local", authtype: "user", role: "admin" })
      const wrong = yield* call("/api/v1/whoami", { unix, token: "wrong" })
      assert.strictEqual(wrong.status, 401)
    }),
  )
})
