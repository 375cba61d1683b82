import { fileURLToPath } from "node:url"
import { cpSync, mkdtempSync, writeFileSync } from "node:fs"
import { chmod, writeFile } from "node:fs/promises"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { assert, layer } from "@effect/vitest"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import { migrations } from "../../src/ledger/event-table.ts"
import * as ConfigDoctor from "../../src/services/config-doctor.ts"
import * as Programs from "../../src/services/config-doctor-programs.ts"
import { postgres as holdsMigrations } from "../../src/services/holds-tables.ts"
import { migrations as cordonMigrations } from "../../src/services/cordon-rows-postgres.ts"
import { migrations as leaseMigrations } from "../../src/services/lease-rows-postgres.ts"
import { migrations as registryMigrations } from "../../src/services/model-registry-tables-postgres.ts"
import * as Postgres from "../../src/services/postgres.ts"
import { migrate } from "../../src/services/sql-migrations.ts"
import { shifted } from "../cli/evidence-project.ts"
import * as Databases from "../support/servers/databases.ts"
import * as Servers from "../support/servers/scoped.ts"

class Server extends Context.Service<Server, Effect.Success<ReturnType<typeof Servers.ownPostgres>>>()("test/Server") {}

const shipped = fileURLToPath(new URL("../../configs", import.meta.url))
const ledger = { component: "ledger", schemas: ["core", "ledger"], version: migrations.length }

const project = () => {
  const folder = mkdtempSync(join(tmpdir(), "dandori-doctor-"))
  cpSync(shipped, join(folder, "configs"), { recursive: true })
  writeFileSync(join(folder, "configs/envs/dev/database.yaml"), "backend: postgres\ntimeout: 2s\n")
  writeFileSync(join(folder, "configs/envs/dev/ledger.yaml"), "store: postgres\n")
  return folder
}

const dsnOf = (url: string) =>
  Effect.map(
    ConfigDoctor.diagnose(project(), "dev", { ledger, environment: { ...process.env, POSTGRES_URL: url } }),
    (findings) => findings.filter(({ what }) => what.startsWith("dsn:")),
  )

/** An empty database on the server, and a superuser's statements in it. */
const emptyDatabase = Effect.gen(function* () {
  const { url: server } = yield* Server
  const admin = yield* Postgres.open(Databases.options(server))
  const name = `doctor_${crypto.randomUUID().replaceAll("-", "")}`
  yield* admin`CREATE DATABASE ${admin(name)}`
  const url = new URL(server)
  url.pathname = `/${name}`
  const sql = yield* Postgres.open(Databases.options(url.href))
  const as = (user: string) => {
    const other = new URL(url)
    other.username = user
    return other.href
  }
  return { sql, name, url: url.href, as }
})

const withTables = Effect.gen(function* () {
  const place = yield* emptyDatabase
  yield* migrate(place.sql, "model-registry", registryMigrations)
  yield* migrate(place.sql, "holds", holdsMigrations)
  yield* migrate(place.sql, "ledger", migrations)
  yield* migrate(place.sql, "leases", leaseMigrations)
  yield* migrate(place.sql, "cordons", cordonMigrations)
  return place
})

