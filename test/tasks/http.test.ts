import { createServer, type AddressInfo, type Socket } from "node:net"
import { join } from "node:path"
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Schema from "effect/Schema"
import * as ArtifactsDirectory from "../../src/services/artifacts-directory.ts"
import { Artifacts } from "../../src/services/artifacts.ts"
import * as Secrets from "../../src/services/secrets.ts"
import http from "../../tasks/http/index.ts"
import { HttpInput, HttpOutput } from "../../tasks/http/schema.ts"
import { freePort } from "../support/servers/server.ts"
import { pipeline, plan } from "../compiler/compiled.ts"
import * as Workplace from "./workplace.ts"

const decode = Schema.decodeUnknownSync(HttpInput)
const encode = Schema.encodeUnknownSync(HttpOutput)
const environment = { API_TOKEN: "Bearer hunter2-hunter2", LINES: "hunter2\nhunter2", WIDE: "hunter2→hunter2" }

const given = (root: string) =>
  Layer.mergeAll(
    Workplace.attempt(root),
    ArtifactsDirectory.layer(join(root, "artifacts")),
    Secrets.layer({ project: root, environment }),
  )

const ask = (input: unknown) =>
  Effect.flatMap(Workplace.project, (root) => http.run(decode(input)).pipe(Effect.provide(given(root))))

const refused = (input: unknown) => Effect.flip(ask(input))

/** What the engine decides by. */
const traits = (error: object) =>
  ["transient", "notApplied", "settled"].filter((name) => (error as Record<string, unknown>)[name] === true)

/** A server of this machine for as long as the scope; gives its url. */
const serving = (answer: (request: Request) => Response | Promise<Response>) =>
  Effect.acquireRelease(
    Effect.sync(() => Bun.serve({ port: 0, hostname: "127.0.0.1", fetch: answer })),
    (server) => Effect.promise(() => server.stop(true)),
  ).pipe(Effect.map((server) => `http://127.0.0.1:${server.port}`))

/** A server that speaks for itself, by connection; gives its url. */
const speaking = (speak: (socket: Socket) => void) =>
  Effect.acquireRelease(
    Effect.callback<{ port: number; close: () => void }>((resume) => {
      const open = new Set<Socket>()
      const server = createServer((socket) => {
        open.add(socket)
        socket.on("error", () => socket.destroy())
        speak(socket)
      })
      const close = () => {
        for (const socket of open) socket.destroy()
        server.close()
      }
      server.listen(0, "127.0.0.1", () =>
        resume(Effect.succeed({ port: (server.address() as AddressInfo).port, close })),
      )
    }),
    ({ close }) => Effect.sync(close),
  ).pipe(Effect.map(({ port }) => `http://127.0.0.1:${port}`))

const json = (value: unknown, init?: ResponseInit) => Response.json(value, init)

