import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import { SqlClient } from "effect/sql/SqlClient"
import type { SqlError } from "effect/sql/SqlError"
import { migrate, type Migration, type SchemaTooNew } from "./sql-migrations.ts"

/** How far an exporter has come in a run's stream: the sequence of the last entry that the other side has accepted. */
export interface Cursor {
  readonly position: number
  /** The last entry of a batch that was on its way when its process ended: it is sent again as it was. */
  readonly sending: number | undefined
}

const migrations: ReadonlyArray<Migration> = [
  {
    name: "a cursor for each exporter and run",
    statements: [
      `CREATE TABLE export_cursors (
        exporter TEXT NOT NULL,
        run TEXT NOT NULL,
        position INTEGER NOT NULL,
        sending INTEGER,
        ended INTEGER NOT NULL DEFAULT 0,
        PRIMARY KEY (exporter, run)
      ) STRICT, WITHOUT ROWID`,
    ],
  },
]

/** The cursors of all exporters. Without them everything is sent again. */
export class ExportCursors extends Context.Service<
  ExportCursors,
  {
    readonly of: (exporter: string, run: string) => Effect.Effect<Cursor, SqlError>
    /** The runs of which nothing more will come. */
    readonly ended: (exporter: string) => Effect.Effect<ReadonlySet<string>, SqlError>
    /** Forgets a run that is purged. */
    readonly forget: (run: string) => Effect.Effect<void, SqlError>
    /** Notes that a batch is on its way. Durable on return. */
    readonly sending: (exporter: string, run: string, through: number) => Effect.Effect<void, SqlError>
    /** Moves a cursor. Durable on return. */
    readonly accepted: (exporter: string, run: string, through: number, ended: boolean) => Effect.Effect<void, SqlError>
  }
>()("dandori/services/ExportCursors") {
  static readonly layer: Layer.Layer<ExportCursors, SqlError | SchemaTooNew, SqlClient> = Layer.effect(
    ExportCursors,
    Effect.gen(function* () {
      const sql = yield* SqlClient
      yield* migrate(sql, "exporters", migrations)
      return ExportCursors.of({
        of: (exporter, run) =>
          sql<{ position: number; sending: number | null }>`
            SELECT position, sending FROM export_cursors WHERE exporter = ${exporter} AND run = ${run}`.pipe(
            Effect.map(([row]) => ({ position: row?.position ?? 0, sending: row?.sending ?? undefined })),
          ),
        ended: (exporter) =>
          sql<{ run: string }>`SELECT run FROM export_cursors WHERE exporter = ${exporter} AND ended = 1`.pipe(
            Effect.map((rows) => new Set(rows.map(({ run }) => run))),
          ),
        forget: (run) => sql`DELETE FROM export_cursors WHERE run = ${run}`.pipe(Effect.asVoid),
        sending: (exporter, run, through) =>
          sql`INSERT INTO export_cursors (exporter, run, position, sending) VALUES (${exporter}, ${run}, 0, ${through})
            ON CONFLICT (exporter, run) DO UPDATE SET sending = excluded.sending`.pipe(Effect.asVoid),
        accepted: (exporter, run, through, ended) =>
          sql`INSERT INTO export_cursors (exporter, run, position, ended)
            VALUES (${exporter}, ${run}, ${through}, ${ended ? 1 : 0})
            ON CONFLICT (exporter, run)
            DO UPDATE SET position = excluded.position, sending = NULL, ended = excluded.ended`.pipe(Effect.asVoid),
      })
    }),
  )
}
