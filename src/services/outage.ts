import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as Random from "effect/Random"
import { isSqlError, type SqlError } from "effect/sql/SqlError"

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

/** How long an outage is still outlasted by a process that is to end, milliseconds. */
const farewellMillis = 10_000

/** When this process was asked to end; undefined while it was not. */
let asked: number | undefined

/** This process is to end: it outlasts a database that is away for ten seconds more, and no longer. */
export const hasten: Effect.Effect<void> = Effect.map(Clock.currentTimeMillis, (now) => void (asked ??= now))

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
      const result = yield* Effect.result(effect)
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
