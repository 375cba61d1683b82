import type { Migration } from "./sql-migrations.ts"

const statuses = "'draft', 'candidate', 'approved', 'rejected', 'deployed', 'rolled_back', 'archived'"

const appendOnly = (table: string, noun: string) =>
  ["UPDATE", "DELETE"].map(
    (operation) => `CREATE TRIGGER ${table}_no_${operation.toLowerCase()} BEFORE ${operation} ON ${table}
      BEGIN SELECT RAISE(ABORT, 'the ${noun} is append-only'); END`,
  )

/** The warrant and the chain, the same in both histories. */
const chained = `sequence INTEGER PRIMARY KEY,
  who TEXT NOT NULL,
  reason TEXT NOT NULL CHECK (trim(reason) <> ''),
  intent TEXT NOT NULL,
  run TEXT NOT NULL,
  task TEXT NOT NULL,
  key TEXT NOT NULL,
  at TEXT NOT NULL,
  previous_hash TEXT NOT NULL,
  hash TEXT NOT NULL UNIQUE`

/** The registry's tables in SQLite, step by step. */
export const migrations: ReadonlyArray<Migration> = [
  {
    name: "registry",
    statements: [
      `CREATE TABLE model_registry (
        id INTEGER PRIMARY KEY AUTOINCREMENT,
        version TEXT NOT NULL UNIQUE,
        slot TEXT NOT NULL,
        slot_json TEXT NOT NULL,
        digest TEXT NOT NULL,
        path TEXT NOT NULL,
        theta TEXT NOT NULL,
        metrics TEXT NOT NULL,
        datasets TEXT NOT NULL,
        receipts TEXT NOT NULL,
        synthetic INTEGER NOT NULL,
        status TEXT NOT NULL CHECK (status IN (${statuses})),
        reason TEXT NOT NULL CHECK (trim(reason) <> ''),
        registered TEXT NOT NULL,
        changed TEXT NOT NULL
      ) STRICT`,
      `CREATE UNIQUE INDEX model_registry_one_deployed ON model_registry (slot) WHERE status = 'deployed'`,
      `CREATE TRIGGER model_registry_no_delete BEFORE DELETE ON model_registry
        BEGIN SELECT RAISE(ABORT, 'a registered version is not deleted'); END`,
      `CREATE TRIGGER model_registry_fixed BEFORE UPDATE ON model_registry
        WHEN (old.version, old.slot, old.slot_json, old.digest, old.path, old.theta, old.metrics, old.datasets,
          old.receipts, old.synthetic, old.registered)
          IS NOT (new.version, new.slot, new.slot_json, new.digest, new.path, new.theta, new.metrics, new.datasets,
          new.receipts, new.synthetic, new.registered)
        BEGIN SELECT RAISE(ABORT, 'only the status of a registered version changes'); END`,
      `CREATE TABLE model_registry_events (
        ${chained},
        version TEXT NOT NULL REFERENCES model_registry (version),
        digest TEXT NOT NULL,
        from_status TEXT CHECK (from_status IN (${statuses})),
        to_status TEXT NOT NULL CHECK (to_status IN (${statuses}))
      ) STRICT`,
      `CREATE INDEX model_registry_events_version ON model_registry_events (version)`,
      `CREATE INDEX model_registry_events_key ON model_registry_events (key)`,
      ...appendOnly("model_registry_events", "audit of the registry"),
      `CREATE TABLE alias_history (
        ${chained},
        slot TEXT NOT NULL,
        alias TEXT NOT NULL CHECK (alias = 'champion'),
        version TEXT REFERENCES model_registry (version),
        digest TEXT,
        from_version TEXT REFERENCES model_registry (version),
        receipt TEXT
      ) STRICT`,
      `CREATE INDEX alias_history_slot ON alias_history (slot, at)`,
      `CREATE INDEX alias_history_key ON alias_history (key)`,
      ...appendOnly("alias_history", "alias history"),
      `CREATE TABLE outbox (
        id INTEGER PRIMARY KEY AUTOINCREMENT,
        kind TEXT NOT NULL,
        payload TEXT NOT NULL,
        created TEXT NOT NULL,
        delivered TEXT
      ) STRICT`,
      `CREATE INDEX outbox_pending ON outbox (id) WHERE delivered IS NULL`,
    ],
  },
  {
    name: "indexes for the versions of a slot and the moves of a version",
    statements: [
      `CREATE INDEX model_registry_slot ON model_registry (slot, id)`,
      `CREATE INDEX alias_history_version ON alias_history (version)`,
      `CREATE INDEX alias_history_from ON alias_history (from_version)`,
    ],
  },
  {
    name: "what becomes of the files of versions",
    statements: [
      `CREATE TABLE model_files_events (
        ${chained},
        version TEXT NOT NULL REFERENCES model_registry (version),
        digest TEXT NOT NULL,
        state TEXT NOT NULL CHECK (state IN ('due', 'kept', 'purging', 'purged')),
        bytes INTEGER NOT NULL CHECK (bytes >= 0)
      ) STRICT`,
      `CREATE INDEX model_files_events_version ON model_files_events (version, sequence)`,
      `CREATE INDEX model_files_events_key ON model_files_events (key)`,
      ...appendOnly("model_files_events", "history of the files of versions"),
      `CREATE INDEX outbox_delivered ON outbox (delivered) WHERE delivered IS NOT NULL`,
    ],
  },
]
