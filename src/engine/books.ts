import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import type { Sha256 } from "../domain/sha256.ts"
import { Ledger } from "../ledger/ledger.ts"
import * as Root from "../ledger/root.ts"
import * as StreamName from "../ledger/stream-name.ts"
import type * as StreamWriter from "../ledger/stream-writer.ts"
import { AttemptFiles } from "../services/attempt-files.ts"
import { Inbox } from "../services/inbox.ts"
import * as Errors from "./errors.ts"
import type { RunState } from "./run-state.ts"

/**
 * What the record of a best-effort run lacks when its process is done with it: so many events of its own, or, with none,
 * what the root stream has to say of it. `since` is milliseconds since the epoch.
 */
export interface Incomplete {
  readonly events: number
  readonly since?: number
  readonly reason: string
}

/** Closes a run's books when it has ended: root entry, scratch folders gone meanwhile, read-only file. */
export const closeIfOver = Effect.fnUntraced(function* (
  run: string,
  state: RunState,
  writer: StreamWriter.StreamWriter,
) {
  if (state.phase !== "ended") return
  const ledger = yield* Ledger
  const files = yield* AttemptFiles
  const head = writer.head()
  const inbox = yield* Inbox
  const closing = Root.closed(StreamName.ofRun(run), head.sequence, head.hash)
  const closed = yield* Effect.forkChild(closing, { startImmediately: true })
  yield* Effect.yieldNow
  // What cannot be tidied up keeps no books open: it is told when they are closed.
  const tidied = yield* Effect.exit(Effect.andThen(files.clean(run), Effect.ignore(inbox.clear(run))))
  yield* Fiber.join(closed)
  yield* ledger.seal(StreamName.ofRun(run))
  yield* tidied
})

/**
 * Closes a run's books as its audit wants it. The writer of a best-effort run tries once more before it gives up; then
 * this gives what could not be written. `unopened` is the hash of its first entry where the root could not take that yet.
 */
export const close = Effect.fnUntraced(function* (
  run: string,
  state: RunState,
  writer: StreamWriter.StreamWriter,
  unopened?: Sha256,
) {
  if (state.plan.plan.audit === "required") {
    yield* closeIfOver(run, state, writer)
    return undefined
  }
  const behind = yield* Effect.mapError(
    writer.settled,
    ({ message }) => new Errors.LedgerLost({ run, reason: message }),
  )
  if (behind !== undefined) {
    const { error, lines, since } = behind
    return { events: lines, since, reason: error.message } satisfies Incomplete
  }
  const opened = unopened === undefined ? Effect.void : Root.opened(StreamName.ofRun(run), unopened, true)
  return yield* Effect.andThen(opened, closeIfOver(run, state, writer)).pipe(
    Effect.as<Incomplete | undefined>(undefined),
    Effect.catchTag("LedgerFailed", ({ message }) => Effect.succeed<Incomplete>({ events: 0, reason: message })),
  )
})
