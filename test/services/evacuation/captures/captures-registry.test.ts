import { spawnSync } from "node:child_process"
import * as Fs from "node:fs"
import { join } from "node:path"
import { fileURLToPath } from "node:url"
import { assert, describe, it, layer } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as SqlClient from "effect/sql/SqlClient"
import * as Sha256 from "../../../../src/domain/sha256.ts"
import { ModelRegistry } from "../../../../src/services/model-registry.ts"
import * as RegistrySql from "../../../../src/services/model-registry-sql.ts"
import * as Postgres from "../../../../src/services/postgres.ts"
import * as Sqlite from "../../../../src/services/sqlite.ts"
import * as Databases from "../../../support/servers/databases.ts"
import * as Weather from "../../../support/weather.ts"
import { machine, take } from "./capture-place.ts"
import * as Place from "../destination/place.ts"

const fixture = fileURLToPath(new URL("registry-capture.fixture.ts", import.meta.url))

const linesOf = (text: string) => text.split("\n").filter((line) => line !== "")

describe("the registry", () => {
  const fill = Effect.gen(function* () {
    const registry = yield* ModelRegistry
    for (const version of ["v1", "v2"]) {
      const model = {
        version,
        slot: { legA: "EURUSD", legB: "GBPUSD", timeframe: "1h" },
        digest: Sha256.of(version),
        path: `.dandori/models/${version}`,
        theta: { theta1: 0.7, history: [] },
        metrics: { sharpe: 1.5 },
        datasets: [Sha256.of("data")],
        receipts: [],
        synthetic: true,
      } as const
      const warrant = {
        who: "ann",
        reason: "trained",
        intent: Sha256.of(version),
        run: "run",
        task: "publish",
        key: version,
      }
      yield* registry.register(model, "candidate", warrant)
    }
  })
  const rowsOf = (text: string | undefined, source: string) =>
    linesOf(text ?? "").flatMap(
      (line): ReadonlyArray<{ readonly table: string; readonly row: Record<string, unknown> }> => {
        const parsed = JSON.parse(line)
        return parsed.source === source ? [parsed] : []
      },
    )
  const versions = (rows: ReturnType<typeof rowsOf>, table: string) =>
    rows.flatMap((each) => (each.table === table ? [each.row["version"]] : []))

  it.live("of the project is read, and only read", () =>
    Effect.gen(function* () {
      const project = yield* Place.folder
      const path = join(project, ".dandori", "state.db")
      yield* fill.pipe(Effect.provide(Layer.provideMerge(RegistrySql.layer, Sqlite.layer({ path }))))
      const before = Sha256.of(Fs.readFileSync(path))
      const { outcomes, textOf } = yield* take(project, { collectors: [machine("registry")] })
      assert.strictEqual(outcomes[0].outcome, "ok")
      const rows = rowsOf(textOf("registry"), "state.db")
      assert.deepStrictEqual(versions(rows, "model_registry"), ["v1", "v2"])
      assert.deepStrictEqual(versions(rows, "model_registry_events"), ["v1", "v2"])
      const [{ row }] = rows
      assert.strictEqual(row["digest"], Sha256.of("v1"))
      assert.strictEqual(Sha256.of(Fs.readFileSync(path)), before)
    }),
  )

  it.live("that is in use is read with what its log has", () =>
    Effect.gen(function* () {
      const project = yield* Place.folder
      const path = join(project, ".dandori", "state.db")
      yield* Effect.gen(function* () {
        yield* fill
        const { textOf } = yield* take(project, { collectors: [machine("registry")] })
        assert.deepStrictEqual(versions(rowsOf(textOf("registry"), "state.db"), "model_registry"), ["v1", "v2"])
      }).pipe(Effect.provide(Layer.provideMerge(RegistrySql.layer, Sqlite.layer({ path }))))
    }),
  )

  it.live("is read in a copy where its folder takes no file", () =>
    Effect.gen(function* () {
      const project = yield* Place.folder
      const disk = yield* Effect.acquireRelease(
        Effect.promise(() => Weather.smallDisk({ folder: project }, ".dandori", 4 << 20)),
        ({ remove }) => Effect.promise(remove),
      )
      const path = join(project, ".dandori", "state.db")
      yield* fill.pipe(Effect.provide(Layer.provideMerge(RegistrySql.layer, Sqlite.layer({ path }))))
      Fs.copyFileSync(path, join(disk.inside, "state.db"))
      const incidents = join(project, "incidents")
      Fs.mkdirSync(incidents)
      const inside = (...argv: ReadonlyArray<string>) => {
        const [program, ...rest] = [...disk.before, ...argv]
        return spawnSync(program, rest, { encoding: "utf8" })
      }
      const remounted = inside("mount", "-o", "remount,ro", join(project, ".dandori"))
      assert.strictEqual(remounted.status, 0, remounted.stderr)
      const { status, stderr, stdout } = inside(process.execPath, fixture, project, incidents)
      assert.strictEqual(status, 0, stderr)
      assert.deepStrictEqual(versions(rowsOf(stdout, "state.db"), "model_registry"), ["v1", "v2"])
      assert.deepStrictEqual(
        Fs.readdirSync(join(incidents, "IR-1")).filter((name) => name.startsWith("registry-")),
        [],
      )
    }),
  )

  it.live("that is damaged is failed with the reason, and one that is not there is skipped", () =>
    Effect.gen(function* () {
      const project = yield* Place.folder
      const none = yield* take(project, { collectors: [machine("registry")] })
      assert.deepStrictEqual(
        [none.outcomes[0].outcome, none.outcomes[0].reason],
        ["skipped", "this project has no model registry"],
      )
      const other = yield* Place.folder
      Place.write(join(other, ".dandori", "state.db"), "no database ".repeat(1_000))
      const { outcomes } = yield* take(other, { collectors: [machine("registry")] })
      assert.strictEqual(outcomes[0].outcome, "failed")
      assert.match(outcomes[0].reason ?? "", /^the registry of the project cannot be read: .*not a database/)
    }),
  )

  layer(Databases.layer)("in PostgreSQL", (it) => {
    it.effect("is read too, and where the server is gone what the project has is kept", () =>
      Effect.gen(function* () {
        const { make } = yield* Databases.Databases
        const project = yield* Place.folder
        const url = yield* make
        const sql = Layer.effect(SqlClient.SqlClient, Postgres.open(Databases.options(url)))
        yield* fill.pipe(Effect.provide(Layer.provideMerge(RegistrySql.layer, sql)))
        yield* fill.pipe(
          Effect.provide(
            Layer.provideMerge(RegistrySql.layer, Sqlite.layer({ path: join(project, ".dandori", "state.db") })),
          ),
        )
        const own = (dsn: string) => ({
          collectors: [machine("registry")],
          secrets: { DSN: dsn },
          database: { backend: "postgres", dsn: "${env:DSN}" } as const,
        })
        const { outcomes, textOf } = yield* take(project, own(url))
        assert.strictEqual(outcomes[0].outcome, "ok", outcomes[0].reason)
        for (const source of ["postgres", "state.db"])
          assert.deepStrictEqual(versions(rowsOf(textOf("registry"), source), "model_registry"), ["v1", "v2"])
        const again = yield* Place.folder
        yield* fill.pipe(
          Effect.provide(
            Layer.provideMerge(RegistrySql.layer, Sqlite.layer({ path: join(again, ".dandori", "state.db") })),
          ),
        )
        const gone = yield* take(again, own("postgres://ml:planted-password@127.0.0.1:1/core"))
        assert.strictEqual(gone.outcomes[0].outcome, "failed")
        assert.match(gone.outcomes[0].reason ?? "", /^the registry of postgres cannot be read: /)
        assert.notInclude(JSON.stringify(gone.outcomes), "planted-password")
        assert.deepStrictEqual(versions(rowsOf(gone.textOf("registry"), "state.db"), "model_registry"), ["v1", "v2"])
      }),
    )
  })
})
