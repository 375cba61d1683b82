import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Queue from "effect/Queue"
import type * as Scope from "effect/Scope"
import { isSqlError, type SqlError } from "effect/sql/SqlError"
import type { AppendFile } from "../services/append-file.ts"
import { FileFailed } from "../services/durable-files.ts"
import * as EventTable from "./event-table.ts"
import * as Outage from "../services/outage.ts"

/** Where a stream's table of lines goes on from, and who writes. */
export interface Options {
  readonly stream: string
  readonly table: EventTable.EventTable
  /** Lines that are there, and their bytes. */
  readonly sequence: number
  readonly bytes: number
  /** Longest time to a flush that nobody waits for, milliseconds. */
  readonly intervalMillis: number
}

/** A table of lines, and how to say that another process has gone on with it. */
export interface AppendTable extends AppendFile {
  readonly lose: () => void
}

interface Waiter {
  readonly end: number
  readonly resume: (exit: Effect.Effect<void, FileFailed>) => void
}

/** How long the end of a stream waits for a database that is away, milliseconds. */
const farewellMillis = 10_000

const failed = (stream: string, code: string, reason: string) =>
  new FileFailed({ path: `${stream} in PostgreSQL`, operation: "append to", code, reason })

/** Another process has gone on with the stream: what this one still has is not part of it. */
const fenced = (stream: string) =>
  failed(stream, "FENCED", "another process has gone on with it, since the database lost the connection to this one")

const gone = (stream: string, sequence: number) =>
  failed(
    stream,
    "GONE",
    `entry ${sequence}, which it goes on from, is not in the table any more: the database went back to an earlier state, or was edited. Look: dandori ledger verify`,
  )

/**
 * The lines of a stream in a table of PostgreSQL, with group commit: all that were appended while a statement was on its
 * way share the next. While the database is away, waiting goes on; what was acknowledged is there.
 */
export const open = (options: Options): Effect.Effect<AppendTable, never, Scope.Scope> =>
  Effect.gen(function* () {
    const { intervalMillis, stream, table } = options
    let buffer: Array<EventTable.Row> = []
    let { bytes: end, sequence } = options
    let synced = end
    let syncedSequence = sequence
    let flushes = 0
    let waiters: Array<Waiter> = []
    let broken: FileFailed | undefined
    const isBroken = yield* Deferred.make<FileFailed>()
    const wake = yield* Queue.sliding<void>(1)
    let timer: ReturnType<typeof setTimeout> | undefined

    const settle = () => {
      const ready = waiters.filter((waiter) => broken !== undefined || waiter.end <= synced)
      waiters = waiters.filter((waiter) => broken === undefined && waiter.end > synced)
      for (const waiter of ready) waiter.resume(broken && waiter.end > synced ? Effect.fail(broken) : Effect.void)
    }
    const breakWith = (error: FileFailed) => {
      broken ??= error
      Deferred.doneUnsafe(isBroken, Effect.succeed(broken))
      settle()
    }

    /** Whether rows that cannot be added are there already: of a statement whose answer was lost. */
    const isOurs = (rows: ReadonlyArray<EventTable.Row>) =>
      Effect.map(
        table.lines(stream, rows[0].sequence, rows[rows.length - 1].sequence),
        (lines) => rows.length === lines.length && rows.every(({ line }, i) => line === lines[i]),
      )
    const add = (rows: ReadonlyArray<EventTable.Row>): Effect.Effect<void, SqlError | FileFailed> =>
      table.add(stream, rows).pipe(
        Effect.flatMap((added) => (added ? Effect.void : Effect.fail(gone(stream, rows[0].sequence - 1)))),
        Effect.catchIf(
          (error) => isSqlError(error) && error.reason._tag === "UniqueViolation",
          () => Effect.flatMap(isOurs(rows), (ours) => (ours ? Effect.void : Effect.fail(fenced(stream)))),
        ),
      )

    const flushOnce = Effect.gen(function* () {
      const rows = buffer
      if (rows.length === 0 || broken !== undefined) return
      buffer = []
      for (const batch of EventTable.batches(rows)) {
        yield* Outage.outlast(`The ledger of ${stream}`, add(batch))
        if (broken !== undefined) return
        flushes++
        ;({ endsAt: synced, sequence: syncedSequence } = batch[batch.length - 1])
        settle()
      }
    }).pipe(
      Effect.catch((error) =>
        Effect.sync(() => breakWith(error._tag === "FileFailed" ? error : failed(stream, "DATABASE", error.message))),
      ),
    )

    yield* Effect.forkScoped(Effect.forever(Effect.andThen(Queue.take(wake), flushOnce)))

    const flush = () => void Queue.offerUnsafe(wake, undefined)
    const isOver = () => {
      timer = undefined
      flush()
    }
    const flushed = (upTo: number) =>
      Effect.callback<void, FileFailed>((resume) => {
        if (upTo <= synced) return resume(Effect.void)
        if (broken) return resume(Effect.fail(broken))
        waiters.push({ end: upTo, resume })
        flush()
      })

    yield* Effect.addFinalizer(() =>
      Effect.gen(function* () {
        clearTimeout(timer)
        if (synced === end || broken !== undefined) return
        const all = yield* Effect.result(Effect.timeoutOption(flushed(end), farewellMillis))
        if (all._tag === "Success" && all.success._tag === "Some") return
        yield* Effect.logWarning(
          `The last ${sequence - syncedSequence} events of ${stream} are not in the ledger: its database is away. What was acknowledged is there`,
        )
      }),
    )

    return {
      append: (text) => {
        end += Buffer.byteLength(text)
        buffer.push({ sequence: ++sequence, line: text.slice(0, -1), endsAt: end })
        timer ??= setTimeout(isOver, intervalMillis)
        return end
      },
      flushed,
      end: () => end,
      synced: () => synced,
      flushes: () => flushes,
      broken: Deferred.await(isBroken),
      lose: () => breakWith(fenced(stream)),
    }
  })
