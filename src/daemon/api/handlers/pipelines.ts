import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as HttpApiBuilder from "effect/http-api/HttpApiBuilder"
import * as Redacted from "effect/Redacted"
import * as Schema from "effect/Schema"
import type { Actor } from "../../../domain/actor.ts"
import * as WebhookSignature from "../../../domain/webhook-signature.ts"
import { Secrets } from "../../../services/secrets.ts"
import { Settings } from "../../../services/settings.ts"
import { type BackfillRequest, Host, type HostUnready } from "../../host.ts"
import { Caller } from "../authorization.ts"
import { Api } from "../document.ts"
import { Params } from "../endpoints/pipelines.ts"
import * as Begun from "../begun.ts"
import * as Problems from "../problems.ts"
import * as RatedLog from "../rated-log.ts"
import * as ScheduleReading from "../schedule-reading.ts"
import * as Starting from "../starting.ts"

interface Told {
  readonly _tag: string
  readonly message: string
}

const missing = new Set(["PipelineNotDeployed", "ScheduleMissing", "BackfillMissing"])

/** What the host could not do, as a problem. */
const problemOf = ({ _tag, message }: Told) => {
  const words = { code: _tag, detail: message }
  if (missing.has(_tag)) return new Problems.NotFound(words)
  return new Problems.Unavailable(words)
}

const unready = ({ _tag, message }: HostUnready) => new Problems.Unavailable({ code: _tag, detail: message })

/** Answers about pipelines. */
export const pipelines = HttpApiBuilder.group(
  Api,
  "pipelines",
  Effect.fnUntraced(function* (handlers) {
    const host = yield* Host
    const known = Effect.mapError(host.pipelines, unready)
    return handlers.handleAll({
      list: Effect.fnUntraced(function* () {
        const pipelines = yield* known
        const problem = yield* host.problem
        return problem === undefined ? { pipelines } : { pipelines, problem }
      }),
      show: Effect.fnUntraced(function* ({ params }) {
        const found = (yield* known).find(({ id }) => id === params.pipeline)
        const detail = `There is no pipeline ${params.pipeline}`
        return found ?? (yield* new Problems.NotFound({ code: "PipelineMissing", detail }))
      }),
      plan: ({ params }) => Effect.mapError(host.plan(params.pipeline), problemOf),
      start: Effect.fnUntraced(function* ({ headers, params, payload }) {
        const { actor } = yield* Caller
        const { pipeline } = params
        const key = headers["idempotency-key"]
        return Begun.answerOf(
          yield* Starting.start({ pipeline, params: payload.params ?? {}, who: actor, key, trigger: "api" }),
        )
      }),
    })
  }),
)

/** Answers about schedules. */
export const schedules = HttpApiBuilder.group(
  Api,
  "schedules",
  Effect.fnUntraced(function* (handlers) {
    const host = yield* Host
    const backfill = Effect.fnUntraced(function* (request: BackfillRequest) {
      return yield* Effect.mapError(host.backfill(request), (error) => {
        const words = { code: error._tag, detail: error.message }
        return error._tag === "HostRefused" ? new Problems.Conflict(words) : problemOf(error)
      })
    })
    return handlers.handleAll({
      list: () =>
        host.schedules.pipe(
          Effect.map((schedules) => ({ schedules })),
          Effect.mapError(unready),
        ),
      show: ({ params }) => Effect.mapError(host.schedule(params.pipeline), problemOf),
      explain: ({ params: { pipeline }, query }) => ScheduleReading.explain(pipeline, query),
      pause: Effect.fnUntraced(function* ({ params, payload }) {
        const { actor } = yield* Caller
        return yield* Effect.mapError(host.pause(params.pipeline, payload.reason, actor), problemOf)
      }),
      resume: Effect.fnUntraced(function* ({ params, payload }) {
        const { actor } = yield* Caller
        return yield* Effect.mapError(host.resume(params.pipeline, payload.reason, actor), problemOf)
      }),
      backfill: Effect.fnUntraced(function* ({ params, payload }) {
        const { actor } = yield* Caller
        return yield* backfill({ pipeline: params.pipeline, ...payload, who: actor })
      }),
      cancelBackfill: Effect.fnUntraced(function* ({ params: { backfill: id, pipeline }, payload: { reason } }) {
        const { actor } = yield* Caller
        const left = yield* Effect.mapError(host.cancelBackfill(pipeline, id, reason, actor), problemOf)
        return { backfill: id, left }
      }),
    })
  }),
)

const Body = Schema.fromJsonString(Schema.Struct({ params: Schema.optionalKey(Params) }))

/** The same words whatever is wrong: only the log tells a hook that is not there from a signature that does not fit. */
const refused = new Problems.Unauthorized({
  code: "SignatureRefused",
  detail: "No webhook with this signature starts this pipeline",
})

/** Answers to other systems. */
export const hooks = HttpApiBuilder.group(
  Api,
  "hooks",
  Effect.fnUntraced(function* (handlers) {
    const secrets = yield* Secrets
    const { sections } = yield* Settings
    const log = yield* RatedLog.make
    const known = new Map(Object.entries(sections.daemon.hooks ?? {}))

    const stranger = Effect.fnUntraced(function* (pipeline: string, why: string) {
      const kind = known.has(pipeline) ? `${pipeline}: ${why}` : "unknown"
      yield* log.warn(kind, `The webhook of ${pipeline} started nothing: ${why}`)
      return yield* refused
    })

    const secretOf = (pipeline: string) => {
      const reference = known.get(pipeline)
      if (reference === undefined) return stranger(pipeline, "daemon.hooks of the configuration does not name it")
      return Effect.catch(secrets.resolve(reference), ({ message }) => stranger(pipeline, message))
    }

    return handlers.handleRaw(
      "call",
      Effect.fnUntraced(function* ({ headers, params: { pipeline }, request }) {
        // Before anything is known of the hook: who sends too much or too slowly is told so whether there is one or not.
        const text = yield* Effect.orDie(request.text)
        const secret = yield* secretOf(pipeline)
        const now = yield* Clock.currentTimeMillis
        const signed = {
          id: headers["webhook-id"] ?? "",
          timestamp: headers["webhook-timestamp"] ?? "",
          signature: headers["webhook-signature"] ?? "",
        }
        const fault = WebhookSignature.fault(Redacted.value(secret), signed, text, now)
        if (fault !== undefined) return yield* stranger(pipeline, fault)
        const { params = {} } = yield* Schema.decodeEffect(Body)(text).pipe(
          Effect.mapError(
            () => new Problems.BadRequest({ code: "RequestInvalid", detail: "The body is no JSON object" }),
          ),
        )
        const who: Actor = { authid: `hook ${pipeline}`, authtype: "service_account" }
        return Begun.answerOf(yield* Starting.start({ pipeline, params, who, key: signed.id, trigger: "webhook" }))
      }),
    )
  }),
)
