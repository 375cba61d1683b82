import { createServer } from "node:net"
import type { AddressInfo } from "node:net"
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Http from "../../src/services/http.ts"
import * as HttpPost from "../../src/services/http-post.ts"

/** A server that answers each request with the same bytes and closes the connection. */
const server = (bytes: string) =>
  Effect.acquireRelease(
    Effect.promise(
      () =>
        new Promise<ReturnType<typeof createServer>>((resolve) => {
          const listening = createServer((socket) => {
            socket.on("error", () => {})
            socket.on("data", () => socket.end(bytes))
          }).listen(0, "127.0.0.1", () => resolve(listening))
        }),
    ),
    (listening) => Effect.promise(() => new Promise((resolve) => listening.close(resolve))),
  ).pipe(Effect.map((listening) => `http://127.0.0.1:${(listening.address() as AddressInfo).port}`))

const chunked = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n"

describe("what is said of a request that failed", () => {
  for (const [what, bytes] of [
    ["no HTTP", "garbage\r\n\r\n"],
    ["half of a body", "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nabc"],
    ["chunks that are none", chunked],
    ["a redirect to nowhere", "HTTP/1.1 302 Found\r\nLocation: http://[::secret\r\nContent-Length: 0\r\n\r\n"],
  ]) {
    it.live(`holds nothing of what may be secret in its URL, when the answer is ${what}`, () =>
      Effect.gen(function* () {
        const origin = yield* server(bytes)
        const request = { method: "GET", headers: {}, timeoutMillis: 10_000, maxBytes: 100, isAnswer: () => false }
        const sent = yield* Effect.flip(Http.send({ ...request, url: `${origin}/path?key=secret` }))
        assert.include(sent.message, `${origin}/path`)
        assert.notInclude(sent.message, "secret")
        const post = { url: `${origin}/services/secret`, headers: {}, body: "{}", timeoutMillis: 10_000 }
        const posted = yield* Effect.result(HttpPost.exchange(post, "Slack")).pipe(Effect.provide(HttpPost.layer))
        if (posted._tag === "Failure") assert.notMatch(posted.failure.message, /secret|services/)
        else assert.strictEqual(posted.success.status, 302)
      }),
    )
  }
})
