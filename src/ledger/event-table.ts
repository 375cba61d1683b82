import * as Effect from "effect/Effect"
import type { SqlClient } from "effect/sql/SqlClient"
import type { SqlError } from "effect/sql/SqlError"
import type { Migration } from "../services/sql-migrations.ts"

const refuse = (table: string, noun: string) => [
  `CREATE FUNCTION ledger.${table}_append_only() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN RAISE EXCEPTION '${noun}' USING ERRCODE = 'restrict_violation'; END $$`,
  `CREATE TRIGGER ${table}_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON ledger.${table}
    FOR EACH STATEMENT EXECUTE FUNCTION ledger.${table}_append_only()`,
]

/** Which rows of the root say that a run was purged, and the stream that such a row names. */
const saysPurged = `stream = 'root' AND line LIKE '%,"type":"dev.dandori.run.purged.v1"}'`
const purgedStream = `substring(line FROM '"stream":"(runs/[0-9a-f-]+)"},"datacontenttype"')`

/**
 * The tables of a ledger. `line` is an entry's RFC 8785 text without its newline, `ends_at` how many bytes the stream has
 * with it and its newline: together the bytes that a segment file would have. The primary key is the fence: of two
 * writers that go on from one head, the second one fails.
 */
export const migrations: ReadonlyArray<Migration> = [
  {
    name: "events and checkpoints",
    statements: [
      "CREATE SCHEMA IF NOT EXISTS ledger",
      `CREATE TABLE ledger.events (
        stream text NOT NULL,
        sequence bigint NOT NULL CHECK (sequence > 0),
        line text NOT NULL,
        ends_at bigint NOT NULL CHECK (ends_at > 0),
        PRIMARY KEY (stream, sequence)
      )`,
      "CREATE INDEX events_streams ON ledger.events (stream) WHERE sequence = 1",
      ...refuse("events", "the ledger is append-only"),
      `CREATE TABLE ledger.checkpoints (size bigint PRIMARY KEY CHECK (size > 0), text text NOT NULL)`,
      ...refuse("checkpoints", "a checkpoint is not changed"),
    ],
  },
  {
    // Rows go only of streams that the root says were purged.
    name: "purged runs",
    statements: [
      `CREATE INDEX events_purged ON ledger.events ((${purgedStream})) WHERE ${saysPurged}`,
      "DROP TRIGGER events_append_only ON ledger.events",
      `CREATE TRIGGER events_append_only BEFORE UPDATE OR TRUNCATE ON ledger.events
        FOR EACH STATEMENT EXECUTE FUNCTION ledger.events_append_only()`,
      `CREATE FUNCTION ledger.events_stay() RETURNS trigger LANGUAGE plpgsql AS $$
        BEGIN
          IF EXISTS (
            SELECT FROM (SELECT DISTINCT stream FROM gone) AS removed WHERE removed.stream NOT LIKE 'runs/%' OR NOT EXISTS (
              SELECT FROM ledger.events WHERE ${saysPurged} AND ${purgedStream} = removed.stream)
          ) THEN RAISE EXCEPTION 'the ledger is append-only' USING ERRCODE = 'restrict_violation'; END IF;
          RETURN NULL;
        END $$`,
      `CREATE TRIGGER events_stay AFTER DELETE ON ledger.events REFERENCING OLD TABLE AS gone
        FOR EACH STATEMENT EXECUTE FUNCTION ledger.events_stay()`,
    ],
  },
  {
    // So that what was added to a stream is found without going through all of it.
    name: "bytes of a stream",
    statements: ["CREATE INDEX events_bytes ON ledger.events (stream, ends_at)"],
  },
]

/** A checkpoint as it is kept: how many entries of the root it covers, and its text. */
export interface Checkpoint {
  readonly size: number
  readonly text: string
}

/** A line of a stream. */
export interface Row {
  readonly sequence: number
  readonly line: string
  readonly endsAt: number
}

/** A row that is not where its line belongs; `line` counts from 1, `offset` is the byte where it begins. */
export interface Misplaced {
  readonly stream: string
  readonly line: number
  readonly offset: number
  readonly reason: string
}

/** What is sent in one statement at most. */
const mostCharacters = 4 * 2 ** 20

const prevHash = ',"prevhash":"'

/** What the line before this one holds. After `prevhash` come only texts, in which quotes are escaped. */
const entryHashBefore = (line: string): string => {
  const at = line.lastIndexOf(prevHash) + prevHash.length
  return `"entryhash":"${line.slice(at, at + 64)}"`
}

