import * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import { type Quiesce, QuiesceFailed } from "./cloud-snapshots.ts"
import type { Processes } from "./processes.ts"

const defaultTimeoutMillis = 60_000

const brief = (text: string) => text.replaceAll(/\s+/g, " ").trim().slice(-300)

/** Runs one of the commands; anything but exit code 0 in time is a failure. */
const runOne = (
  { run }: Processes["Service"],
  when: "before" | "after",
  { timeoutMillis = defaultTimeoutMillis, ...commands }: Quiesce,
): Effect.Effect<void, QuiesceFailed> => {
  const argv = commands[when]
  const failed = (reason: string) => Effect.fail(new QuiesceFailed({ argv, when, reason }))
  return run({ argv }).pipe(
    Effect.catch((error) => failed(`did not run: ${error.message}`)),
    Effect.flatMap(({ exitCode, stderr }) =>
      exitCode === 0 ? Effect.void : failed(`ended with ${exitCode}: ${brief(stderr)}`),
    ),
    Effect.timeoutOrElse({
      duration: timeoutMillis,
      orElse: () => failed(`did not end within ${timeoutMillis} ms and was stopped`),
    }),
  )
}

/** Lets writes go on. Interruption of the caller does not stop it; only its own timeout does. */
export const release = (processes: Processes["Service"], quiesce: Quiesce): Effect.Effect<void, QuiesceFailed> =>
  Effect.uninterruptible(
    Effect.flatMap(Effect.forkDetach(Effect.interruptible(runOne(processes, "after", quiesce))), Fiber.join),
  )

/**
 * Runs something while writes are held back. They are let go on whatever becomes of it, and also when they could not be
 * held back, or not wholly.
 */
export const holding = <A, E extends Error>(
  processes: Processes["Service"],
  quiesce: Quiesce,
  use: Effect.Effect<A, E>,
): Effect.Effect<A, E | QuiesceFailed> =>
  Effect.uninterruptibleMask((restore) =>
    Effect.gen(function* () {
      const exit = yield* Effect.exit(restore(Effect.andThen(runOne(processes, "before", quiesce), use)))
      const released = yield* Effect.exit(release(processes, quiesce))
      if (Exit.isSuccess(released)) return yield* exit
      if (Exit.isSuccess(exit)) return yield* Effect.failCause(released.cause)
      if (Exit.hasInterrupts(exit)) return yield* Effect.failCause(Cause.combine(exit.cause, released.cause))
      const earlier = Cause.squash(exit.cause)
      const message = earlier instanceof Error ? earlier.message : String(earlier)
      return yield* Effect.failCause(
        Cause.map(
          released.cause,
          ({ argv, reason, when }) => new QuiesceFailed({ argv, reason, when, earlier: message }),
        ),
      )
    }),
  )
