import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Semaphore from "effect/Semaphore"
import type { SqlClient } from "effect/sql/SqlClient"
import { isSqlError, type SqlError } from "effect/sql/SqlError"
import type { Actor } from "../domain/actor.ts"
import type { Event } from "../domain/event.ts"
import { Acting } from "../services/acting.ts"
import { Ids } from "../services/ids.ts"
import * as Once from "../services/once.ts"
import * as Postgres from "../services/postgres.ts"
import { migrate, SchemaTooNew } from "../services/sql-migrations.ts"
import * as AppendTable from "./append-table.ts"
import * as Chain from "./chain.ts"
import {
  LedgerFailed,
  notPurged,
  StreamBusy,
  StreamDamaged,
  StreamEnded,
  StreamMissing,
  StreamMoved,
  wasPurged,
} from "./errors.ts"
import * as EventTable from "./event-table.ts"
import * as KeptStreams from "./kept-streams.ts"
import { type KeptCheckpoint, Ledger, type Writing } from "./ledger.ts"
import * as Outage from "../services/outage.ts"
import * as RootTestimonies from "./root-testimonies.ts"
import { type Author, type Head, genesis, seal } from "./sealing.ts"
import * as StreamLocks from "./stream-locks.ts"
import * as StreamName from "./stream-name.ts"
import * as StreamWriter from "./stream-writer.ts"
import * as Testimony from "./testimony.ts"

/** Which database holds the ledger, and how it is written. */
export interface TableOptions {
  readonly database: Postgres.PostgresOptions
  readonly author: Author
  /** Longest time from an append to its flush when nobody waits for it, milliseconds. */
  readonly flushIntervalMillis: number
}

const failedBy = (stream: string) => (error: SqlError | SchemaTooNew) =>
  new LedgerFailed({
    stream,
    reason: error.message,
    cause: error,
    ...(isSqlError(error) && Outage.isPassing(error) ? { away: true } : {}),
  })

const empty = (stream: string): Chain.Chain => ({ entries: [], head: genesis(stream), validBytes: 0, fault: undefined })