/** The statements on the tables of a ledger. */
export const make = (sql: SqlClient) => ({
  /** How many lines a stream has, and how many bytes. */
  extent: (stream: string): Effect.Effect<{ readonly sequence: number; readonly bytes: number }, SqlError> =>
    Effect.map(
      sql<{ sequence: number; bytes: number }>`
        SELECT sequence, ends_at AS bytes FROM ledger.events WHERE stream = ${stream} ORDER BY sequence DESC LIMIT 1`,
      ([row]) => row ?? { sequence: 0, bytes: 0 },
    ),
  /** The lines that end after so many bytes, as NDJSON: all, or up to the one with which they are `least` bytes. */
  bytesFrom: (stream: string, from: number, least = Infinity): Effect.Effect<Uint8Array, SqlError> =>
    Effect.map(
      (Number.isFinite(least)
        ? sql`SELECT line FROM ledger.events WHERE stream = ${stream} AND ends_at > ${from} AND ends_at <= coalesce(
            (SELECT min(ends_at) FROM ledger.events WHERE stream = ${stream} AND ends_at >= ${from + least}),
            9223372036854775807) ORDER BY sequence`
        : sql`SELECT line FROM ledger.events WHERE stream = ${stream} AND ends_at > ${from} ORDER BY sequence`
      ).values,
      (rows) => new TextEncoder().encode(rows.map(([line]) => `${line as string}\n`).join("")),
    ),
  lines: (stream: string, first: number, last: number): Effect.Effect<ReadonlyArray<string>, SqlError> =>
    Effect.map(
      sql`SELECT line FROM ledger.events WHERE stream = ${stream} AND sequence BETWEEN ${first} AND ${last}
        ORDER BY sequence`.values,
      (rows) => rows.map(([line]) => line as string),
    ),
  /**
   * Adds rows, all or none; fails with `UniqueViolation` where one of them is there. False where the entry that the first
   * one goes on from is not: of a database that went back to an earlier state, what follows would be no chain.
   */
  add: (stream: string, rows: ReadonlyArray<Row>): Effect.Effect<boolean, SqlError> =>
    Effect.map(
      sql`INSERT INTO ledger.events (stream, sequence, line, ends_at)
        SELECT ${stream}, (row->>0)::bigint, row->>1, (row->>2)::bigint
        FROM json_array_elements(${JSON.stringify(rows.map((row) => [row.sequence, row.line, row.endsAt]))}::json) AS row
        WHERE ${rows[0].sequence}::bigint = 1 OR EXISTS (
          SELECT FROM ledger.events WHERE stream = ${stream} AND sequence = ${rows[0].sequence - 1}
            AND strpos(line, ${entryHashBefore(rows[0].line)}) > 0
        ) RETURNING sequence`.values,
      (added) => added.length === rows.length,
    ),
  /** Removes all lines of a stream. The database refuses it unless the root says that it was purged. */
  remove: (stream: string): Effect.Effect<void, SqlError> =>
    Effect.asVoid(sql`DELETE FROM ledger.events WHERE stream = ${stream}`),
  runs: Effect.map(
    sql`SELECT stream FROM ledger.events WHERE sequence = 1 AND stream LIKE 'runs/%' ORDER BY stream COLLATE "C"`
      .values,
    (rows) => rows.map(([stream]) => stream as string),
  ),
  /** Bytes that the tables take with their indexes, and how many streams there are. */
  size: Effect.map(
    sql<{ bytes: number; count: number }>`
      SELECT (pg_total_relation_size('ledger.events') + pg_total_relation_size('ledger.checkpoints'))::float8 AS bytes,
        (SELECT count(*)::int FROM ledger.events WHERE sequence = 1) AS count`,
    ([row]) => row ?? { bytes: 0, count: 0 },
  ),
  schedules: Effect.map(
    sql`SELECT stream FROM ledger.events WHERE sequence = 1 AND stream LIKE 'schedules/%' ORDER BY stream COLLATE "C"`
      .values,
    (rows) => rows.map(([stream]) => stream as string),
  ),
  /** All names under which there are rows. */
  streams: Effect.map(sql`SELECT DISTINCT stream FROM ledger.events ORDER BY stream`.values, (rows) =>
    rows.map(([stream]) => stream as string),
  ),
  /** The first row of each stream whose number or end is not the one that the lines make. */
  misplaced: Effect.map(
    sql<Misplaced>`SELECT DISTINCT ON (stream) stream, number::int AS line, bytes - octet_length(line) - 1 AS offset,
        format('its row has sequence %s and ends_at %s, by its lines %s and %s', sequence, ends_at, number, bytes) AS reason
      FROM (SELECT *, row_number() OVER lines AS number, sum(octet_length(line) + 1) OVER lines AS bytes
        FROM ledger.events WINDOW lines AS (PARTITION BY stream ORDER BY sequence)) AS counted
      WHERE sequence <> number OR ends_at <> bytes ORDER BY stream, sequence`,
    (rows): ReadonlyArray<Misplaced> => rows,
  ),
  checkpoints: Effect.map(
    sql<Checkpoint>`SELECT size, text FROM ledger.checkpoints ORDER BY size`,
    (rows): ReadonlyArray<Checkpoint> => rows,
  ),
  newestCheckpoint: Effect.map(
    sql<Checkpoint>`SELECT size, text FROM ledger.checkpoints ORDER BY size DESC LIMIT 1`,
    (rows): ReadonlyArray<Checkpoint> => rows,
  ),
  keepCheckpoint: (size: number, text: string): Effect.Effect<void, SqlError> =>
    Effect.asVoid(sql`INSERT INTO ledger.checkpoints ${sql.insert({ size, text })} ON CONFLICT (size) DO NOTHING`),
})
export type EventTable = ReturnType<typeof make>

/** The rows for lines that go on from an extent; cut into batches that are sent one after the other. */
export const batches = (rows: ReadonlyArray<Row>): ReadonlyArray<ReadonlyArray<Row>> => {
  const cut: Array<Array<Row>> = [[]]
  let characters = 0
  for (const row of rows) {
    if (characters > 0 && characters + row.line.length > mostCharacters) {
      cut.push([])
      characters = 0
    }
    cut.at(-1)?.push(row)
    characters += row.line.length
  }
  return cut
}
