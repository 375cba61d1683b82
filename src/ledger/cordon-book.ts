import * as Effect from "effect/Effect"
import type { Cordon } from "../domain/cordon.ts"
import type { Event } from "../domain/event.ts"
import { Ledger } from "./ledger.ts"
import * as StreamName from "./stream-name.ts"

/** The name of a cordon that was given none: made of the time, milliseconds since the epoch. */
export const nameAt = (now: number): string => `cordon-${new Date(now).toISOString().replace(/[-:]|\.\d+/g, "")}`

/** What `system` says of a cordon that was raised. */
export const raised = ({ epoch, expires, id, reason, scope }: Cordon): Event => ({
  type: "dev.dandori.cordon.raised.v1",
  data: {
    cordon: id,
    epoch,
    reason,
    ...(scope === undefined ? {} : { scope }),
    ...(expires === undefined ? {} : { expires }),
  },
})

/** What `system` says of a cordon that was lifted. */
export const lifted = ({ epoch, id }: Cordon, reason: string): Event => ({
  type: "dev.dandori.cordon.lifted.v1",
  data: { cordon: id, epoch, reason },
})

/** How long the ledger may take; one in a database that is away would be waited for until that is back. */
const ledgerMillis = 5_000

/** Puts what happened into the `system` stream. */
export const record = (event: Event) => Effect.flatMap(Ledger, (ledger) => ledger.record(StreamName.system, [event]))

/**
 * Why what happened could not be recorded; undefined where it is. The cordon stands, or is gone, already: a ledger that
 * fails takes nothing back.
 */
export const unrecorded = <R>(
  recording: Effect.Effect<void, { readonly message: string }, R>,
): Effect.Effect<string | undefined, never, R> =>
  recording.pipe(
    Effect.as(undefined),
    Effect.catch((error) => Effect.succeed(error.message)),
    Effect.timeoutOrElse({
      duration: ledgerMillis,
      orElse: () => Effect.succeed(`it did not answer within ${ledgerMillis / 1_000} s`),
    }),
  )
