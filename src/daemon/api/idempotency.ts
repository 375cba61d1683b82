import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as RcMap from "effect/RcMap"
import * as Semaphore from "effect/Semaphore"
import * as CanonicalJson from "../../domain/canonical-json.ts"
import * as Sha256 from "../../domain/sha256.ts"
import { Ids } from "../../services/ids.ts"
import { StartKeys } from "../../services/start-keys.ts"
import * as Problems from "./problems.ts"

/** A request that begins a run: what is asked of what by whom (`scope`), the key that it may be sent again under, what it says. */
export interface Asked {
  readonly scope: string
  readonly key: string | undefined
  readonly says: unknown
}

/** Which run came of a request, and whether it was created for it. */
export interface Begun {
  readonly run: string
  readonly isNew: boolean
}

/**
 * Begins runs once. A request with a key has its run's id reserved first: sent again, after whatever became of it, it begins
 * that run or finds it begun. One at a time for each key.
 */
export class Idempotency extends Context.Service<
  Idempotency,
  {
    /** `isFinal`: it was refused for what it says, so that something else may be said under its key. */
    readonly once: <E, R>(
      asked: Asked,
      begin: (run: string) => Effect.Effect<Begun, E, R>,
      isFinal: (error: E) => boolean,
    ) => Effect.Effect<Begun, E | Problems.Unprocessable | Problems.Unavailable, R>
  }
>()("dandori/daemon/api/Idempotency") {}

const unavailable = (error: { readonly _tag: string; readonly message: string }) =>
  new Problems.Unavailable({ code: error._tag, detail: error.message })

const make = Effect.gen(function* () {
  const keys = yield* StartKeys
  const ids = yield* Ids
  const turns = yield* RcMap.make({ lookup: (_key: string) => Semaphore.make(1) })
  const alone = <A, E, R>(key: string, effect: Effect.Effect<A, E, R>) =>
    Effect.scoped(Effect.flatMap(RcMap.get(turns, key), (turn) => turn.withPermit(effect)))

  const keyed = Effect.fnUntraced(function* <E, R>(
    { says, scope }: Asked,
    key: string,
    begin: (run: string) => Effect.Effect<Begun, E, R>,
    isFinal: (error: E) => boolean,
  ) {
    const request = { scope, key, fingerprint: Sha256.of(CanonicalJson.encode(says)) }
    const { fingerprint, run } = yield* Effect.mapError(keys.reserve(request, ids.uuid()), unavailable)
    if (fingerprint !== request.fingerprint) {
      const detail = `The key ${key} was used before, for a request that said something else`
      return yield* new Problems.Unprocessable({ code: "KeyReused", detail })
    }
    const forget = Effect.ignore(keys.release(request, run))
    return yield* Effect.tapError(begin(run), (error) => (isFinal(error) ? forget : Effect.void))
  })

  return Idempotency.of({
    once: (asked, begin, isFinal) =>
      asked.key === undefined
        ? begin(ids.uuid())
        : alone(`${asked.scope} ${asked.key}`, keyed(asked, asked.key, begin, isFinal)),
  })
})

/** By the keys that are kept in the state store. */
export const layer: Layer.Layer<Idempotency, never, StartKeys> = Layer.effect(Idempotency, make)
