import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as HttpApiBuilder from "effect/http-api/HttpApiBuilder"
import { slotOf } from "../../../domain/model.ts"
import { parseDuration } from "../../../domain/quantity.ts"
import * as CordonBook from "../../../ledger/cordon-book.ts"
import { Ledger } from "../../../ledger/ledger.ts"
import { Acting } from "../../../services/acting.ts"
import { type CordonFailed, type CordonMissing, Cordons, type CordonTaken } from "../../../services/cordons.ts"
import type { FileFailed } from "../../../services/durable-files.ts"
import { ModelRegistry } from "../../../services/model-registry.ts"
import { Caller } from "../authorization.ts"
import { Api } from "../document.ts"
import * as Problems from "../problems.ts"

const unavailable = (error: { readonly _tag: string; readonly message: string }) =>
  new Problems.Unavailable({ code: error._tag, detail: error.message })

/** Answers about models. */
export const models = HttpApiBuilder.group(
  Api,
  "models",
  Effect.fnUntraced(function* (handlers) {
    const registry = yield* ModelRegistry
    return handlers.handleAll({
      list: Effect.fnUntraced(function* ({ query: { slot: text, status } }) {
        const slot = text === undefined ? undefined : slotOf(text)
        const filter = { ...(slot === undefined ? {} : { slot }), ...(status === undefined ? {} : { status }) }
        return { models: yield* Effect.mapError(registry.list(filter), unavailable) }
      }),
      show: ({ params }) =>
        Effect.mapError(registry.show(params.version), (error) =>
          error._tag === "VersionUnknown"
            ? new Problems.NotFound({ code: error._tag, detail: `There is no version ${params.version}` })
            : unavailable(error),
        ),
      history: Effect.fnUntraced(function* ({ query }) {
        const slot = slotOf(query.slot)
        const moves = slot === undefined ? [] : yield* Effect.mapError(registry.history(slot), unavailable)
        return { moves }
      }),
    })
  }),
)

const notRaised = (error: FileFailed | CordonFailed | CordonTaken) =>
  error._tag === "CordonTaken" ? new Problems.Conflict({ code: error._tag, detail: error.message }) : unavailable(error)

const notLifted = (error: FileFailed | CordonFailed | CordonMissing) =>
  error._tag === "CordonMissing"
    ? new Problems.NotFound({ code: error._tag, detail: error.message })
    : unavailable(error)

/** Answers about cordons. */
export const cordons = HttpApiBuilder.group(
  Api,
  "cordons",
  Effect.fnUntraced(function* (handlers) {
    const all = yield* Cordons
    const ledger = yield* Ledger
    const testify = Effect.fnUntraced(function* (event: Parameters<typeof CordonBook.record>[0]) {
      const { actor } = yield* Caller
      const recording = CordonBook.record(event).pipe(
        Effect.provideService(Ledger, ledger),
        Effect.provideService(Acting, actor),
      )
      const why = yield* CordonBook.unrecorded(recording)
      return why === undefined ? {} : { unrecorded: why }
    })
    return handlers.handleAll({
      list: () => Effect.map(all.list, (cordons) => ({ cordons })),
      raise: Effect.fnUntraced(function* ({ payload: { expires, id, reason, scope } }) {
        const { actor } = yield* Caller
        const now = yield* Clock.currentTimeMillis
        const lasts = expires === undefined ? undefined : parseDuration(expires)
        const given = {
          id: id ?? CordonBook.nameAt(now),
          owner: actor.authid,
          reason,
          ...(scope === undefined ? {} : { scope }),
          ...(lasts === undefined ? {} : { expires: now + lasts }),
        }
        const raised = yield* Effect.mapError(all.raise(given), notRaised)
        return { ...raised, ...(yield* testify(CordonBook.raised(raised))) }
      }),
      lift: Effect.fnUntraced(function* ({ params, payload }) {
        const lifted = yield* Effect.mapError(all.lift(params.cordon), notLifted)
        return { ...lifted, ...(yield* testify(CordonBook.lifted(lifted, payload.reason))) }
      }),
    })
  }),
)
