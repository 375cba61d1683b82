import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import type { SqlClient } from "effect/sql/SqlClient"
import type { Fragment } from "effect/sql/Statement"
import { Slot } from "../domain/model.ts"
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
const decodePending = Schema.decodeUnknownEffect(
  Schema.Array(Schema.Struct({ ...Registry.PendingMessage.fields, payload: json(Schema.Unknown) })),
)

/** Reads the registry's tables: models newest first, histories and outbox oldest first. */
export const make = (sql: SqlClient) => {
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
  return { models, events, moves, files, pending }
}
