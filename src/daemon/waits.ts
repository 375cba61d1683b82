import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"

/** How long what could not be recorded is left alone, milliseconds. */
export const retryAfter = 1_000

/** What the loop does with schedules. */
const works = ["close", "settle", "adopt"] as const
type Work = (typeof works)[number]

/** Work that may be tried again. */
type Attempt = Effect.Effect<void, { readonly message: string }>

/**
 * What of schedules could not be recorded, each until it was: it is `due` again after `retryAfter`, and keeps nothing else from
 * being done. Each problem is said once.
 */
export const make = (due: Map<string, number>, say: (text: string) => Effect.Effect<void>) => {
  /** Why, by what it was and of which schedule. */
  const problems = new Map<string, string>()

  const attempt = (what: Work, some: ReadonlyArray<string>, work: Attempt) =>
    work.pipe(
      Effect.map(() => {
        if (problems.size > 0) for (const pipeline of some) problems.delete(`${what} ${pipeline}`)
      }),
      Effect.catch(({ message }) =>
        Effect.map(Clock.currentTimeMillis, (now) => {
          for (const pipeline of some) {
            due.set(pipeline, now + retryAfter)
            problems.set(`${what} ${pipeline}`, message)
          }
        }),
      ),
    )

  const told = (attempts: Effect.Effect<void>) =>
    Effect.gen(function* () {
      const before = new Set(problems.values())
      yield* attempts
      for (const problem of new Set(problems.values())) {
        if (!before.has(problem)) yield* say(`Schedules wait: ${problem}`)
      }
      if (before.size > 0 && problems.size === 0) yield* say("Schedules go on")
    })

  return {
    isEmpty: () => problems.size === 0,
    /** Whether anything of it waits. */
    isWaiting: (pipeline: string) => works.some((what) => problems.has(`${what} ${pipeline}`)),
    has: (what: Work, pipeline: string) => problems.has(`${what} ${pipeline}`),
    /** Does something for schedules that is recorded for all of them or for none. */
    together: (what: Work, some: ReadonlyArray<string>, work: Attempt) => told(attempt(what, some, work)),
    /** Does the same for each of many schedules. */
    each: (what: Work, some: Iterable<string>, work: (pipeline: string) => Attempt) =>
      told(
        Effect.forEach([...some], (pipeline) => attempt(what, [pipeline], work(pipeline)), {
          concurrency: "unbounded",
          discard: true,
        }),
      ),
  }
}
