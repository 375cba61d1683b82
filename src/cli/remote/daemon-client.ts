import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as HttpApiClient from "effect/http-api/HttpApiClient"
import * as FetchHttpClient from "effect/http/FetchHttpClient"
import * as HttpClient from "effect/http/HttpClient"
import * as HttpClientRequest from "effect/http/HttpClientRequest"
import type * as HttpClientResponse from "effect/http/HttpClientResponse"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import * as Schedule from "effect/Schedule"
import * as Schema from "effect/Schema"
import { Api } from "../../daemon/api/document.ts"
import * as LocalSocket from "../../services/local-socket.ts"
import * as WorkspaceFiles from "../../services/workspace-files.ts"
import { UsageError } from "../output.ts"
import { root } from "../root.ts"
import { local, named } from "../server-choice.ts"
import * as Address from "./daemon-address.ts"
import { AnswerUnknown, type DaemonError, DaemonRefused, DaemonUnreachable } from "./daemon-errors.ts"

/** For the whole of an answer, milliseconds. */
const answerMillis = 30_000

/** How often, and how soon, a request that may be sent twice is sent again when no answer came, milliseconds. */
const again = { times: 2, pauseMillis: 250 }

/** Where a daemon is, and the token that goes with each request. */
export interface Place {
  /** The base of its URLs, without a slash at its end. */
  readonly url: string
  /** What it is called in messages. */
  readonly name: string
  readonly token: string | undefined
}

const Problem = Schema.Struct({
  detail: Schema.String,
  code: Schema.String,
  errors: Schema.optionalKey(
    Schema.Array(Schema.Struct({ path: Schema.optionalKey(Schema.Array(Schema.Unknown)), message: Schema.String })),
  ),
})
const decodeProblem = Schema.decodeUnknownOption(Problem)

/** What the runtime says of it holds a guess at what to do. */
const unreached: Readonly<Record<string, string>> = {
  ECONNREFUSED: "nobody listens there",
  ENOENT: "nobody listens there",
  ENOTFOUND: "there is no host of this name",
  EAI_AGAIN: "the name of its host cannot be looked up now",
}

const reasonOf = (error: unknown): string => {
  if (typeof error !== "object" || error === null) return String(error)
  const inner = "reason" in error && typeof error.reason === "object" ? error.reason : undefined
  if (inner !== undefined && inner !== null) return reasonOf(inner)
  if ("cause" in error && error.cause instanceof Error) {
    const { cause } = error
    return ("code" in cause ? unreached[String(cause.code)] : undefined) ?? cause.message
  }
  return "message" in error ? String(error.message) : String(error)
}

/** An answer that says why nothing was done, as an error. */
const refusalOf = Effect.fnUntraced(function* (url: string, response: HttpClientResponse.HttpClientResponse) {
  const { status } = response
  const body = yield* Effect.option(response.json)
  const problem = Option.flatMap(body, decodeProblem)
  const elsewhere = response.headers.location
  if (Option.isNone(problem)) {
    const words =
      status < 400 && elsewhere !== undefined ? `It sends the request on to ${elsewhere}: name that` : "It says no more"
    return yield* new DaemonRefused({ url, status, code: "Unexplained", detail: words })
  }
  const { code, detail, errors = [] } = problem.value
  const told = errors.map(({ message, path = [] }) => `${path.slice(1).join(".")} ${message}`.trim())
  const retryAfter = response.headers["retry-after"]
  return yield* new DaemonRefused({
    url,
    status,
    code,
    detail: told.length === 0 ? detail : `${detail}: ${told.join("; ")}`,
    ...(retryAfter === undefined ? {} : { retryAfter }),
  })
})

/** A client of the daemon at a place. Each call fails with a `DaemonError`, whose message holds the daemon's own words. */
export const make = Effect.fnUntraced(function* ({ name, token, url }: Place) {
  const plain = yield* HttpClient.HttpClient
  let sent = 0
  const http = plain.pipe(
    HttpClient.mapRequest((request) => {
      sent++
      return token === undefined ? request : HttpClientRequest.bearerToken(request, token)
    }),
    HttpClient.transform((answer) =>
      answer.pipe(
        Effect.mapError((error) => new DaemonUnreachable({ url: name, reason: reasonOf(error) })),
        Effect.flatMap((response) => (response.status >= 300 ? refusalOf(name, response) : Effect.succeed(response))),
      ),
    ),
  )
  const api = yield* HttpApiClient.makeWith(Api, { httpClient: http, baseUrl: url })
  type Call<A> = (client: typeof api) => Effect.Effect<A, unknown>

  /** One request and its answer. */
  const ask = <A>(call: Call<A>): Effect.Effect<A, DaemonError | UsageError> =>
    Effect.suspend(() => {
      const before = sent
      return Effect.mapError(call(api), (error): DaemonError | UsageError => {
        if (error instanceof DaemonRefused || error instanceof DaemonUnreachable) return error
        const reason = reasonOf(error)
        // What does not fit the document was not even sent.
        return sent === before ? new UsageError({ reason }) : new AnswerUnknown({ url: name, reason })
      })
    }).pipe(
      Effect.timeoutOrElse({
        duration: Duration.millis(answerMillis),
        orElse: () =>
          Effect.fail(
            new DaemonUnreachable({
              url: name,
              reason: `it gave no whole answer in ${answerMillis / 1_000} s, and may have done what was asked`,
            }),
          ),
      }),
    )
  return {
    url: name,
    ask,
    /** One request that carries a key, so that it is sent again where its answer was lost. */
    askKeyed: <A>(
      call: (client: typeof api, headers: { readonly "idempotency-key": string }) => Effect.Effect<A, unknown>,
    ) =>
      Effect.suspend(() => {
        const headers = { "idempotency-key": crypto.randomUUID() }
        return Effect.retry(
          ask((client) => call(client, headers)),
          {
            times: again.times,
            schedule: Schedule.spaced(again.pauseMillis),
            while: (error) => error instanceof DaemonUnreachable,
          },
        )
      }),
    /** The events of a run after a sequence, as they come. */
    events: (run: string, after: number) =>
      http.get(`${url}/api/v1/runs/${run}/events`, { headers: { "last-event-id": String(after) } }),
  }
})

/** A client of a daemon. */
export type DaemonClient = Effect.Success<ReturnType<typeof make>>

/**
 * The runtime's own fetch, over the local socket `unix` where there is one. A daemon never sends a request elsewhere: who
 * does is not to see the token.
 */
const fetching = (unix?: string) => {
  const init: RequestInit & { readonly unix?: string } = {
    redirect: "manual",
    ...(unix === undefined ? {} : { unix }),
  }
  return FetchHttpClient.layer.pipe(Layer.provide(Layer.succeed(FetchHttpClient.RequestInit, init)))
}

/** The daemon that the command line names, and the flags of the call. */
export const find = Effect.gen(function* () {
  const flags = yield* root
  const text = (yield* named) ?? ""
  if (text === local) {
    const { home } = yield* WorkspaceFiles.findProject(process.cwd(), process.env.DANDORI_HOME)
    // Who may open the socket is the machine's user: no token says more.
    const place = { url: "http://localhost", name: local, token: undefined }
    const daemon = yield* make(place).pipe(Effect.provide(fetching(LocalSocket.daemonIn(home))))
    return { daemon, flags }
  }
  const url = yield* Address.baseOf(text)
  const daemon = yield* make({ url, name: url, token: yield* Address.token }).pipe(Effect.provide(fetching()))
  return { daemon, flags }
})
