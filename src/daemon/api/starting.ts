import * as Effect from "effect/Effect"
import { Host, type StartRequest } from "../host.ts"
import { Idempotency } from "./idempotency.ts"
import * as Problems from "./problems.ts"

/** What is started, by whom; `key` tells the request from another one of the same sender. */
export interface Start extends Omit<StartRequest, "run"> {
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

const isFinal = ({ status }: { readonly status: number }): boolean => status === 404 || status === 422

/** Starts a run of a deployed pipeline, once for each key. */
export const start = Effect.fnUntraced(function* ({ key, ...request }: Start) {
  const host = yield* Host
  const { once } = yield* Idempotency
  const { params, pipeline, trigger, who } = request
  const asked = { scope: `${trigger} ${who.authid} ${pipeline}`, key, says: { params } }
  return yield* once(asked, (run) => Effect.mapError(host.start({ ...request, run }), problemOf), isFinal)
})
