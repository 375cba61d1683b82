import { connect } from "node:net"
import { assert, describe, it } from "@effect/vitest"
import { Ajv2020 } from "ajv/dist/2020.js"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as OpenApi from "effect/http-api/OpenApi"
import { Api } from "../../../src/daemon/api/document.ts"
import * as Gate from "../../../src/daemon/api/gate.ts"
import * as Server from "../../../src/daemon/api/server.ts"
import * as ApiPlace from "./api-place.ts"

const { components, paths } = OpenApi.fromApi(Api)
const ajv = new Ajv2020({ strict: false })

/** What an answer says, which the document must know of this path. */
const documented = (path: string, status: number, body: unknown, method: "get" | "post" = "get") => {
  const content = paths[path]?.[method]?.responses?.[status]?.content as
    | Readonly<Record<string, { readonly schema: object }>>
    | undefined
  assert.isDefined(content, `${path} answers ${status}`)
  const validate = ajv.compile({ ...content?.["application/problem+json"].schema, components })
  assert.isTrue(validate(body), `${JSON.stringify(body)}: ${ajv.errorsText(validate.errors)}`)
  return (body as { readonly code: string }).code
}

/** What is answered to a request of these bytes. */
const raw = (port: number, text: string) =>
  Effect.callback<{ readonly status: number; readonly body: unknown }>((resume) => {
    let got = ""
    const socket = connect(port, "127.0.0.1", () => socket.write(text))
    socket.on("data", (data) => (got += data.toString()))
    socket.on("close", () =>
      resume(
        Effect.sync(() => ({
          status: Number(got.split(" ")[1]),
          body: JSON.parse(got.slice(got.indexOf("\r\n\r\n"))),
        })),
      ),
    )
    return Effect.sync(() => socket.destroy())
  })

describe("what is answered before any endpoint", () => {
  it.live("is a problem that the document tells of every path", () =>
    Effect.gen(function* () {
      const place = yield* ApiPlace.make({ body: "4KiB", request_timeout: "1s" })
      const { call, port, standing } = place
      for (const path of ["/livez", "/readyz", "/metrics", "/api/v1/runs", "/api/v1/openapi.json"]) {
        const answered = Effect.fnUntraced(function* (init: RequestInit, expected: string) {
          const { body, status } = yield* call(path, init)
          assert.strictEqual(documented(path, status, body), expected)
        })
        yield* answered({ headers: { host: "evil.example" } }, "HostUnknown")
        yield* answered({ headers: { origin: "http://evil.example" } }, "OriginRefused")
        const large = yield* raw(port, `GET ${path} HTTP/1.1\r\nHost: localhost\r\nX: ${"a".repeat(100_000)}\r\n\r\n`)
        assert.strictEqual(documented(path, large.status, large.body), "HeadTooLarge")
        const long = yield* raw(
          port,
          `GET ${path} HTTP/1.1\r\nHost: localhost\r\nContent-Length: 100000\r\nConnection: close\r\n\r\n`,
        )
        assert.strictEqual(documented(path, long.status, long.body), "BodyTooLarge")
        const garbage = yield* raw(port, `GET ${path}\r\n\r\n`)
        assert.strictEqual(documented(path, garbage.status, garbage.body), "RequestInvalid")
      }
      const slow = yield* raw(port, "GET /livez HTTP/1.1\r\nHost: localhost\r\nX-Slow: a")
      for (const path of ["/livez", "/readyz", "/metrics"]) {
        assert.strictEqual(documented(path, slow.status, slow.body), "RequestTimeout")
      }
      standing.current = { ready: false, leader: false }
      const unready = yield* call("/readyz")
      assert.strictEqual(documented("/readyz", unready.status, unready.body), "NotReady")
      const broken = () => {
        throw new Error("a defect")
      }
      Object.defineProperty(standing, "current", { get: broken })
      const defect = yield* call("/readyz")
      assert.strictEqual(documented("/readyz", defect.status, defect.body), "Defect")
    }),
  )

  it.live("says so to who asks too often, too", () =>
    Effect.gen(function* () {
      const { call } = yield* ApiPlace.make({ requests_per_minute: 1 })
      yield* call("/metrics")
      const { body, status } = yield* call("/metrics")
      assert.strictEqual(documented("/metrics", status, body), "TooManyRequests")
    }),
  )

  it.live("is that it took too long where a handler does, which is ended", () =>
    Effect.gen(function* () {
      const ended = yield* Deferred.make<void>()
      const slow = Effect.onInterrupt(Effect.never, () => Deferred.succeed(ended, undefined))
      const app = Gate.guard(slow, {
        allowedHosts: ["localhost"],
        bodyBytes: 1_000,
        requestMillis: 100,
        requestsPerMinute: 100,
        monitored: new Set(),
        methodsOf: () => [],
      })
      const port = yield* Server.onNetwork(
        app,
        { requestMillis: 10_000, connections: 10 },
        { host: "127.0.0.1", port: 0 },
      )
      const { body, status } = yield* raw(port, "GET /livez HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
      assert.strictEqual(documented("/livez", status, body), "TimedOut")
      assert.strictEqual(status, 503)
      yield* Deferred.await(ended)
    }),
  )
})