const make = Effect.fnUntraced(function* (options: TableOptions) {
  const clock = yield* Clock.Clock
  const ids = yield* Ids
  const sql: SqlClient = yield* Postgres.open(options.database)
  const session = yield* Postgres.open({ ...options.database, pool: { min: 1, max: 1 } })
  const locks = yield* StreamLocks.make(session, sql)
  const table = EventTable.make(sql)
  const ready = yield* Once.untilItSucceeds(migrate(sql, "ledger", EventTable.migrations))
  const context: StreamWriter.WriterContext = {
    author: options.author,
    now: () => clock.currentTimeMillisUnsafe(),
    uuid: ids.uuid,
  }

  const told = <A, E, R>(stream: string, effect: Effect.Effect<A, E | SqlError | SchemaTooNew, R>) =>
    Effect.mapError(Effect.andThen(ready, effect), (error) =>
      isSqlError(error) || error instanceof SchemaTooNew
        ? failedBy(stream)(error)
        : (error as Exclude<E, SqlError | SchemaTooNew>),
    )

  const verified = KeptStreams.make<Chain.Chain>()

  /** A look outlasts an outage, unless the database was not there from the beginning. */
  const look = <A, E, R>(stream: string, effect: Effect.Effect<A, E | SqlError, R>) =>
    told(stream, Outage.outlast(`The ledger of ${stream}`, effect))

  /** Verifies what a stream has beyond what this process verified before. */
  const grown = (stream: string, before: Chain.Chain, bytes: Uint8Array): Chain.Chain => {
    const start = { head: before.head, bytes: before.validBytes }
    const rest = Chain.read(stream, bytes, start)
    return { ...rest, entries: before.entries.length === 0 ? rest.entries : [...before.entries, ...rest.entries] }
  }

  /** Reads a stream: only what was added since this process verified it. An empty chain where there is none. */
  const readGrowing = Effect.fnUntraced(function* (stream: string) {
    const known = verified.get(stream)
    const { bytes } = yield* table.extent(stream)
    if (known !== undefined && bytes === known.validBytes) return known
    verified.delete(stream)
    const before = known !== undefined && bytes > known.validBytes ? known : empty(stream)
    const chain = grown(stream, before, yield* table.bytesFrom(stream, before.validBytes))
    if (chain.fault === undefined && chain.validBytes > 0) verified.set(stream, chain)
    return chain
  })

  const readOrMissing = Effect.fnUntraced(function* (stream: string) {
    const chain = yield* readGrowing(stream)
    return chain.validBytes === 0 && chain.fault === undefined ? yield* new StreamMissing({ stream }) : chain
  })

  const testimonies = RootTestimonies.make((from, least) => table.bytesFrom(StreamName.root, from, least))

  /** A writer that goes on from a chain, with the stream's lock, until the scope closes. */
  const writerFrom = Effect.fnUntraced(function* (
    stream: string,
    chainOf: Effect.Effect<Chain.Chain, SqlError | StreamDamaged | LedgerFailed>,
    { flushMillis = options.flushIntervalMillis }: Writing = {},
  ) {
    let lose = () => {}
    if (!(yield* locks.acquire(stream, () => lose()))) return yield* new StreamBusy({ stream })
    const chain = yield* chainOf
    const { sequence } = chain.head
    const where = { stream, table, sequence, bytes: chain.validBytes, intervalMillis: flushMillis }
    const file = yield* AppendTable.open(where)
    lose = file.lose
    return { chain, writer: StreamWriter.make(stream, StreamName.runOf(stream) ?? stream, chain.head, file, context) }
  })

  const turns = { root: Semaphore.makeUnsafe(1), system: Semaphore.makeUnsafe(1) }

  /** Seals events onto a head as rows. */
  const sealed = (
    stream: string,
    head: Head,
    bytes: number,
    events: ReadonlyArray<Event>,
    authorOf: (index: number) => Author,
  ) => {
    const rows: Array<EventTable.Row> = []
    const appended: Array<StreamWriter.Appended> = []
    for (let at = { head, bytes }, i = 0; i < events.length; i++) {
      const time = context.now()
      const author = authorOf(i)
      const { head: next, line } = seal(at.head, author, events[i], {
        id: context.uuid(),
        subject: stream,
        time,
      })
      at = { head: next, bytes: at.bytes + Buffer.byteLength(line) }
      rows.push({ sequence: next.sequence, line: line.slice(0, -1), endsAt: at.bytes })
      appended.push({ ...next, time, by: author.authid })
    }
    return { rows, appended }
  }

  /** How far this process knows `root` and `system`, without their entries. */
  const recorded = new Map<string, Chain.Chain>()

  const record = Effect.fnUntraced(function* (stream: "root" | "system", events: ReadonlyArray<Event>) {
    /** What a try sent whose outcome nobody knows. */
    let sent: ReadonlyArray<EventTable.Row> = []
    const author = { ...context.author, ...(yield* Acting) }
    const lasting = <A, E, R>(effect: Effect.Effect<A, E, R>) => Outage.outlast(`The ledger's stream ${stream}`, effect)
    // Where it is known to end already, it is not read once more.
    const { end } =
      stream === StreamName.root && !recorded.has(stream) ? yield* lasting(testimonies) : { end: undefined }
    const begun = end === undefined ? empty(stream) : { ...empty(stream), head: end.head, validBytes: end.bytes }
    const once = sql.withTransaction(
      Effect.gen(function* () {
        yield* sql`SELECT pg_advisory_xact_lock(hashtextextended('dandori ledger append ' || ${stream}, 0))`
        const known = recorded.get(stream) ?? begun
        const { bytes } = yield* table.extent(stream)
        if (bytes < known.validBytes) {
          const reason = `it has ${bytes} bytes, but had ${known.validBytes} before: entries are missing`
          return yield* new StreamDamaged({ stream, line: known.head.sequence, reason })
        }
        const chain = grown(stream, known, yield* table.bytesFrom(stream, known.validBytes))
        if (chain.fault !== undefined) {
          return yield* new StreamDamaged({ stream, line: chain.fault.line, reason: chain.fault.reason })
        }
        recorded.set(stream, { ...chain, entries: [] })
        const [first] = sent
        const [there] = first === undefined ? [] : yield* table.lines(stream, first.sequence, first.sequence)
        if (first !== undefined && there === first.line) return
        sent = sealed(stream, chain.head, chain.validBytes, events, () => author).rows
        if (!(yield* table.add(stream, sent))) {
          const reason = "its last entry went away while another was added"
          return yield* new StreamDamaged({ stream, line: chain.head.sequence, reason })
        }
      }),
    )
    yield* turns[stream].withPermit(lasting(Effect.andThen(ready, once)))
  })

  /** Where the streams of schedules end that this process has extended. */
  const ends = new Map<string, { readonly hash: string; readonly bytes: number }>()

  const extend = Effect.fnUntraced(function* (
    stream: string,
    after: Head,
    events: ReadonlyArray<Event>,
    by: ReadonlyArray<Actor | undefined> = [],
  ) {
    const end = ends.get(stream)
    const extent = end?.hash === after.hash ? { ...end, sequence: after.sequence } : yield* table.extent(stream)
    if (extent.sequence !== after.sequence) return yield* new StreamMoved({ stream })
    if (events.length === 0) return []
    const { appended, rows } = sealed(stream, after, extent.bytes, events, (index) =>
      by[index] === undefined ? context.author : { ...context.author, ...by[index] },
    )
    const [first, last] = [rows[0].sequence, rows[rows.length - 1].sequence]
    const add = table.add(stream, rows).pipe(
      Effect.catchIf(
        (error) => error.reason._tag === "UniqueViolation",
        // Of a statement whose answer was lost they are there already.
        () =>
          Effect.map(table.lines(stream, first, last), (lines) =>
            rows.every(({ line }, index) => line === lines[index]),
          ),
      ),
    )
    if (!(yield* Outage.outlast(`The ledger's stream ${stream}`, add))) return yield* new StreamMoved({ stream })
    ends.set(stream, { hash: appended[appended.length - 1].hash, bytes: rows[rows.length - 1].endsAt })
    return appended
  })

  const keptAs = ({ size, text }: EventTable.Checkpoint): KeptCheckpoint => ({
    name: `checkpoints/${size}.txt`,
    place: `ledger.checkpoints of PostgreSQL, size ${size}`,
    size,
    text,
  })

  return Ledger.of({
    create: (stream, writing) =>
      told(
        stream,
        Effect.map(
          writerFrom(
            stream,
            Effect.gen(function* () {
              if ((yield* table.extent(stream)).bytes > 0) {
                return yield* new LedgerFailed({ stream, reason: "it exists already" })
              }
              const isOld = StreamName.mayBePurged(stream, context.now())
              if (isOld && (yield* testimonies).isPurged(stream)) return yield* wasPurged(stream)
              return empty(stream)
            }),
            writing,
          ),
          ({ writer }) => writer,
        ),
      ),
    reopen: (stream, writing) =>
      told(
        stream,
        Effect.gen(function* () {
          const known = StreamName.runOf(stream) === undefined ? undefined : yield* testimonies
          const said = known?.of(stream)
          const before = yield* readOrMissing(stream)
          if (known?.isPurged(stream) === true) return yield* new StreamEnded({ stream })
          if (said !== undefined && said.closed.length > 0) {
            const contradiction = Testimony.contradiction(before, said)
            return yield* contradiction === undefined
              ? new StreamEnded({ stream })
              : new StreamDamaged({ stream, ...contradiction })
          }
          const current = Effect.flatMap(readGrowing(stream), (chain) => {
            if (chain.fault !== undefined) {
              return Effect.fail(new StreamDamaged({ stream, line: chain.fault.line, reason: chain.fault.reason }))
            }
            const contradiction = Testimony.contradiction(chain, said)
            return contradiction === undefined
              ? Effect.succeed(chain)
              : Effect.fail(new StreamDamaged({ stream, ...contradiction }))
          })
          return yield* writerFrom(stream, current, writing)
        }),
      ),
    read: (stream) => look(stream, readOrMissing(stream)),
    bytes: (stream, from = 0, least = Infinity) =>
      look(
        stream,
        Effect.gen(function* () {
          const bytes = yield* table.bytesFrom(stream, from, least)
          if (bytes.length > 0 || (yield* table.extent(stream)).bytes > 0) return bytes
          return yield* new StreamMissing({ stream })
        }),
      ),
    owned: (stream) => look(stream, locks.isHeld(stream)),
    runs: look(
      "runs",
      Effect.map(table.runs, (streams) =>
        streams.filter(StreamName.isOne).flatMap((stream) => StreamName.runOf(stream) ?? []),
      ),
    ),
    size: look("all streams", table.size),
    disorder: look(
      "all streams",
      Effect.gen(function* () {
        const strays = (yield* table.streams).filter((stream) => !StreamName.isOne(stream))
        return { strays, misplaced: yield* table.misplaced }
      }),
    ),
    record: (stream, events) => told(stream, record(stream, events)),
    schedules: look(
      "schedules",
      Effect.map(table.schedules, (streams) => streams.filter(StreamName.isOne)),
    ),
    extend: (stream, after, events, by) => told(stream, extend(stream, after, events, by)),
    testimonies: look(StreamName.root, testimonies),
    newestCheckpoint: look(
      StreamName.root,
      Effect.map(table.newestCheckpoint, ([newest]) => newest && keptAs(newest)),
    ),
    checkpoints: look(
      StreamName.root,
      Effect.map(table.checkpoints, (all) => all.map(keptAs)),
    ),
    keepCheckpoint: (size, text) => look(StreamName.root, table.keepCheckpoint(size, text)),
    seal: () => Effect.void,
    remove: (stream) =>
      look(
        stream,
        Effect.gen(function* () {
          if ((yield* table.extent(stream)).bytes === 0) return
          if (!(yield* testimonies).isPurged(stream)) return yield* notPurged(stream)
          if (!(yield* locks.acquire(stream, () => {}))) return yield* new StreamBusy({ stream })
          verified.delete(stream)
          yield* table.remove(stream)
        }).pipe(Effect.scoped),
      ),
    discard: () => Effect.void,
  })
})

/** A ledger in a table of PostgreSQL, for several machines. Its tables are made when they are first needed. */
export const layer = (options: TableOptions) => Layer.effect(Ledger, make(options))
