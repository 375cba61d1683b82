import type { Migration } from "./sql-migrations.ts"

const facts = ["id", "subject", "who", "reason", "added", "until"]
const side = (name: string) => facts.map((column) => `${name}.${column}`).join(", ")

/** The table of the holds in SQLite. */
export const sqlite: ReadonlyArray<Migration> = [
  {
    name: "holds",
    statements: [
      `CREATE TABLE holds (
        sequence INTEGER PRIMARY KEY AUTOINCREMENT,
        id TEXT NOT NULL UNIQUE,
        subject TEXT NOT NULL,
        who TEXT NOT NULL,
        reason TEXT NOT NULL CHECK (trim(reason) <> ''),
        added TEXT NOT NULL,
        until TEXT,
        released TEXT,
        released_by TEXT,
        release_reason TEXT CHECK (trim(release_reason) <> ''),
        CHECK ((released IS NULL) = (released_by IS NULL) AND (released IS NULL) = (release_reason IS NULL))
      ) STRICT`,
      `CREATE TRIGGER holds_no_delete BEFORE DELETE ON holds
        BEGIN SELECT RAISE(ABORT, 'a hold is not deleted; it is released'); END`,
      `CREATE TRIGGER holds_fixed BEFORE UPDATE ON holds
        WHEN old.released IS NOT NULL OR (${side("old")}) IS NOT (${side("new")})
        BEGIN SELECT RAISE(ABORT, 'a hold is only released, and once'); END`,
    ],
  },
]

/** The table of the holds in PostgreSQL. */
export const postgres: ReadonlyArray<Migration> = [
  {
    name: "holds",
    statements: [
      "CREATE SCHEMA IF NOT EXISTS core",
      `CREATE TABLE core.holds (
        sequence bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
        id text NOT NULL UNIQUE,
        subject text NOT NULL,
        who text NOT NULL,
        reason text NOT NULL CHECK (trim(reason) <> ''),
        added timestamptz(3) NOT NULL,
        until timestamptz(3),
        released timestamptz(3),
        released_by text,
        release_reason text CHECK (trim(release_reason) <> ''),
        CHECK ((released IS NULL) = (released_by IS NULL) AND (released IS NULL) = (release_reason IS NULL))
      )`,
      `CREATE FUNCTION core.holds_fixed() RETURNS trigger LANGUAGE plpgsql AS $$
        BEGIN
          IF OLD.released IS NOT NULL OR (${side("OLD")}) IS DISTINCT FROM (${side("NEW")}) THEN
            RAISE EXCEPTION 'a hold is only released, and once' USING ERRCODE = 'restrict_violation';
          END IF;
          RETURN NEW;
        END $$`,
      `CREATE TRIGGER holds_fixed BEFORE UPDATE ON core.holds FOR EACH ROW EXECUTE FUNCTION core.holds_fixed()`,
      `CREATE FUNCTION core.holds_no_delete() RETURNS trigger LANGUAGE plpgsql AS $$
        BEGIN RAISE EXCEPTION 'a hold is not deleted; it is released' USING ERRCODE = 'restrict_violation'; END $$`,
      `CREATE TRIGGER holds_no_delete BEFORE DELETE ON core.holds
        FOR EACH STATEMENT EXECUTE FUNCTION core.holds_no_delete()`,
      `CREATE TRIGGER holds_no_truncate BEFORE TRUNCATE ON core.holds
        FOR EACH STATEMENT EXECUTE FUNCTION core.holds_no_delete()`,
    ],
  },
]
