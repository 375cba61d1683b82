import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import * as Schema from "effect/Schema"
import * as SqlClient from "effect/sql/SqlClient"
import { isSqlError, type SqlError } from "effect/sql/SqlError"
import type { Fragment } from "effect/sql/Statement"
import type { DatabaseSection } from "../domain/config/database.ts"
import { slotText } from "../domain/model.ts"
import * as Registry from "../domain/registry.ts"
import type { Holds } from "./holds.ts"
import * as HoldsSql from "./holds-sql.ts"
import * as Copies from "./model-registry-copy.ts"
import * as Rows from "./model-registry-rows.ts"
import * as PostgresTables from "./model-registry-tables-postgres.ts"
import * as SqliteTables from "./model-registry-tables-sqlite.ts"
import * as Errors from "./model-registry.ts"
import { ModelRegistry } from "./model-registry.ts"
import * as Once from "./once.ts"
import * as Postgres from "./postgres.ts"
import type { Secrets } from "./secrets.ts"
import * as Sqlite from "./sqlite.ts"
import { migrate, SchemaTooNew } from "./sql-migrations.ts"
import type { Workspace } from "./workspace.ts"

const unavailable = (error: Unseen) =>
  new Errors.RegistryUnavailable({
    reason: error.message,
    transient: isSqlError(error) && error.isRetryable,
    notApplied: isSqlError(error) && error.reason._tag === "LockTimeoutError",
    cause: error,
  })

type Unseen = SqlError | SchemaTooNew | Schema.SchemaError

const isUnseen = (error: unknown): error is Unseen =>
  isSqlError(error) || Schema.isSchemaError(error) || error instanceof SchemaTooNew

/** Failures of SQL and of rows that are not what they should be, as `RegistryUnavailable`; the rest passes. */
const told = <A, E, R>(
  effect: Effect.Effect<A, E | Unseen, R>,
): Effect.Effect<A, Exclude<E, Unseen> | Errors.RegistryUnavailable, R> =>
  Effect.mapError(effect, (error) => (isUnseen(error) ? unavailable(error) : (error as Exclude<E, Unseen>)))

