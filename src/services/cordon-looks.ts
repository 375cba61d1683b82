import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Result from "effect/Result"
import * as Schema from "effect/Schema"
import type { Look } from "./cordon-rows-postgres.ts"
import * as Monotonic from "./monotonic.ts"

/** The cordons in the database cannot be read or changed. */
export class RowsUnseen extends Schema.TaggedError<RowsUnseen>()("RowsUnseen", { reason: Schema.String }) {
  override get message() {
    return this.reason
  }
}

/** What came of a look at the database. */
export type Seen = Result.Result<Look, RowsUnseen>

/** How old a look may be that is relied on, and from when on another one is begun, milliseconds. */
const freshMillis = 500
const renewMillis = 250

/** How long a start waits for a database that answered before, milliseconds. */
const patienceMillis = 1_000

/** How a database is looked at. */
export interface Options {
  readonly look: Effect.Effect<Look, RowsUnseen>
  /** How long the first look may take, milliseconds. */
  readonly timeoutMillis: number
}

/**
 * Looks at the cordons of a database for those who want to start work: what was seen is good for half a second, and is
 * renewed meanwhile. Nobody waits for a database that has not answered before.
 */
export const make = Effect.fnUntraced(function* ({ look, timeoutMillis }: Options) {
  const scope = yield* Effect.scope
  let seen: { readonly at: number; readonly result: Seen } | undefined
  let running: { readonly done: Deferred.Deferred<void> } | undefined

  /** Begins a look, unless one is on its way; the effect waits for its end. */
  const renew = Effect.suspend(() => {
    if (running !== undefined) return Effect.succeed(Deferred.await(running.done))
    const own = { done: Deferred.makeUnsafe<void>() }
    running = own
    const work = Effect.gen(function* () {
      const at = yield* Monotonic.millis
      const result = yield* Effect.result(look)
      // What has changed since may be missing in it.
      if (running === own) seen = { at, result }
    }).pipe(
      Effect.ensuring(
        Effect.suspend(() => {
          if (running === own) running = undefined
          return Deferred.succeed(own.done, undefined)
        }),
      ),
    )
    return Effect.as(Effect.forkIn(work, scope), Deferred.await(own.done))
  })

  const recent: Effect.Effect<Seen> = Effect.gen(function* () {
    const now = yield* Monotonic.millis
    const before = seen
    const age = before === undefined ? Infinity : now - before.at
    if (before !== undefined && age < renewMillis) return before.result
    const renewed = yield* renew
    if (before !== undefined && (age < freshMillis || Result.isFailure(before.result))) return before.result
    const limit = before === undefined ? timeoutMillis : patienceMillis
    const hasEnded = yield* Effect.timeoutOrElse(Effect.as(renewed, true), {
      duration: limit,
      orElse: () => Effect.succeed(false),
    })
    if (!hasEnded) {
      const reason = `PostgreSQL has not answered for ${limit} ms`
      seen = { at: now, result: Result.fail(new RowsUnseen({ reason })) }
      return seen.result
    }
    // Nothing new where it was changed meanwhile.
    return seen === undefined || seen === before ? yield* recent : seen.result
  })

  return {
    /** What was seen at most half a second ago; else that it cannot be seen. */
    recent,
    /** What was seen is good no more: it was changed. */
    changed: Effect.sync(() => {
      seen = undefined
      running = undefined
    }),
  }
})
