import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import type { SqlClient } from "effect/sql/SqlClient"
import type { Fragment } from "effect/sql/Statement"
import * as CanonicalJson from "../domain/canonical-json.ts"
import { Slot, slotText } from "../domain/model.ts"
import { Hold } from "../domain/hold.ts"
import * as Registry from "../domain/registry.ts"

const json = <S extends Schema.Constraint>(schema: S) => Schema.fromJsonString(schema)
const modelColumns = Schema.Struct({
  ...Registry.ModelRow.fields,
  slot: json(Slot),
  theta: json(Registry.NewModel.fields.theta),
  metrics: json(Registry.NewModel.fields.metrics),
  datasets: json(Registry.NewModel.fields.datasets),
  receipts: json(Registry.NewModel.fields.receipts),
  synthetic: Schema.Union([Schema.BooleanFromBit, Schema.Boolean]),
})
const decodeModels = Schema.decodeUnknownEffect(Schema.Array(modelColumns))
const decodeEvents = Schema.decodeUnknownEffect(Schema.Array(Registry.RegistryEvent))
const decodeMoves = Schema.decodeUnknownEffect(Schema.Array(Registry.AliasMove))
const decodeFiles = Schema.decodeUnknownEffect(Schema.Array(Registry.FilesEvent))
const decodeHolds = Schema.decodeUnknownEffect(Schema.Array(Hold))
const decodePending = Schema.decodeUnknownEffect(
  Schema.Array(Schema.Struct({ ...Registry.PendingMessage.fields, payload: json(Schema.Unknown) })),
)

/** Reads and writes the registry's tables: models newest first, histories and outbox oldest first. */
export const make = (sql: SqlClient) => {
  const bit = (value: boolean) => sql.onDialectOrElse({ pg: () => value, orElse: () => Number(value) })
  const models = (where: Fragment) =>
    Effect.flatMap(
      sql`SELECT version, slot_json AS slot, digest, path, theta, metrics, datasets, receipts, synthetic, status, reason,
        registered, changed FROM model_registry WHERE ${where} ORDER BY id DESC`,
      decodeModels,
    )
  const events = (where: Fragment) =>
    Effect.flatMap(
      sql`SELECT sequence, who, reason, intent, run, task, key, at, previous_hash AS "previousHash", hash, version, digest,
        from_status AS "from", to_status AS "to" FROM model_registry_events WHERE ${where} ORDER BY sequence`,
      decodeEvents,
    )
  const moves = (where: Fragment) =>
    Effect.flatMap(
      sql`SELECT sequence, who, reason, intent, run, task, key, at, previous_hash AS "previousHash", hash, slot, alias,
        version, digest, from_version AS "from", receipt FROM alias_history WHERE ${where} ORDER BY sequence`,
      decodeMoves,
    )
  const files = (where: Fragment) =>
    Effect.flatMap(
      sql`SELECT sequence, who, reason, intent, run, task, key, at, previous_hash AS "previousHash", hash, version, digest,
        state, bytes FROM model_files_events WHERE ${where} ORDER BY sequence`,
      decodeFiles,
    )
  const pending = (limit: number, kind?: string) =>
    Effect.flatMap(
      sql`SELECT id, kind, payload, created FROM outbox
        WHERE delivered IS NULL AND ${kind === undefined ? sql`1 = 1` : sql`kind = ${kind}`} ORDER BY id LIMIT ${limit}`,
      decodePending,
    )
  const holds = (where: Fragment) =>
    Effect.flatMap(
      sql`SELECT id, subject, who, reason, added, until, released, released_by AS "releasedBy",
        release_reason AS "releaseReason" FROM holds WHERE ${where} ORDER BY sequence`,
      decodeHolds,
    )
  const addModel = (row: Registry.ModelRow) =>
    sql`INSERT INTO model_registry ${sql.insert({
      ...row,
      slot: slotText(row.slot),
      slot_json: CanonicalJson.encode(row.slot),
      theta: CanonicalJson.encode(row.theta),
      metrics: CanonicalJson.encode(row.metrics),
      datasets: CanonicalJson.encode(row.datasets),
      receipts: CanonicalJson.encode(row.receipts),
      synthetic: bit(row.synthetic),
    })}`
  const addEvent = ({ from, previousHash, to, ...columns }: Registry.RegistryEvent) =>
    sql`INSERT INTO model_registry_events ${sql.insert({
      ...columns,
      from_status: from,
      to_status: to,
      previous_hash: previousHash,
    })}`
  const addMove = ({ from, previousHash, ...columns }: Registry.AliasMove) =>
    sql`INSERT INTO alias_history ${sql.insert({ ...columns, from_version: from, previous_hash: previousHash })}`
  const addMessage = ({ created, kind, payload }: Omit<Registry.PendingMessage, "id">) =>
    sql`INSERT INTO outbox ${sql.insert({ kind, payload: CanonicalJson.encode(payload), created })}`
  const addFiles = ({ previousHash, ...columns }: Registry.FilesEvent) =>
    sql`INSERT INTO model_files_events ${sql.insert({ ...columns, previous_hash: previousHash })}`
  const addHold = ({ releaseReason, releasedBy, ...columns }: Hold) =>
    sql`INSERT INTO holds ${sql.insert({ ...columns, released_by: releasedBy, release_reason: releaseReason })}`
  return {
    models,
    events,
    moves,
    files,
    pending,
    holds,
    addModel,
    addEvent,
    addMove,
    addFiles,
    addMessage,
    addHold,
  }
}

/** The statements on the tables of one database. */
export type RegistryRows = ReturnType<typeof make>
