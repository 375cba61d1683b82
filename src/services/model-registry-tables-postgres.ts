import type { Migration } from "./sql-migrations.ts"

const statuses = "'draft', 'candidate', 'approved', 'rejected', 'deployed', 'rolled_back', 'archived'"
const sha256 = "CHECK (length(%) = 64)"
const digest = (column: string, rest = "NOT NULL") => `${column} text ${rest} ${sha256.replace("%", column)}`

/** Refuses operations on a table by a function that says why. */
const refuse = (table: string, trigger: string, operation: string, what: string) => [
  `CREATE FUNCTION ${table}_${trigger}() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN RAISE EXCEPTION '${what}' USING ERRCODE = 'restrict_violation'; END $$`,
  `CREATE TRIGGER ${table.replace(/^.*\./, "")}_${trigger} BEFORE ${operation} ON ${table}
    FOR EACH STATEMENT EXECUTE FUNCTION ${table}_${trigger}()`,
]

const appendOnly = (table: string, noun: string) =>
  ["UPDATE", "DELETE", "TRUNCATE"].flatMap((operation) =>
    refuse(table, `no_${operation.toLowerCase()}`, operation, `the ${noun} is append-only`),
  )

/** The warrant and the chain, the same in both histories. */
const chained = `sequence bigint PRIMARY KEY,
  who text NOT NULL,
  reason text NOT NULL CHECK (trim(reason) <> ''),
  intent text NOT NULL,
  run text NOT NULL,
  task text NOT NULL,
  key text NOT NULL,
  at timestamptz(3) NOT NULL,
  ${digest("previous_hash")},
  ${digest("hash", "NOT NULL UNIQUE")}`

const facts = "version, slot, slot_json, digest, path, theta, metrics, datasets, receipts, synthetic, registered"
const sideOf = (side: string) => facts.replace(/\w+/g, (column) => `${side}.${column}`)

/** The registry's tables in PostgreSQL, step by step: what is registered in `core`, who changed it in `audit`. */
export const migrations: ReadonlyArray<Migration> = [
  {
    name: "registry",
    statements: [
      "CREATE SCHEMA IF NOT EXISTS core",
      "CREATE SCHEMA IF NOT EXISTS audit",
      `CREATE TABLE core.model_registry (
        id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
        version text NOT NULL UNIQUE,
        slot text NOT NULL,
        slot_json jsonb NOT NULL,
        ${digest("digest")},
        path text NOT NULL,
        theta jsonb NOT NULL,
        metrics jsonb NOT NULL,
        datasets jsonb NOT NULL,
        receipts jsonb NOT NULL,
        synthetic boolean NOT NULL,
        status text NOT NULL CHECK (status IN (${statuses})),
        reason text NOT NULL CHECK (trim(reason) <> ''),
        registered timestamptz(3) NOT NULL,
        changed timestamptz(3) NOT NULL
      )`,
      "CREATE UNIQUE INDEX model_registry_one_deployed ON core.model_registry (slot) WHERE status = 'deployed'",
      "CREATE INDEX model_registry_slot ON core.model_registry (slot, id)",
      ...["DELETE", "TRUNCATE"].flatMap((operation) =>
        refuse(
          "core.model_registry",
          `no_${operation.toLowerCase()}`,
          operation,
          "a registered version is not deleted",
        ),
      ),
      `CREATE FUNCTION core.model_registry_fixed() RETURNS trigger LANGUAGE plpgsql AS $$
        BEGIN
          IF (${sideOf("OLD")}) IS DISTINCT FROM (${sideOf("NEW")}) THEN
            RAISE EXCEPTION 'only the status of a registered version changes' USING ERRCODE = 'restrict_violation';
          END IF;
          RETURN NEW;
        END $$`,
      `CREATE TRIGGER model_registry_fixed BEFORE UPDATE ON core.model_registry
        FOR EACH ROW EXECUTE FUNCTION core.model_registry_fixed()`,
      `CREATE TABLE audit.model_registry_events (
        ${chained},
        version text NOT NULL REFERENCES core.model_registry (version),
        ${digest("digest")},
        from_status text CHECK (from_status IN (${statuses})),
        to_status text NOT NULL CHECK (to_status IN (${statuses}))
      )`,
      "CREATE INDEX model_registry_events_version ON audit.model_registry_events (version)",
      "CREATE INDEX model_registry_events_key ON audit.model_registry_events (key)",
      ...appendOnly("audit.model_registry_events", "audit of the registry"),
      `CREATE TABLE core.alias_history (
        ${chained},
        slot text NOT NULL,
        alias text NOT NULL CHECK (alias = 'champion'),
        version text REFERENCES core.model_registry (version),
        digest text,
        from_version text REFERENCES core.model_registry (version),
        receipt text
      )`,
      "CREATE INDEX alias_history_slot ON core.alias_history (slot, at)",
      "CREATE INDEX alias_history_key ON core.alias_history (key)",
      "CREATE INDEX alias_history_version ON core.alias_history (version)",
      "CREATE INDEX alias_history_from ON core.alias_history (from_version)",
      ...appendOnly("core.alias_history", "alias history"),
      `CREATE TABLE core.outbox (
        id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
        kind text NOT NULL,
        payload jsonb NOT NULL,
        created timestamptz(3) NOT NULL,
        delivered timestamptz(3)
      )`,
      "CREATE INDEX outbox_pending ON core.outbox (id) WHERE delivered IS NULL",
    ],
  },
  {
    name: "what becomes of the files of versions",
    statements: [
      `CREATE TABLE audit.model_files_events (
        ${chained},
        version text NOT NULL REFERENCES core.model_registry (version),
        ${digest("digest")},
        state text NOT NULL CHECK (state IN ('due', 'kept', 'purging', 'purged')),
        bytes bigint NOT NULL CHECK (bytes >= 0)
      )`,
      "CREATE INDEX model_files_events_version ON audit.model_files_events (version, sequence)",
      "CREATE INDEX model_files_events_key ON audit.model_files_events (key)",
      ...appendOnly("audit.model_files_events", "history of the files of versions"),
      "CREATE INDEX outbox_delivered ON core.outbox (delivered) WHERE delivered IS NOT NULL",
    ],
  },
]
