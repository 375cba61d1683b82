import type { Migration } from "./sql-migrations.ts"

const facts = ["id", "digest", "name", "role", "created", "created_by", "expires"]
const side = (name: string) => facts.map((column) => `${name}.${column}`).join(", ")

/** The table of the tokens in SQLite. */
export const sqlite: ReadonlyArray<Migration> = [
  {
    name: "tokens",
    statements: [
      `CREATE TABLE tokens (
        sequence INTEGER PRIMARY KEY AUTOINCREMENT,
        id TEXT NOT NULL UNIQUE,
        digest TEXT NOT NULL UNIQUE,
        name TEXT NOT NULL,
        role TEXT NOT NULL,
        created TEXT NOT NULL,
        created_by TEXT NOT NULL,
        expires TEXT,
        first_used TEXT,
        revoked TEXT,
        revoked_by TEXT,
        CHECK ((revoked IS NULL) = (revoked_by IS NULL))
      ) STRICT`,
      `CREATE TRIGGER tokens_no_delete BEFORE DELETE ON tokens
        BEGIN SELECT RAISE(ABORT, 'a token is not deleted; it is revoked'); END`,
      `CREATE TRIGGER tokens_fixed BEFORE UPDATE ON tokens
        WHEN old.revoked IS NOT NULL OR (${side("old")}) IS NOT (${side("new")})
        BEGIN SELECT RAISE(ABORT, 'a token is only used and revoked'); END`,
    ],
  },
]

/** The table of the tokens in PostgreSQL. */
export const postgres: ReadonlyArray<Migration> = [
  {
    name: "tokens",
    statements: [
      "CREATE SCHEMA IF NOT EXISTS core",
      `CREATE TABLE core.tokens (
        sequence bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
        id text NOT NULL UNIQUE,
        digest text NOT NULL UNIQUE,
        name text NOT NULL,
        role text NOT NULL,
        created timestamptz(3) NOT NULL,
        created_by text NOT NULL,
        expires timestamptz(3),
        first_used timestamptz(3),
        revoked timestamptz(3),
        revoked_by text,
        CHECK ((revoked IS NULL) = (revoked_by IS NULL))
      )`,
      `CREATE FUNCTION core.tokens_fixed() RETURNS trigger LANGUAGE plpgsql AS $$
        BEGIN
          IF OLD.revoked IS NOT NULL OR (${side("OLD")}) IS DISTINCT FROM (${side("NEW")}) THEN
            RAISE EXCEPTION 'a token is only used and revoked' USING ERRCODE = 'restrict_violation';
          END IF;
          RETURN NEW;
        END $$`,
      `CREATE TRIGGER tokens_fixed BEFORE UPDATE ON core.tokens FOR EACH ROW EXECUTE FUNCTION core.tokens_fixed()`,
      `CREATE FUNCTION core.tokens_no_delete() RETURNS trigger LANGUAGE plpgsql AS $$
        BEGIN RAISE EXCEPTION 'a token is not deleted; it is revoked' USING ERRCODE = 'restrict_violation'; END $$`,
      `CREATE TRIGGER tokens_no_delete BEFORE DELETE ON core.tokens
        FOR EACH STATEMENT EXECUTE FUNCTION core.tokens_no_delete()`,
      `CREATE TRIGGER tokens_no_truncate BEFORE TRUNCATE ON core.tokens
        FOR EACH STATEMENT EXECUTE FUNCTION core.tokens_no_delete()`,
    ],
  },
]
