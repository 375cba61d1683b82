import * as Effect from "effect/Effect"
import * as RcMap from "effect/RcMap"
import * as Semaphore from "effect/Semaphore"
import type { Actor } from "../../domain/actor.ts"
import * as CanonicalJson from "../../domain/canonical-json.ts"
import * as Sha256 from "../../domain/sha256.ts"
import { Ids } from "../../services/ids.ts"
import { StartKeys } from "../../services/start-keys.ts"
import { Host, type StartRequest } from "../host.ts"
import * as Problems from "./problems.ts"

/** What is started, by whom; `key` tells the request from another one of the same sender. */
export interface Start extends Pick<StartRequest, "pipeline" | "params" | "trigger"> {
  readonly who: Actor
  readonly key: string | undefined
}

type Refused = Effect.Error<ReturnType<Host["Service"]["start"]>>

const problemOf = (error: Refused) => {
  const words = { code: error._tag, detail: error.message }
  switch (error._tag) {
    case "PipelineNotDeployed":
      return new Problems.NotFound(words)
    case "ParamsRefused":
      return new Problems.Unprocessable({ ...words, problems: error.problems })
    case "QueueFull":
      return new Problems.TooManyRequests(words)
    case "HostRefused":
      return new Problems.Conflict(words)
    case "HostUnready":
      return new Problems.Unavailable(words)
  }
}

/** Refused for what it says: with this key, something else may be said. */
const isFinal = (error: Refused): boolean => error._tag === "ParamsRefused" || error._tag === "PipelineNotDeployed"

const unavailable = (error: { readonly _tag: string; readonly message: string }) =>
  new Problems.Unavailable({ code: error._tag, detail: error.message })

/**
 * Starts runs. A request with a key has its run's id reserved first: sent again, after whatever became of it, it starts
 * that run or finds it started. One at a time for each key.
 */
export const make = Effect.gen(function* () {
  const host = yield* Host
  const keys = yield* StartKeys
  const ids = yield* Ids
  const turns = yield* RcMap.make({ lookup: (_key: string) => Semaphore.make(1) })
  const alone = <A, E, R>(key: string, effect: Effect.Effect<A, E, R>) =>
    Effect.scoped(Effect.flatMap(RcMap.get(turns, key), (turn) => turn.withPermit(effect)))

  const keyed = Effect.fnUntraced(function* (start: Start, scope: string, key: string) {
    const { params, pipeline, trigger, who } = start
    const request = { scope, key, fingerprint: Sha256.of(CanonicalJson.encode({ params })) }
    const { fingerprint, run } = yield* Effect.mapError(keys.reserve(request, ids.uuid()), unavailable)
    if (fingerprint !== request.fingerprint) {
      const detail = `The key ${key} was used before, for a request that said something else`
      return yield* new Problems.Unprocessable({ code: "KeyReused", detail })
    }
    return yield* host.start({ pipeline, params, run, who, trigger }).pipe(
      Effect.tapError((error) => (isFinal(error) ? Effect.ignore(keys.release(request, run)) : Effect.void)),
      Effect.mapError(problemOf),
    )
  })

  return Effect.fnUntraced(function* (start: Start) {
    const { key, params, pipeline, trigger, who } = start
    if (key !== undefined) {
      const scope = `${trigger} ${who.authid} ${pipeline}`
      return yield* alone(`${scope} ${key}`, keyed(start, scope, key))
    }
    return yield* Effect.mapError(host.start({ pipeline, params, run: ids.uuid(), who, trigger }), problemOf)
  })
})
