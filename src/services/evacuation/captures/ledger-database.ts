import * as Effect from "effect/Effect"
import type { SqlClient } from "effect/sql/SqlClient"
import { formatSize } from "../../../domain/quantity.ts"
import { Settings } from "../../settings.ts"
import { type Capture, CaptureFailed, type Lines, NothingToTake } from "./capture.ts"
import * as Database from "./database.ts"

/** Runs whose entries are asked for together. */
const together = 100

interface Entry {
  readonly stream: string
  readonly line: string
}

const add = (lines: Lines, entries: ReadonlyArray<Entry>): void =>
  entries.forEach(({ line, stream }) => lines.add(JSON.stringify({ stream, line })))

const addStream = (lines: Lines, sql: SqlClient, stream: string) =>
  Effect.gen(function* () {
    for (let after = 0; !lines.isFull(); after += Database.pageRows) {
      const page = yield* sql<Entry>`SELECT stream, line FROM ledger.events
        WHERE stream = ${stream} AND sequence > ${after} ORDER BY sequence LIMIT ${Database.pageRows}`
      add(lines, page)
      if (page.length < Database.pageRows) break
    }
  })

const addAll = (lines: Lines, sql: SqlClient) =>
  Effect.gen(function* () {
    if (!(yield* Database.hasTable(sql, "ledger.events"))) return false
    const checkpoints = yield* sql<{ size: number; text: string }>`
      SELECT size, text FROM ledger.checkpoints ORDER BY size`
    for (const { size, text } of checkpoints) lines.add(JSON.stringify({ checkpoint: size, text }))
    yield* addStream(lines, sql, "root")
    yield* addStream(lines, sql, "system")
    const schedules = yield* sql<{ stream: string }>`SELECT stream FROM ledger.events
      WHERE sequence = 1 AND stream LIKE 'schedules/%' ORDER BY stream COLLATE "C"`
    for (const { stream } of schedules) yield* addStream(lines, sql, stream)
    // Their names begin with their time.
    const runs = yield* sql<{ stream: string }>`SELECT stream FROM ledger.events
      WHERE sequence = 1 AND stream LIKE 'runs/%' ORDER BY stream COLLATE "C" DESC`
    for (let at = 0; at < runs.length && !lines.isFull(); at += together) {
      const names = runs.slice(at, at + together).map(({ stream }) => stream)
      add(
        lines,
        yield* sql<Entry>`SELECT stream, line FROM ledger.events
          WHERE ${sql.in("stream", names)} ORDER BY stream COLLATE "C" DESC, sequence`,
      )
    }
    return true
  })

/**
 * The ledger of a project that keeps it in PostgreSQL, NDJSON: `{checkpoint, text}`, then `{stream, line}`, where the lines
 * of a stream are those that its segment file would have. The root and the system's stream come first, then the schedules,
 * then the runs, the newest first. Where the limit on bytes cuts it, it has failed: an evacuation without a part of its ledger is not complete.
 */
export const capture: Capture = (lines, { maxBytes }) =>
  Effect.gen(function* () {
    const { ledger } = (yield* Settings).sections
    if (ledger.store === "files") return yield* new NothingToTake({ reason: "this project's ledger lies in files" })
    const isThere = yield* Database.open.pipe(
      Effect.flatMap((sql) => Database.reading(sql, addAll(lines, sql))),
      Effect.scoped,
      Effect.mapError(
        ({ message }) => new CaptureFailed({ reason: `the ledger in PostgreSQL cannot be read: ${message}` }),
      ),
    )
    if (!isThere) return yield* new NothingToTake({ reason: "the database has no ledger" })
    if (lines.isFull()) {
      const reason = `the ledger is larger than ${formatSize(maxBytes)}: what is older was left out; dump it, or raise max_bytes and call again`
      return yield* new CaptureFailed({ reason })
    }
  })
