import * as NodeHttpServerRequest from "@effect/platform-node/NodeHttpServerRequest"
import * as Cause from "effect/Cause"
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as HttpServerError from "effect/http/HttpServerError"
import { HttpServerRequest, MaxBodySize } from "effect/http/HttpServerRequest"
import * as HttpServerResponse from "effect/http/HttpServerResponse"
import * as ByteSize from "effect/ByteSize"
import * as DaemonMetrics from "../../exporters/daemon-metrics.ts"
import * as Addressed from "./addressed.ts"
import { Door } from "./door.ts"
import * as Problems from "./problems.ts"
import * as RateLimit from "./rate-limit.ts"

/** What is let through to the routes. */
export interface GateOptions {
  readonly allowedHosts: ReadonlyArray<string>
  readonly bodyBytes: number
  readonly requestMillis: number
  readonly requestsPerMinute: number
  /** Paths that a monitor asks, however many others ask from its address. */
  readonly monitored: ReadonlySet<string>
  /** The methods of a path that there is; none for one that there is not. */
  readonly methodsOf: (path: string) => ReadonlyArray<string>
}

const headers = {
  "cache-control": "no-store",
  "content-security-policy": "default-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
  "cross-origin-resource-policy": "same-origin",
  "referrer-policy": "no-referrer",
  "x-content-type-options": "nosniff",
}

const problem = (
  status: Problems.Status,
  code: string,
  detail: string,
  more: Readonly<Record<string, string>> = {},
): HttpServerResponse.HttpServerResponse =>
  HttpServerResponse.jsonUnsafe(Problems.bodyOf(status, code, detail), {
    status,
    contentType: "application/problem+json",
    headers: more,
  })

/** Said of what the libraries answer without words. */
const said: Readonly<Record<number, readonly [string, string]>> = {
  400: ["RequestInvalid", "The request cannot be read"],
  413: ["BodyTooLarge", "The body is larger than the daemon takes"],
  415: ["MediaTypeUnknown", "Send application/json"],
}

const pathOf = (url: string): string => url.split("?", 1)[0]

/** An answer as it goes out: every error is a problem, and every answer has the headers that keep browsers careful. */
const finished = (response: HttpServerResponse.HttpServerResponse): HttpServerResponse.HttpServerResponse => {
  const { status } = response
  const isProblem = response.headers["content-type"]?.startsWith("application/problem+json") === true
  const [code, detail] = said[status] ?? ["Error", "The request was not carried out"]
  const told = status >= 400 && !isProblem ? problem(Problems.statusOf(status), code, detail) : response
  const more = {
    ...headers,
    ...(status === 401 ? { "www-authenticate": 'Bearer realm="dandori"' } : {}),
    ...((status === 429 || status === 503) && told.headers["retry-after"] === undefined ? { "retry-after": "5" } : {}),
  }
  return HttpServerResponse.setHeaders(told, more)
}

/**
 * Stands before the routes: refuses what is not meant for this server, comes from another site, is too much, too large or
 * too slow, and turns whatever goes wrong into a problem.
 */
export const guard = <E, R>(app: Effect.Effect<HttpServerResponse.HttpServerResponse, E, R>, options: GateOptions) => {
  const known = new Set(options.allowedHosts.flatMap((host) => Addressed.nameIn(host) ?? []))
  const waitOf = RateLimit.make(options.requestsPerMinute)

  const refusal = Effect.fnUntraced(function* (request: HttpServerRequest) {
    const { host = "", origin, "content-length": length = "0", "sec-fetch-site": site } = request.headers
    if ((yield* Door) === "network") {
      const { socket } = NodeHttpServerRequest.toIncomingMessage(request)
      const now = Number((yield* Clock.monotonicTimeNanos) / 1_000_000n)
      const wait = options.monitored.has(pathOf(request.url)) ? 0 : waitOf(socket.remoteAddress ?? "", now)
      if (wait > 0) {
        const detail = `More than ${options.requestsPerMinute} requests of one address in a minute`
        return problem(429, "TooManyRequests", detail, { "retry-after": String(Math.ceil(wait / 1_000)) })
      }
      const name = Addressed.nameIn(host)
      if (name === undefined || !Addressed.isKnown(name, socket.localAddress, known)) {
        return problem(421, "HostUnknown", "This daemon is not known by that name; see daemon.allowed_hosts")
      }
    }
    const isForeign = origin !== undefined && !(URL.canParse(origin) && new URL(origin).host === host.toLowerCase())
    if (isForeign || site === "cross-site" || site === "same-site") {
      return problem(403, "OriginRefused", "A page of another site cannot use this API")
    }
    return Number(length) > options.bodyBytes
      ? problem(413, "BodyTooLarge", `The body has more than ${options.bodyBytes} bytes`)
      : undefined
  })

  const failed = Effect.fnUntraced(function* (request: HttpServerRequest, cause: Cause.Cause<E>) {
    if (Cause.hasInterruptsOnly(cause)) return yield* Effect.failCause(cause as Cause.Cause<never>)
    const error: unknown = Cause.squash(cause)
    if (HttpServerError.isHttpServerError(error)) {
      const { reason } = error
      if (reason._tag === "RouteNotFound") {
        const methods = options.methodsOf(pathOf(request.url))
        if (methods.length === 0) {
          return problem(404, "NotFound", "There is nothing at this path; see /api/v1/openapi.json")
        }
        return methods.includes(request.method)
          ? problem(400, "RequestInvalid", "The path cannot be read")
          : problem(405, "MethodNotAllowed", `This path takes ${methods.join(", ")}`, { allow: methods.join(", ") })
      }
      if (reason._tag === "RequestParseError") {
        return reason.reason === "BodyTooLarge"
          ? problem(413, "BodyTooLarge", `The body has more than ${options.bodyBytes} bytes`)
          : problem(400, "RequestInvalid", "The request cannot be read")
      }
    }
    yield* Effect.logError("A request could not be answered", cause)
    return problem(500, "Defect", "This is a defect in dandori; its log says more")
  })

  return Effect.gen(function* () {
    const request = yield* HttpServerRequest
    const counted = (answer: HttpServerResponse.HttpServerResponse) =>
      Effect.as(DaemonMetrics.requestAnswered(request.method, answer.status), finished(answer))
    const refused = yield* refusal(request)
    if (refused !== undefined) return yield* counted(refused)
    // It ends with the scope of the request, after the answer: to interrupt who reads a body ends its connection.
    const answering = yield* app.pipe(
      Effect.provideService(MaxBodySize, ByteSize.bytes(options.bodyBytes)),
      Effect.catchCause((cause) => failed(request, cause)),
      Effect.forkScoped,
    )
    const late = Effect.sync(() =>
      NodeHttpServerRequest.toIncomingMessage(request).complete
        ? problem(503, "TimedOut", `It took more than ${options.requestMillis} ms`)
        : problem(408, "RequestTimeout", "The request was not whole in time", { connection: "close" }),
    )
    const answered = Effect.timeoutOrElse(Fiber.join(answering), {
      duration: options.requestMillis,
      orElse: () => late,
    })
    return yield* counted(yield* answered)
  })
}