const make = Effect.gen(function* () {
  const sql = yield* SqlClient.SqlClient
  const isPostgres = sql.onDialectOrElse({ pg: () => true, orElse: () => false })
  const { migrations } = isPostgres ? PostgresTables : SqliteTables
  const ready = yield* Once.untilItSucceeds(
    Effect.andThen(migrate(sql, "model-registry", migrations), HoldsSql.bringForward(sql)),
  )
  // One change at a time, so that each finds the end of both histories. SQLite's transactions begin alone.
  const alone = isPostgres
    ? Effect.asVoid(sql`SELECT pg_advisory_xact_lock(hashtextextended('dandori model-registry', 0))`)
    : Effect.void
  const snapshot = isPostgres ? "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY" : "BEGIN"

  const now = Effect.map(Clock.currentTimeMillis, (millis) => new Date(millis).toISOString())

  const rows = Rows.make(sql)
  const { events, files, models, moves, pending } = rows
  const copies = Copies.make(sql, rows)
  const everything = sql`1 = 1`
  const model = (version: string) => Effect.map(models(sql`version = ${version}`), (rows) => rows[0])

  /** Sequence, time and previous hash of the next row; its time is never before the row before it. */
  const link = (rows: ReadonlyArray<Registry.RegistryEvent | Registry.AliasMove | Registry.FilesEvent>) =>
    Effect.map(now, (at) => {
      const last = rows.at(-1)
      return {
        sequence: (last?.sequence ?? 0) + 1,
        at: last !== undefined && last.at > at ? last.at : at,
        previousHash: last?.hash ?? Registry.genesis,
      }
    })

  const appendEvent = Effect.fnUntraced(function* (
    change: Pick<Registry.RegistryEvent, "version" | "digest" | "from" | "to">,
    warrant: Registry.Warrant,
  ) {
    const last = yield* events(sql`sequence = (SELECT max(sequence) FROM model_registry_events)`)
    const row = { ...change, ...warrant, ...(yield* link(last)) }
    yield* rows.addEvent({ ...row, hash: Registry.rowHash(row) })
  })

  const appendMove = Effect.fnUntraced(function* (
    change: Pick<Registry.AliasMove, "slot" | "version" | "digest" | "from" | "receipt">,
    warrant: Registry.Warrant,
  ) {
    const last = yield* moves(sql`sequence = (SELECT max(sequence) FROM alias_history)`)
    const row = { ...change, alias: "champion" as const, ...warrant, ...(yield* link(last)) }
    const move: Registry.AliasMove = { ...row, hash: Registry.rowHash(row) }
    yield* rows.addMove(move)
    return move
  })

  const filesOf = (version: string) =>
    Effect.map(
      files(sql`sequence = (SELECT max(sequence) FROM model_files_events WHERE version = ${version})`),
      (rows) => rows[0],
    )

  const setStatus = Effect.fnUntraced(function* (
    row: Registry.ModelRow,
    to: Registry.ModelStatus,
    warrant: Registry.Warrant,
  ) {
    if (!Registry.mayBecome(row.status, to)) {
      return yield* new Errors.TransitionRefused({ version: row.version, from: row.status, to })
    }
    const changed = yield* now
    yield* sql`UPDATE model_registry SET status = ${to}, reason = ${warrant.reason}, changed = ${changed}
      WHERE version = ${row.version}`
    yield* appendEvent({ version: row.version, digest: row.digest, from: row.status, to }, warrant)
    return { ...row, status: to, reason: warrant.reason, changed }
  })

  const reasoned = (version: string, warrant: Registry.Warrant) =>
    warrant.reason.trim() === "" ? Effect.fail(new Errors.ReasonMissing({ version })) : Effect.void

  const known = Effect.fnUntraced(function* (version: string) {
    return (yield* model(version)) ?? (yield* new Errors.VersionUnknown({ version }))
  })

  const insertModel = Effect.fnUntraced(function* (
    offered: Registry.NewModel,
    status: Registry.ModelStatus,
    warrant: Registry.Warrant,
  ) {
    const at = yield* now
    const row: Registry.ModelRow = { ...offered, status, reason: warrant.reason, registered: at, changed: at }
    yield* rows.addModel(row)
    yield* appendEvent({ version: row.version, digest: row.digest, from: null, to: status }, warrant)
    return row
  })

  const guarded = <A, E, R>(effect: Effect.Effect<A, E | Unseen, R>) => told(Effect.andThen(ready, effect))
  const transaction = <A, E, R>(changes: Effect.Effect<A, E, R>) =>
    guarded(sql.withTransaction(Effect.andThen(alone, changes)))
  /** Several looks at one state. */
  const look = <A, E, R>(looks: Effect.Effect<A, E, R>) =>
    guarded(Effect.provideService(sql.withTransaction(looks), SqlClient.BeginTransaction, snapshot))

  const register: ModelRegistry["Service"]["register"] = Effect.fn("ModelRegistry.register")(function* (
    offered,
    as,
    warrant,
  ) {
    yield* reasoned(offered.version, warrant)
    const found = yield* model(offered.version)
    if (found === undefined) return yield* insertModel(offered, as, warrant)
    if (found.digest === offered.digest && slotText(found.slot) === slotText(offered.slot)) return found
    return yield* new Errors.VersionConflict({
      version: offered.version,
      found: found.digest,
      offered: offered.digest,
    })
  }, transaction)

  const transition: ModelRegistry["Service"]["transition"] = Effect.fn("ModelRegistry.transition")(function* (
    version,
    to,
    warrant,
  ) {
    yield* reasoned(version, warrant)
    const row = yield* known(version)
    const changed = yield* setStatus(row, to, warrant)
    if (row.status === "deployed") {
      const slot = slotText(row.slot)
      yield* appendMove({ slot, version: null, digest: null, from: version, receipt: null }, warrant)
    }
    return changed
  }, transaction)

  const recordFiles: ModelRegistry["Service"]["recordFiles"] = Effect.fn("ModelRegistry.recordFiles")(function* (
    version,
    state,
    bytes,
    warrant,
  ) {
    yield* reasoned(version, warrant)
    const { digest, status } = yield* known(version)
    const before = yield* filesOf(version)
    if (before?.state === state) return
    const refuse = (reason: string) => new Errors.FilesStateRefused({ version, reason })
    if (!Registry.filesMayBecome(before?.state, state)) {
      return yield* refuse(`they are ${before?.state ?? "whole"} and cannot become ${state}`)
    }
    if (Registry.filesGo(state) && status !== "archived") {
      return yield* refuse(`it is ${status}, and only the files of an archived version go`)
    }
    const last = yield* files(sql`sequence = (SELECT max(sequence) FROM model_files_events)`)
    const row = { version, digest, state, bytes, ...warrant, ...(yield* link(last)) }
    yield* rows.addFiles({ ...row, hash: Registry.rowHash(row) })
  }, transaction)

  const enqueue = Effect.fnUntraced(function* (messages: ReadonlyArray<Registry.OutboxMessage>) {
    const created = yield* now
    for (const message of messages) yield* rows.addMessage({ ...message, created })
  })

  const deploy: ModelRegistry["Service"]["deploy"] = Effect.fn("ModelRegistry.deploy")(function* (
    version,
    how,
    warrant,
  ) {
    yield* reasoned(version, warrant)
    const row = yield* known(version)
    if (!Registry.mayBecome(row.status, "deployed")) {
      return yield* new Errors.TransitionRefused({ version, from: row.status, to: "deployed" })
    }
    const gone = yield* filesOf(version)
    if (gone !== undefined && Registry.filesGo(gone.state)) return yield* Errors.FilesPurged.of(gone)
    const slot = slotText(row.slot)
    const [previous] = yield* models(sql`slot = ${slot} AND status = 'deployed'`)
    if (previous !== undefined) yield* setStatus(previous, how.previousBecomes, warrant)
    yield* setStatus(row, "deployed", warrant)
    yield* enqueue(how.outbox)
    return yield* appendMove(
      { slot, version, digest: row.digest, from: previous?.version ?? null, receipt: how.receipt },
      warrant,
    )
  }, transaction)

  const all = (where: Fragment) => Effect.all({ events: events(where), moves: moves(where), files: files(where) })

  return ModelRegistry.of({
    atomically: transaction,
    register,
    transition,
    deploy,
    recordFiles,
    filesOf: (version) => guarded(Effect.map(filesOf(version), Option.fromUndefinedOr)),
    find: (version) => guarded(Effect.map(model(version), Option.fromUndefinedOr)),
    show: (version) =>
      look(
        Effect.gen(function* () {
          const row = yield* known(version)
          return {
            row,
            events: yield* events(sql`version = ${version}`),
            moves: yield* moves(sql`version = ${version} OR from_version = ${version}`),
            files: yield* files(sql`version = ${version}`),
          }
        }),
      ),
    list: (filter = {}) =>
      guarded(
        models(
          sql.and([
            everything,
            ...(filter.slot === undefined ? [] : [sql`slot = ${slotText(filter.slot)}`]),
            ...(filter.status === undefined ? [] : [sql`status = ${filter.status}`]),
          ]),
        ),
      ),
    champion: (slot) =>
      guarded(
        Effect.map(models(sql`slot = ${slotText(slot)} AND status = 'deployed'`), (rows) =>
          Option.fromUndefinedOr(rows[0]),
        ),
      ),
    at: (slot, time) => {
      const until = new Date(time).toISOString()
      const last = sql`sequence = (SELECT max(sequence) FROM alias_history WHERE slot = ${slotText(slot)} AND at <= ${until})`
      return guarded(Effect.map(moves(last), (rows) => Option.fromUndefinedOr(rows[0])))
    },
    history: (slot) => guarded(moves(sql`slot = ${slotText(slot)}`)),
    doneBy: (key) => guarded(all(sql`key = ${key}`)),
    histories: look(all(everything)),
    verify: Effect.map(look(all(everything)), (found) => [
      ...Registry.checkChain("model_registry_events", found.events),
      ...Registry.checkChain("alias_history", found.moves),
      ...Registry.checkChain("model_files_events", found.files),
    ]),
    pendingOutbox: (limit, kind) => guarded(pending(limit, kind)),
    markDelivered: Effect.fn("ModelRegistry.markDelivered")(function* (ids) {
      if (ids.length === 0) return
      yield* sql`UPDATE outbox SET delivered = ${yield* now} WHERE delivered IS NULL AND ${sql.in("id", ids)}`
    }, guarded),
    sweepOutbox: ({ others, signals }) => {
      const before = (time: number) => sql`delivered < ${new Date(time).toISOString()}`
      const old = sql`((kind = 'signal' AND ${before(signals)}) OR (kind <> 'signal' AND ${before(others)}))`
      return guarded(
        Effect.map(sql`DELETE FROM outbox WHERE delivered IS NOT NULL AND ${old} RETURNING id`, (rows) => rows.length),
      )
    },
    copy: look(copies.read),
    load: Effect.fn("ModelRegistry.load")(copies.load, transaction),
  })
})

/** The registry in the tables of a database, which are made or brought forward when they are first needed. */
export const layer: Layer.Layer<ModelRegistry, never, SqlClient.SqlClient> = Layer.effect(ModelRegistry, make)

/** The registry, with the holds beside it in the same transactions. */
export const layerWithHolds: Layer.Layer<ModelRegistry | Holds, never, SqlClient.SqlClient> = Layer.merge(
  layer,
  HoldsSql.layer,
)

/** Registry and holds in `<home>/state.db`. */
export const layerState = Layer.provide(layerWithHolds, Sqlite.layerState)

/** Registry and holds where the configuration says that they are: in `<home>/state.db`, or in PostgreSQL. */
export const layerOf = (section: DatabaseSection): Layer.Layer<ModelRegistry | Holds, never, Workspace | Secrets> =>
  section.backend === "embedded" ? layerState : Layer.provide(layerWithHolds, Postgres.layerOf(section))