describe("http", () => {
  it.live("gives status, a few headers and the JSON of an answer, and says how large it was", () =>
    Effect.gen(function* () {
      const url = yield* serving(() => json({ status: "up" }, { headers: { etag: "7", "set-cookie": "session=1" } }))
      const { millis, ...output } = yield* ask({ method: "GET", url: `${url}/health` })
      assert.isAtLeast(millis, 0)
      assert.deepStrictEqual(output, {
        status: 200,
        headers: { "content-type": "application/json;charset=utf-8", etag: "7" },
        json: { status: "up" },
        bytes: 15,
      })
      assert.deepStrictEqual(encode({ ...output, millis }), { ...output, millis })
    }),
  )

  it.live("sends its JSON, its headers and its secret headers; no secret comes back", () =>
    Effect.gen(function* () {
      const url = yield* serving(async (request) =>
        json({
          method: request.method,
          type: request.headers.get("content-type"),
          own: request.headers.get("x-own"),
          sent: await request.json(),
          echo: request.headers.get("authorization"),
          encoded: btoa(request.headers.get("authorization") ?? ""),
        }),
      )
      const output = yield* ask({
        method: "POST",
        url,
        headers: { "X-Own": "a" },
        secretHeaders: { Authorization: "${env:API_TOKEN}" },
        body: { rows: [1, null] },
        expect: { json: { echo: environment.API_TOKEN } },
      })
      assert.deepInclude(output.json, {
        method: "POST",
        type: "application/json",
        own: "a",
        sent: { rows: [1, null] },
        echo: "[secret API_TOKEN]",
        encoded: "[secret API_TOKEN]==",
      })
      assert.notInclude(JSON.stringify(output), "hunter2")
    }),
  )

  it.live("never shows a secret in an error, nor what follows the path of a url", () =>
    Effect.gen(function* () {
      const url = yield* serving((request) => new Response(request.headers.get("x-key"), { status: 403 }))
      const secretHeaders = { "x-key": "${env:API_TOKEN}" }
      const status = yield* refused({ method: "GET", url: `${url}/a?key=planted`, secretHeaders })
      const differs = yield* refused({
        method: "GET",
        url: `${url}/a?key=planted`,
        secretHeaders,
        expect: { status: [403], json: {} },
      })
      for (const { message } of [status, differs]) {
        assert.notMatch(message, /hunter2|planted/)
        assert.include(message, `${url}/a answered 403`)
      }
      const missing = yield* refused({ method: "GET", url, secretHeaders: { "x-key": "${env:NOBODY}" } })
      assert.strictEqual(missing._tag, "SecretMissing")
      for (const name of ["LINES", "WIDE"]) {
        const unusable = yield* refused({ method: "GET", url, secretHeaders: { "x-key": `\${env:${name}}` } })
        assert.strictEqual(unusable._tag, "SecretMissing")
        assert.notInclude(unusable.message, "hunter2")
      }
    }),
  )

  it.live("says of a refused connection, an unknown host and a server without TLS that nothing was sent", () =>
    Effect.gen(function* () {
      const plain = yield* speaking((socket) => socket.once("data", () => socket.end("HTTP/1.1 200 OK\r\n\r\n")))
      const closed = yield* refused({ method: "POST", url: `http://127.0.0.1:${freePort()}/` })
      const unknown = yield* refused({ method: "POST", url: "http://no-such-host.invalid/" })
      const noTls = yield* refused({ method: "POST", url: plain.replace("http:", "https:") })
      for (const error of [closed, unknown, noTls]) assert.strictEqual(error._tag, "HttpUnreachable")
      assert.deepStrictEqual(traits(closed), ["transient", "notApplied"])
      assert.include(traits(unknown), "notApplied")
      assert.deepStrictEqual(traits(noTls), ["notApplied"])
      assert.notMatch(closed.message, /Is the computer able/)
    }),
  )

  it.live("leaves open what a server did that closes the connection before or amid its answer", () =>
    Effect.gen(function* () {
      const asked: Array<string> = []
      const answering = (answer: string, end: (socket: Socket) => void) =>
        speaking((socket) =>
          socket.once("data", (data) => {
            asked.push(String(data).split(" ")[0])
            socket.write(answer, () => end(socket))
          }),
        )
      const silently = yield* answering("", (socket) => socket.resetAndDestroy())
      const shortened = yield* answering("HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nabc", (socket) => socket.end())
      const chunks = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n9\r\nab"
      const torn = yield* answering(chunks, (socket) => socket.end())
      const reset = yield* answering(chunks, (socket) => socket.resetAndDestroy())
      for (const url of [silently, shortened, torn, reset]) {
        const error = yield* refused({ method: "POST", url, body: {} })
        assert.strictEqual(error._tag, "HttpNoAnswer")
        assert.deepStrictEqual(traits(error), ["transient"])
      }
      assert.deepStrictEqual(asked, ["POST", "POST", "POST", "POST"])
    }),
  )

  it.live("gives up on a slow answer and closes the connection", () =>
    Effect.gen(function* () {
      let isClosed = () => {}
      const closed = new Promise<void>((resolve) => (isClosed = resolve))
      const url = yield* speaking((socket) => {
        socket.once("data", () => socket.write("HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nabc"))
        socket.once("close", isClosed)
      })
      const error = yield* refused({ method: "GET", url, timeout: "200ms" })
      assert.deepStrictEqual([error._tag, traits(error)], ["HttpNoAnswer", ["transient"]])
      assert.include(error.message, "it took more than 200ms")
      yield* Effect.promise(() => closed)
    }),
  )

  it.live("stops reading an endless body at its limit, and takes one that has just as many bytes", () =>
    Effect.gen(function* () {
      let isCancelled = () => {}
      const cancelled = new Promise<void>((resolve) => (isCancelled = resolve))
      const endless = yield* serving(
        () =>
          new Response(
            new ReadableStream({
              pull: (controller) => controller.enqueue(new Uint8Array(65_536)),
              cancel: () => isCancelled(),
            }),
          ),
      )
      const error = yield* refused({ method: "GET", url: endless, maxBytes: "1MiB" })
      assert.strictEqual(error._tag, "HttpBodyUnusable")
      assert.include(error.message, "more than 1 MiB")
      yield* Effect.promise(() => cancelled)
      const fitting = yield* serving(() => new Response("x".repeat(1_000)))
      const output = yield* ask({ method: "GET", url: fitting, maxBytes: "1kB" })
      assert.deepInclude(output, { text: "x".repeat(1_000), bytes: 1_000 })
      assert.strictEqual((yield* refused({ method: "GET", url: fitting, maxBytes: "999B" }))._tag, "HttpBodyUnusable")
    }),
  )

  it.live("keeps a long body and one that is no text as an artifact", () =>
    Effect.gen(function* () {
      const root = yield* Workplace.project
      const url = yield* serving(({ headers, url }) => {
        const key = headers.get("x-key")
        if (url.endsWith("/text")) return new Response(`${"x".repeat(70_000)}${key}`)
        if (url.endsWith("/leak")) return new Response(Buffer.concat([new Uint8Array([0xff]), Buffer.from(`${key}`)]))
        return new Response(new Uint8Array([0xff, 0xfe, 0]), { headers: { "content-type": "image/x-icon" } })
      })
      const secretHeaders = { "x-key": "${env:API_TOKEN}" }
      yield* Effect.gen(function* () {
        const artifacts = yield* Artifacts
        const long = yield* http.run(decode({ method: "GET", url: `${url}/text`, secretHeaders }))
        const binary = yield* http.run(decode({ method: "GET", url: `${url}/icon` }))
        assert.isFalse("text" in long || "text" in binary)
        const bytes = yield* artifacts.get(long.body?.sha256 ?? "")
        assert.strictEqual(new TextDecoder().decode(bytes), `${"x".repeat(70_000)}[secret API_TOKEN]`)
        assert.deepInclude(binary.body, { name: "body", mediaType: "image/x-icon", bytes: 3 })
        const leak = yield* Effect.flip(http.run(decode({ method: "GET", url: `${url}/leak`, secretHeaders })))
        assert.strictEqual(leak._tag, "HttpBodyUnusable")
      }).pipe(Effect.provide(given(root)))
    }),
  )

  it.live("follows GET on its host, and goes to no other one, not round and round, and nowhere with a POST", () =>
    Effect.gen(function* () {
      const elsewhere: Array<string> = []
      const other = yield* serving((request) => {
        elsewhere.push(request.url)
        return new Response("other")
      })
      const url = yield* serving((request) => {
        const path = new URL(request.url).pathname
        if (path === "/here") return new Response(request.headers.get("x-key") === null ? "no" : "yes")
        const to =
          path === "/there"
            ? `${other}/x`
            : path === "/round"
              ? "/round"
              : path === "/file"
                ? "file:///etc/passwd"
                : "/here"
        return new Response(null, { status: 307, headers: { location: to } })
      })
      const secretHeaders = { "x-key": "${env:API_TOKEN}" }
      assert.deepInclude(yield* ask({ method: "GET", url: `${url}/go`, secretHeaders }), { status: 200, text: "yes" })
      for (const path of ["/there", "/round", "/file"]) {
        const error = yield* refused({ method: "GET", url: `${url}${path}`, secretHeaders })
        assert.deepStrictEqual([error._tag, traits(error)], ["HttpRedirectRefused", ["settled"]])
      }
      assert.deepStrictEqual(elsewhere, [])
      const posted = yield* refused({ method: "POST", url: `${url}/go` })
      assert.include(posted.message, "answered 307")
      const wanted = yield* ask({ method: "GET", url: `${url}/there`, expect: { status: ["3xx"] } })
      assert.deepInclude(wanted, { status: 307, bytes: 0 })
      assert.strictEqual(wanted.headers.location, `${other}/x`)
    }),
  )

  it.live("says honestly of each status what it leaves open", () =>
    Effect.gen(function* () {
      const url = yield* serving((request) => {
        const status = Number(new URL(request.url).pathname.slice(1))
        return new Response(` not\nnow `, { status, headers: status === 429 ? { "retry-after": "17" } : {} })
      })
      const of = (status: number) => refused({ method: "POST", url: `${url}/${status}` })
      for (const [status, expected] of [
        [400, ["settled"]],
        [404, ["settled"]],
        [408, ["transient", "notApplied", "settled"]],
        [429, ["transient", "notApplied", "settled"]],
        [500, ["settled"]],
        [502, ["transient"]],
        [503, ["transient", "settled"]],
        [504, ["transient"]],
      ] as const) {
        const error = yield* of(status)
        assert.strictEqual(error._tag, "HttpStatusUnexpected")
        assert.deepStrictEqual(traits(error), [...expected], String(status))
      }
      const limited = yield* of(429)
      assert.deepInclude(limited, { retryAfter: "17", text: "not now" })
      assert.include(limited.message, "Retry-After 17")
      assert.deepInclude(yield* ask({ method: "GET", url: `${url}/404`, expect: { status: [200, 404] } }), {
        status: 404,
      })
      assert.strictEqual(
        (yield* refused({ method: "GET", url: `${url}/200`, expect: { status: ["5xx"] } }))._tag,
        "HttpStatusUnexpected",
      )
    }),
  )

  it.live("names each place where the JSON is not what was expected", () =>
    Effect.gen(function* () {
      const answer = { status: "up", model: { version: "b", digest: "d", files: [1, 2] }, extra: true }
      const url = yield* serving(({ url }) => (url.endsWith("/text") ? new Response("{") : json(answer)))
      const expect = (value: unknown) => ({ method: "GET", url, expect: { json: value } })
      yield* ask(expect({ status: "up", model: { version: "b", files: [1, 2] } }))
      const wrong = yield* refused(
        expect({ status: "up", model: { version: "a", files: [1], digest: { a: 1 } }, none: null }),
      )
      assert.deepStrictEqual(wrong._tag === "HttpAnswerUnexpected" && wrong.problems, [
        '$.model.version is "b", not "a"',
        "$.model.files has 2 items, not 1",
        '$.model.digest is "d", not a map',
        "$.none is missing",
      ])
      assert.deepStrictEqual(traits(wrong), ["settled"])
      const text = yield* refused({ method: "GET", url: `${url}/text`, expect: { json: {} } })
      assert.include(text.message, "its body is not JSON")
      assert.deepInclude(yield* ask({ method: "GET", url: `${url}/text` }), { text: "{" })
    }),
  )

  it.effect("says in a dry run what it would send, and sends nothing", () =>
    Effect.gen(function* () {
      const root = yield* Workplace.project
      const input = decode({ method: "DELETE", url: "http://127.0.0.1:1/a?key=planted" })
      const words = yield* (http.dryRun?.(input) ?? Effect.succeed("")).pipe(Effect.provide(given(root)))
      assert.strictEqual(words, "would send DELETE http://127.0.0.1:1/a")
    }),
  )

  it.effect(
    "is idempotent in a plan where it only asks, and once where it may change something, unless it says so",
    () =>
      Effect.gen(function* () {
        const task = (id: string, more: string) => `  ${id}: { uses: http, with: { url: "http://host/", ${more} } }`
        const { tasks } = yield* plan(
          pipeline(
            "params: { how: { type: string, enum: [GET, POST] } }",
            "tasks:",
            task("a", "method: GET"),
            task("b", "method: HEAD"),
            task("c", "method: POST"),
            task("d", "method: POST, effects: idempotent"),
            task("e", "method: GET, effects: once"),
            task("f", "method: '${{ params.how }}'"),
          ),
        )
        const classes = ["idempotent", "idempotent", "once", "idempotent", "once", "once"]
        assert.deepStrictEqual(
          tasks.map(({ effects }) => effects),
          [...classes],
        )
      }),
  )

  it("refuses what could not be sent, or would be recorded and must not", () => {
    const url = "https://host/path"
    for (const input of [
      { method: "GET", url: "file:///etc/passwd" },
      { method: "GET", url: "ftp://host/" },
      { method: "GET", url: "/path" },
      { method: "GET", url: "https://user:word@host/" },
      { method: "get", url },
      { method: "GET", url, body: {} },
      { method: "GET", url, headers: { Authorization: "Bearer plain" } },
      { method: "GET", url, headers: { "a b": "c" } },
      { method: "GET", url, headers: { a: "b\r\nc: d" } },
      { method: "GET", url, headers: { Host: "other" } },
      { method: "GET", url, secretHeaders: { Authorization: "plain" } },
      { method: "GET", url, timeout: "0s" },
      { method: "GET", url, expect: { status: ["2XX"] } },
      { method: "GET", url, expect: { status: [] } },
      { method: "GET", url, maxBytes: "1TiB" },
      { method: "POST", url, effects: "irreversible" },
    ]) {
      assert.throws(() => decode(input), undefined, undefined, JSON.stringify(input))
    }
    decode({ method: "POST", url, body: null, effects: "idempotent", expect: { status: ["2xx", 404] } })
  })
})
