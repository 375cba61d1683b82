import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Redacted from "effect/Redacted"
import * as Result from "effect/Result"
import * as Schema from "effect/Schema"
import { taskType } from "../../src/authoring/task-type.ts"
import { formatSize, parseDuration, parseSize } from "../../src/domain/quantity.ts"
import { Artifacts } from "../../src/services/artifacts.ts"
import { Attempt } from "../../src/services/attempt.ts"
import * as Http from "../../src/services/http.ts"
import { SecretMissing, Secrets } from "../../src/services/secrets.ts"
import { HttpAnswerUnexpected, HttpBodyUnusable, HttpStatusUnexpected } from "./errors.ts"
import { differences } from "./json-subset.ts"
import { HttpInput, HttpOutput, isHeaderValue, keptHeaders, usualBytes, usualMillis } from "./schema.ts"

/** Longest body that is part of the output, in characters. */
const keptCharacters = 65_536
const mostProblems = 10

const decodeJson = Schema.decodeUnknownOption(Schema.fromJsonString(Schema.Json))

/** The text of a body; undefined where it is no UTF-8. */
const textOf = (body: Uint8Array): string | undefined =>
  Result.getOrElse(
    Result.try(() => new TextDecoder("utf-8", { fatal: true }).decode(body)),
    () => undefined,
  )

const isExpected = ({ expect }: HttpInput, status: number): boolean =>
  (expect?.status ?? ["2xx"]).some((each) => each === status || each === `${Math.floor(status / 100)}xx`)

const mediaTypeOf = ({ headers }: Http.Answer): string =>
  headers.get("content-type")?.split(";")[0].trim().toLowerCase() || "application/octet-stream"

const headersOf = Effect.fnUntraced(function* (input: HttpInput) {
  const secrets = yield* Secrets
  const own = yield* Effect.forEach(Object.entries(input.secretHeaders ?? {}), ([name, reference]) =>
    secrets.resolve(reference).pipe(
      Effect.map((value) => [name, Redacted.value(value).trim()] as const),
      Effect.filterOrFail(
        ([, value]) => isHeaderValue(value),
        () => new SecretMissing({ reference, reason: "a header is one line of Latin-1 text, and it is not" }),
      ),
    ),
  )
  const sent = new Headers(input.body === undefined ? {} : { "content-type": "application/json" })
  for (const [name, value] of [...Object.entries(input.headers ?? {}), ...own]) sent.set(name, value)
  return Object.fromEntries(sent)
})

const check = Effect.fnUntraced(function* (input: HttpInput, { body, headers, status, whole }: Http.Answer) {
  const secrets = yield* Secrets
  const url = Http.shown(input.url)
  const text = textOf(body)
  if (!isExpected(input, status)) {
    const retryAfter = headers.get("retry-after")
    const said = secrets
      .redact(text ?? "")
      .replace(/\s+/g, " ")
      .trim()
    return yield* new HttpStatusUnexpected({
      url,
      status,
      ...(retryAfter === null ? {} : { retryAfter: retryAfter.slice(0, 100) }),
      text: said.length > 200 ? `${said.slice(0, 200)}…` : said,
    })
  }
  if (!whole) {
    const reason = `it has more than ${formatSize(body.length)}; raise maxBytes, at most to 256MiB`
    return yield* new HttpBodyUnusable({ url, status, reason })
  }
  const json = text === undefined ? Option.none() : decodeJson(text)
  if (input.expect?.json !== undefined) {
    const problems = Option.match(json, {
      onNone: () => ["its body is not JSON"],
      onSome: (value) => differences(input.expect?.json ?? null, value),
    })
    if (problems.length > 0) {
      const named = problems.slice(0, mostProblems).map(secrets.redact)
      const rest = problems.length > mostProblems ? [`and ${problems.length - mostProblems} more`] : []
      return yield* new HttpAnswerUnexpected({ url, status, problems: [...named, ...rest] })
    }
  }
  return { text, json }
})

/** The body as the output has it, without the secrets that this process knows. */
const keep = Effect.fnUntraced(function* (
  input: HttpInput,
  answer: Http.Answer,
  { json, text }: { readonly text: string | undefined; readonly json: Option.Option<Schema.Json> },
) {
  const secrets = yield* Secrets
  if (answer.body.length === 0) return {}
  const mediaType = mediaTypeOf(answer)
  const store = (bytes: Uint8Array | string) =>
    Effect.flatMap(Artifacts, (artifacts) => artifacts.put("body", mediaType, bytes)).pipe(
      Effect.map((body) => ({ body })),
      Effect.mapError(
        ({ reason }) => new HttpBodyUnusable({ url: Http.shown(input.url), status: answer.status, reason }),
      ),
    )
  if (text === undefined) {
    const latin = Buffer.from(answer.body).toString("latin1")
    if (secrets.redact(latin) === latin) return yield* store(answer.body)
    const reason = "it is no text and holds a secret; have the server leave it out"
    return yield* new HttpBodyUnusable({ url: Http.shown(input.url), status: answer.status, reason })
  }
  const safe = secrets.redact(text)
  if (safe.length > keptCharacters) return yield* store(safe)
  const isJson = /^application\/(json|[^ ]+\+json)$/.test(mediaType)
  return isJson && Option.isSome(json) ? { json: secrets.redactValue(json.value) as Schema.Json } : { text: safe }
})

const run = Effect.fn("http")(function* (input: HttpInput) {
  const attempt = yield* Attempt
  const name = `${input.method} ${Http.shown(input.url)}`
  const [took, answer] = yield* Effect.timed(
    Effect.flatMap(headersOf(input), (headers) =>
      Http.send({
        method: input.method,
        url: input.url,
        headers,
        ...(input.body === undefined ? {} : { body: JSON.stringify(input.body) }),
        timeoutMillis: (input.timeout === undefined ? undefined : parseDuration(input.timeout)) ?? usualMillis,
        maxBytes: (input.maxBytes === undefined ? undefined : parseSize(input.maxBytes)) ?? usualBytes,
        isAnswer: (status) => isExpected(input, status),
      }),
    ),
  )
  const millis = Math.round(Duration.toMillis(took))
  const { body, headers, status } = answer
  yield* attempt.log(`${name}: ${status}, ${body.length} bytes in ${millis} ms`)
  const content = yield* check(input, answer)
  const output: HttpOutput = {
    status,
    headers: Object.fromEntries(
      keptHeaders.flatMap((header) => {
        const value = headers.get(header)
        return value === null ? [] : [[header, value]]
      }),
    ),
    ...(yield* keep(input, answer, content)),
    bytes: body.length,
    millis,
  }
  return output
})

/**
 * Sends one HTTP request and judges its answer. A connection that was refused changed nothing and is tried again in every
 * effect class; a time-out or a loss after that leaves open what the server did, so only an idempotent request is sent again.
 */
export default taskType({
  type: "http",
  version: 1,
  description: "Sends an HTTP request and checks its answer",
  input: HttpInput,
  output: HttpOutput,
  errors: {
    HttpAnswerUnexpected: "the answer does not contain what was expected",
    HttpBodyUnusable: "the answer's body is too large or cannot be kept",
    HttpNoAnswer: "no whole answer came; what the server did is not known",
    HttpRedirectRefused: "the server sent the request to another host",
    HttpStatusUnexpected: "the answer's status does not mean success",
    HttpUnreachable: "there is no connection to the server; nothing was sent",
    SecretMissing: "a secret has no value",
  },
  effects: "once",
  dryRun: (input) => Effect.succeed(`would send ${input.method} ${Http.shown(input.url)}`),
  run,
})
