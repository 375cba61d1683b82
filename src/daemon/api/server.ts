import { createServer, type Server } from "node:http"
import type { Socket } from "node:net"
import * as NodeHttpServer from "@effect/platform-node/NodeHttpServer"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import type { HttpServerRequest } from "effect/http/HttpServerRequest"
import type * as HttpServerResponse from "effect/http/HttpServerResponse"
import * as Schema from "effect/Schema"
import * as Scope from "effect/Scope"
import * as HostName from "../../services/host-name.ts"
import * as LocalSocket from "../../services/local-socket.ts"
import { pause } from "../../services/process-groups.ts"
import { Door } from "./door.ts"
import * as Problems from "./problems.ts"

/** The API cannot listen where it is to. */
export class ListenFailed extends Schema.TaggedError<ListenFailed>()("ListenFailed", {
  address: Schema.String,
  reason: Schema.String,
  cause: Schema.optionalKey(Schema.Defect()),
}) {
  /** As for a service that is not available. */
  readonly exitCode = 69
  override get message() {
    return `The daemon cannot listen on ${this.address}: ${this.reason}`
  }
}

/** Why a server cannot listen, in place of the runtime's words: it guesses, and gives a name that is not known any code. */
const reasons: Readonly<Record<string, string>> = {
  EADDRINUSE: "another process listens there already; end it, or choose another port (--port, daemon.port)",
  EADDRNOTAVAIL: "this machine has no such address; choose one that it has (--host, daemon.host)",
  EACCES: "this user may not; choose a port from 1024 on (--port, daemon.port)",
}

const reasonOf = Effect.fnUntraced(function* (cause: unknown, host: string | undefined) {
  const code = cause instanceof Error && "code" in cause ? String(cause.code) : ""
  if (host !== undefined && !(yield* HostName.isKnown(host))) {
    return "there is no host of this name; choose an address of this machine (--host, daemon.host)"
  }
  return reasons[code] ?? (cause instanceof Error ? cause.message : String(cause))
})

/** How requests are received. */
export interface Receiving {
  /** For the whole of a request; for its head at most ten seconds. */
  readonly requestMillis: number
  readonly connections: number
}

type App<R> = Effect.Effect<HttpServerResponse.HttpServerResponse, unknown, R>

/** What is said on the bare connection to who sends no request that can be read, or sends it too slowly. */
const farewells: Readonly<Record<string, readonly [Problems.Status, string, string]>> = {
  ERR_HTTP_REQUEST_TIMEOUT: [408, "RequestTimeout", "The request was not whole in time"],
  HPE_HEADER_OVERFLOW: [431, "HeadTooLarge", "The head of the request is too large"],
}

const onClientError = (error: Error & { readonly code?: string }, socket: Socket): void => {
  if (!socket.writable || error.code === "ECONNRESET") return void socket.destroy()
  const problem = Problems.bodyOf(
    ...(farewells[error.code ?? ""] ?? [400, "RequestInvalid", "This is no HTTP request"]),
  )
  const { status, title } = problem
  const body = JSON.stringify(problem)
  socket.end(
    `HTTP/1.1 ${status} ${title}\r\nContent-Type: application/problem+json\r\nContent-Length: ${Buffer.byteLength(body)}\r\n` +
      `Cache-Control: no-store\r\nX-Content-Type-Options: nosniff\r\nConnection: close\r\n\r\n${body}`,
  )
}

const nodeServer = ({ connections, requestMillis }: Receiving): Server => {
  const server = createServer({
    headersTimeout: Math.min(10_000, requestMillis),
    requestTimeout: requestMillis,
    connectionsCheckingInterval: Math.min(1_000, requestMillis),
    keepAliveTimeout: 5_000,
  })
  server.maxConnections = connections
  server.on("clientError", onClientError)
  return server
}

/** How long requests have to end after the last one was taken, milliseconds. */
const graceMillis = 5_000

/** How long it is waited after that for what does not end, milliseconds. */
const farewellMillis = 1_000

/** In a scope of its own, whose end is waited for only so long: a connection may stay though it is closed. */
const briefly = <A, E, R>(effect: Effect.Effect<A, E, R | Scope.Scope>) =>
  Effect.gen(function* () {
    const own = yield* Scope.make()
    yield* Effect.addFinalizer((exit) =>
      Effect.flatMap(Effect.forkDetach(Scope.close(own, exit)), (closing) =>
        Effect.raceFirst(Fiber.await(closing), pause(graceMillis + farewellMillis)),
      ),
    )
    return yield* Scope.provide(effect, own)
  })

const listen = Effect.fnUntraced(function* <R>(
  app: App<R>,
  receiving: Receiving,
  where: { readonly host: string; readonly port: number } | { readonly path: string },
) {
  const server = nodeServer(receiving)
  const options = { ...where, gracefulShutdownTimeout: graceMillis }
  const http = yield* NodeHttpServer.make(() => server, options).pipe(
    Effect.catch(
      Effect.fnUntraced(function* (error) {
        const [address, host] = "path" in where ? [where.path] : [`${where.host}:${where.port}`, where.host]
        const reason = yield* reasonOf(error.cause, host)
        return yield* new ListenFailed({ address, reason, cause: error })
      }),
    ),
  )
  // After the grace, and before it is waited for the last connection to go.
  yield* Effect.addFinalizer(() => Effect.sync(() => server.closeAllConnections()))
  yield* http.serve(app)
  return server
}, briefly)

/** Listens on the network until the scope closes; gives the port. */
export const onNetwork = Effect.fnUntraced(function* <R>(
  app: App<R>,
  receiving: Receiving,
  where: { readonly host: string; readonly port: number },
): Effect.fn.Return<number, ListenFailed, Exclude<R, HttpServerRequest> | Scope.Scope> {
  const server = yield* listen(Effect.provideService(app, Door, "network"), receiving, where)
  const address = server.address()
  return typeof address === "object" && address !== null ? address.port : where.port
})

/** Listens on a local socket that only its owner can open, in place of one that a daemon left which is gone. */
export const onSocket = Effect.fnUntraced(function* <R>(
  app: App<R>,
  receiving: Receiving,
  path: string,
): Effect.fn.Return<void, ListenFailed, Exclude<R, HttpServerRequest> | Scope.Scope> {
  const failed = (error: { readonly message: string }) =>
    new ListenFailed({ address: path, reason: error.message, cause: error })
  if (Buffer.byteLength(path) > LocalSocket.longestPath) {
    return yield* failed(new RangeError(`its path is longer than ${LocalSocket.longestPath} bytes; set DANDORI_HOME`))
  }
  yield* Effect.mapError(LocalSocket.clear(path), failed)
  yield* listen(Effect.provideService(app, Door, "socket"), receiving, { path })
  yield* Effect.mapError(LocalSocket.close(path), failed)
})
