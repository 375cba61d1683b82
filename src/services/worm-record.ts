import * as Schema from "effect/Schema"
import * as CanonicalJson from "../domain/canonical-json.ts"
import { Sha256 } from "../domain/sha256.ts"

/** The kinds of write-once records; each has a chain of its own. */
export const RecordType = Schema.Literals([
  "model_publish",
  "config_change",
  "ops",
  "retrain",
  "dq",
  "incident",
  "run",
]).annotate({ identifier: "WormRecordType" })
export type RecordType = typeof RecordType.Type

/** Body of a record. `prev_sha256` is the digest of the file with the sequence before it, zeros for the first. */
export const Record = Schema.Struct({
  record_type: RecordType,
  created_at: Schema.String.annotate({ description: "RFC 3339, UTC, milliseconds" }),
  payload: Schema.JsonObject,
  sequence: Schema.Int,
  prev_sha256: Sha256,
  record_id: Schema.String.annotate({ description: "run/task: one task of a run writes one record" }),
})
export type Record = typeof Record.Type

/**
 * Entry of the chain index, `chain/<sequence>.json`: written before its record has its place. In a bucket, which has no
 * place for what is pending, it holds the record too, so that whoever finds it can put the record in its place.
 */
export const Link = Schema.Struct({
  sequence: Schema.Int,
  path: Schema.String.annotate({ description: "relative to the record type's folder" }),
  sha256: Sha256,
  prev_sha256: Sha256,
  record_id: Schema.String,
  record: Schema.optionalKey(Record),
})
export type Link = typeof Link.Type

/** `prev_sha256` of the first record. */
export const genesis = "0".repeat(64) as Sha256

const namespace = "6f1c1b0e-52b5-5b4e-8d0a-7a5f0c3d9e42"

/** UUIDv5 of a record: same for every attempt of the task that writes it. */
export const uuidOf = (recordType: RecordType, recordId: string): string =>
  Bun.randomUUIDv5(`${recordType}:${recordId}`, namespace)

/** `<YYYY>/<YYYYMM>/<record_type>_<UTC>_<uuid>.json` of a record. */
export const pathOf = (record: Pick<Record, "record_type" | "created_at" | "record_id">): string => {
  const stamp = `${record.created_at.slice(0, 19).replaceAll(/[-:]/g, "")}Z`
  const name = `${record.record_type}_${stamp}_${uuidOf(record.record_type, record.record_id)}.json`
  return `${stamp.slice(0, 4)}/${stamp.slice(0, 6)}/${name}`
}

/** File name of a sequence's entry in `chain/`, without its ending. */
export const sequenceName = (sequence: number): string => String(sequence).padStart(12, "0")

/** The bytes of a record or a link: canonical JSON and a newline. */
export const textOf = (value: Record | Link): string => `${CanonicalJson.encode(value)}\n`

/** Reads a record's bytes; None when they are no record. */
export const decodeRecord = Schema.decodeUnknownOption(Schema.fromJsonString(Record))

/** Reads a link's bytes; None when they are no link. */
export const decodeLink = Schema.decodeUnknownOption(Schema.fromJsonString(Link))
