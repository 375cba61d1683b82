import * as Clock from "effect/Clock"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Random from "effect/Random"
import { isSqlError, type SqlError } from "effect/sql/SqlError"
import * as PostgresErrors from "../services/postgres-errors.ts"

const passing = new Set([
  "ConnectionError",
  "AuthenticationError",
  "StatementTimeoutError",
  "LockTimeoutError",
  "DeadlockError",
  "SerializationError",
])

/** True for a failure of the database's that goes by: it is away, has no room, or is busy. */
export const isPassing = ({ reason }: SqlError): boolean => {
  if (passing.has(reason._tag)) return true
  const code = (reason.cause as { readonly code?: unknown } | null)?.code
  // Insufficient resources, and system error.
  return typeof code === "string" && /^(53|58)/.test(code)
}

const noAnswer = PostgresErrors.lost("query", "of the dsn", "the server does not answer, and this process is to end")

/** How long an outage is still outlasted by a process that is to end, milliseconds. */
const farewellMillis = 10_000

/** When this process was asked to end; undefined while it was not. */
let asked: number | undefined
const isAsked = Deferred.makeUnsafe<void>()

/** This process is to end: it outlasts a database that is away for ten seconds more, and no longer. */
export const hasten: Effect.Effect<void> = Effect.gen(function* () {
  asked ??= yield* Clock.currentTimeMillis
  yield* Deferred.succeed(isAsked, undefined)
})

/** Fails when what has begun now got no answer for as long as a process that is to end waits. */
const overdue = Effect.andThen(
  Deferred.await(isAsked),
  Effect.andThen(Effect.sleep(farewellMillis), Effect.fail(noAnswer)),
)

const firstMillis = 50
/** As long, so that it is soon noticed that the process is to end. */
const longestMillis = 2_000
/** How long it is waited without a word. */
const silentMillis = 2_000

/**
 * Tries again until a failure that goes by has gone by, with jittered backoff, and says so where it takes long. What is
 * tried must be safe to be tried again when its outcome is not known.
 */
export const outlast = <A, E, R>(
  what: string,
  effect: Effect.Effect<A, E | SqlError, R>,
): Effect.Effect<A, E | SqlError, R> =>
  Effect.gen(function* () {
    const since = yield* Clock.currentTimeMillis
    let said = false
    for (let longest = firstMillis; ; longest = Math.min(longest * 2, longestMillis)) {
      const result = yield* Effect.result(Effect.raceFirst(effect, overdue))
      if (result._tag === "Success") {
        if (said) yield* Effect.logWarning(`${what} goes on`)
        return result.success
      }
      const error = result.failure
      if (!isSqlError(error) || !isPassing(error)) return yield* Effect.fail(error)
      const now = yield* Clock.currentTimeMillis
      const left = asked === undefined ? Infinity : asked + farewellMillis - now
      if (left <= 0) return yield* Effect.fail(error)
      if (!said && now - since >= silentMillis) {
        said = true
        yield* Effect.logWarning(`${what} waits: ${error.message}`)
      }
      yield* Effect.sleep(Math.min(longest * (0.5 + (yield* Random.next) / 2), left))
    }
  })