layer(Layer.effect(Server, Servers.ownPostgres()), { timeout: "2 minutes", excludeTestServices: true })(
  "config doctor at PostgreSQL",
  (it) => {
    it.effect("says what the server is, that tables are to be made, and makes none", () =>
      Effect.gen(function* () {
        const { sql, url } = yield* emptyDatabase
        const objects = sql`SELECT count(*)::int AS n FROM pg_class`
        const before = yield* objects
        const findings = yield* dsnOf(url)
        assert.deepStrictEqual([...new Set(findings.map(({ level }) => level))], ["ok"])
        assert.match(findings[0].what, /^dsn: PostgreSQL \d+\S* .*answers and takes writes$/)
        assert.include(JSON.stringify(findings), "the tables of model-registry are not there; they are made when")
        assert.deepStrictEqual(yield* objects, before)
      }).pipe(Effect.scoped),
    )

    it.effect("finds tables up to date, of an earlier version, and of a newer program", () =>
      Effect.gen(function* () {
        const { sql, url } = yield* withTables
        const known = yield* dsnOf(url)
        assert.include(JSON.stringify(known), `the tables of ledger are up to date (version ${migrations.length})`)
        yield* sql`INSERT INTO core.schema_version VALUES ('ledger', 99, 'tomorrow', now())`
        const newer = (yield* dsnOf(url)).filter(({ level }) => level !== "ok")
        assert.deepStrictEqual(newer, [
          {
            section: "database",
            level: "error",
            what: `dsn: the tables of ledger have version 99, this program knows ${migrations.length}`,
            fix: "use a newer dandori",
          },
        ])
      }).pipe(Effect.scoped),
    )

    it.effect("finds a user who may not make what is missing, and one who may not read what is there", () =>
      Effect.gen(function* () {
        const empty = yield* emptyDatabase
        const user = `guest_${empty.name.slice(-8)}`
        yield* empty.sql`CREATE ROLE ${empty.sql(user)} LOGIN`
        const made = (yield* dsnOf(empty.as(user))).filter(({ level }) => level !== "ok")
        assert.deepStrictEqual(
          made.map(({ fix }) => fix),
          Array(5).fill(`have its owner say: GRANT CREATE ON DATABASE "${empty.name}" TO "${user}"`),
        )
        assert.deepStrictEqual([...new Set(made.map(({ level }) => level))], ["error"])
        const there = yield* withTables
        const [shut] = (yield* dsnOf(there.as(user))).filter(({ level }) => level !== "ok")
        assert.include(shut.what, `${user} may not use the schemas`)
        assert.include(shut.fix, "GRANT USAGE ON SCHEMA")
        yield* there.sql`GRANT USAGE ON SCHEMA core, audit, ledger TO ${there.sql(user)}`
        yield* there.sql`GRANT SELECT, INSERT ON ALL TABLES IN SCHEMA core, ledger TO ${there.sql(user)}`
        const closed = (yield* dsnOf(there.as(user))).filter(({ level }) => level !== "ok")
        assert.deepStrictEqual(
          closed.map(({ what }) => what),
          [`dsn: ${user} may not read or add to audit.model_files_events, audit.model_registry_events`],
        )
      }).pipe(Effect.scoped),
    )

    it.effect("tells what is wrong with a dsn from a server that is away", () =>
      Effect.gen(function* () {
        const { name, sql, url } = yield* emptyDatabase
        const one = (address: string) => Effect.map(dsnOf(address), (findings) => findings[0])
        assert.deepInclude(yield* one(url.replace("dandori@", "nobody:plantedpassword@")), { level: "error" })
        assert.deepInclude(yield* one(`${url}x`), { level: "error" })
        assert.deepInclude(yield* one("postgres://127.0.0.1:1/x"), { level: "unavailable" })
        assert.deepInclude(yield* one("hunter2 is no url"), { level: "error" })
        const wrong = JSON.stringify(yield* dsnOf(url.replace("dandori@", "nobody:plantedpassword@")))
        assert.include(wrong, 'role \\"nobody\\" does not exist')
        assert.notInclude(wrong, "plantedpassword")
        yield* sql.unsafe(`ALTER DATABASE ${name} SET default_transaction_read_only = on`)
        const [standby] = yield* dsnOf(url)
        assert.deepInclude(standby, { level: "error", fix: "write the primary's address into it" })
      }).pipe(Effect.scoped),
    )

    it.effect("measures how far this machine's clock is from the database's", () =>
      Effect.gen(function* () {
        const { url } = yield* emptyDatabase
        const ahead = (yield* dsnOf(url).pipe(shifted(3_600_000))).filter(({ level }) => level !== "ok")
        assert.match(ahead[0].what, /^dsn: the clock of this machine is 3[56]\d\d\.\d s ahead of the database's$/)
        const behind = (yield* dsnOf(url).pipe(shifted(-60_000))).filter(({ level }) => level !== "ok")
        assert.match(behind[0].what, /^dsn: the clock of this machine is (59|60)\.\d s behind the database's$/)
      }).pipe(Effect.scoped),
    )

    it.effect("finds programs of backups that are not there, or older than the server", () =>
      Effect.gen(function* () {
        const folder = mkdtempSync(join(tmpdir(), "dandori-programs-"))
        const paths = { path: folder, packaged: join(folder, "none") }
        const [dump, restore] = yield* Programs.postgres(paths, 17)
        assert.deepInclude(dump, {
          level: "warning",
          fix: "install PostgreSQL's client programs: apt-get install postgresql-client-17",
        })
        assert.include(restore.what, "pg_restore is not on this machine: none can be restored")
        yield* Effect.promise(async () => {
          await writeFile(join(folder, "pg_dump"), "#!/bin/sh\necho 'pg_dump (PostgreSQL) 12.4 (Debian 12.4-1)'\n")
          await chmod(join(folder, "pg_dump"), 0o755)
        })
        const [old] = yield* Programs.postgres(paths, 17)
        assert.include(old.what, "pg_dump 12.4 is older than the server, which is 17")
        const [fits] = yield* Programs.postgres(paths, 12)
        assert.strictEqual(fits.level, "ok")
      }),
    )
  },
)
