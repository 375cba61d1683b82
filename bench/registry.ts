/** Queries of the model registry with 100,000 versions in it, in SQLite and in PostgreSQL. */
import { chmodSync, mkdirSync } from "node:fs"
import { join } from "node:path"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Redacted from "effect/Redacted"
import * as SqlClient from "effect/sql/SqlClient"
import type { Slot } from "../src/domain/model.ts"
import { slotText } from "../src/domain/model.ts"
import * as Registry from "../src/domain/registry.ts"
import * as Sha256 from "../src/domain/sha256.ts"
import * as RegistrySql from "../src/services/model-registry-sql.ts"
import { ModelRegistry } from "../src/services/model-registry.ts"
import * as Postgres from "../src/services/postgres.ts"
import * as Sqlite from "../src/services/sqlite.ts"
import { ServerMissing } from "../test/support/servers/missing.ts"
import * as Server from "../test/support/servers/postgres.ts"
import type { Bench, Figure } from "./figure.ts"
import * as Figures from "./figure.ts"
import * as Place from "./place.ts"

const start = Date.UTC(2020, 0, 1)
const slots = 100

const slotAt = (n: number): Slot =>
  ({ legA: `A${String(n % slots).padStart(5, "0")}`, legB: "GBPUSD", timeframe: "1h" }) as Slot

const versionAt = (n: number) => `v${String(n).padStart(6, "0")}`
const digestAt = (n: number) => Sha256.of(versionAt(n))

/** Every version was champion of its slot once, and is archived, but the last one of each slot. */
const rowsOf = (versions: number) => {
  const events: Array<Registry.RegistryEvent> = []
  const moves: Array<Registry.AliasMove> = []
  const champions = new Map<string, number>()
  const chained = <A extends object>(rows: ReadonlyArray<{ readonly hash: Sha256.Sha256 }>, n: number, data: A) => {
    const row = {
      ...data,
      who: "bench",
      reason: "made for the bench",
      intent: digestAt(n),
      run: `run ${n}`,
      task: "publish",
      key: `run ${n}/publish`,
      sequence: rows.length + 1,
      at: new Date(start + n * 1_000).toISOString(),
      previousHash: rows.at(-1)?.hash ?? Registry.genesis,
    }
    return { ...row, hash: Registry.rowHash(row) }
  }
  for (let n = 0; n < versions; n++) {
    const [version, digest, slot] = [versionAt(n), digestAt(n), slotText(slotAt(n))]
    const was = champions.get(slot)
    if (was !== undefined) {
      const gone = { version: versionAt(was), digest: digestAt(was), from: "deployed", to: "archived" } as const
      events.push(chained(events, n, gone) as Registry.RegistryEvent)
    }
    for (const [from, to] of [
      [null, "candidate"],
      ["candidate", "approved"],
      ["approved", "deployed"],
    ] as const) {
      events.push(chained(events, n, { version, digest, from, to }) as Registry.RegistryEvent)
    }
    const move = {
      slot,
      alias: "champion",
      version,
      digest,
      from: was === undefined ? null : versionAt(was),
      receipt: digest,
    }
    moves.push(chained(moves, n, move) as Registry.AliasMove)
    champions.set(slot, n)
  }
  return { events, moves, deployed: new Set(champions.values()) }
}

const batch = 500

/** Puts the rows in as they are: what the registry itself would have written one by one. */
const fill = (versions: number) =>
  Effect.gen(function* () {
    const sql = yield* SqlClient.SqlClient
    const pg = sql.onDialectOrElse({ pg: () => true, orElse: () => false })
    const registry = yield* ModelRegistry
    yield* registry.list()
    const { deployed, events, moves } = rowsOf(versions)
    const insert = Effect.fnUntraced(function* (table: string, rows: ReadonlyArray<Record<string, unknown>>) {
      for (let at = 0; at < rows.length; at += batch) {
        const [first, ...rest] = rows.slice(at, at + batch)
        yield* sql`INSERT INTO ${sql(table)} ${sql.insert([first, ...rest])}`
      }
    })
    yield* sql.withTransaction(
      Effect.gen(function* () {
        const models = Array.from({ length: versions }, (_, n) => {
          const at = new Date(start + n * 1_000).toISOString()
          return {
            version: versionAt(n),
            slot: slotText(slotAt(n)),
            slot_json: JSON.stringify(slotAt(n)),
            digest: digestAt(n),
            path: `.dandori/models/${versionAt(n)}`,
            theta: '{"theta1":0.7,"theta2":0.3}',
            metrics: '{"sharpe":1.4,"max_drawdown":0.08}',
            datasets: JSON.stringify([digestAt(n)]),
            receipts: JSON.stringify([digestAt(n)]),
            synthetic: pg ? true : 1,
            status: deployed.has(n) ? "deployed" : "archived",
            reason: "made for the bench",
            registered: at,
            changed: at,
          }
        })
        yield* insert("model_registry", models)
        yield* insert(
          "model_registry_events",
          events.map(({ from, previousHash, to, ...row }) => ({
            ...row,
            from_status: from,
            to_status: to,
            previous_hash: previousHash,
          })),
        )
        yield* insert(
          "alias_history",
          moves.map(({ from, previousHash, ...row }) => ({ ...row, from_version: from, previous_hash: previousHash })),
        )
      }),
    )
    if (pg) yield* sql`ANALYZE`
    return moves.length
  })

/** Times of one query, each for another version. */
const times = <A, E, R>(repeats: number, versions: number, query: (n: number) => Effect.Effect<A, E, R>) =>
  Effect.gen(function* () {
    const found: Array<number> = []
    for (let i = 0; i < repeats; i++) {
      const n = (i * 7_919) % versions
      const from = performance.now()
      yield* query(n)
      found.push(performance.now() - from)
    }
    return found
  })

const measure = (database: string, versions: number, repeats: number) =>
  Effect.gen(function* () {
    const registry = yield* ModelRegistry
    yield* fill(versions)
    const figure = <A, E, R>(name: string, count: number, query: (n: number) => Effect.Effect<A, E, R>) =>
      Effect.map(times(count, versions, query), (all) => Figures.fromValues(`${database}: ${name}`, "ms", all))
    const few = Math.max(2, Math.round(repeats / 40))
    const warrant = (n: number): Registry.Warrant => ({
      who: "bench",
      reason: "again",
      intent: digestAt(n),
      run: "run",
      task: "deploy",
      key: `again ${n}`,
    })
    const figures: ReadonlyArray<Figure> = [
      yield* figure("find a version", repeats, (n) => registry.find(versionAt(n))),
      yield* figure("champion of a slot", repeats, (n) => registry.champion(slotAt(n))),
      yield* figure("champion at a moment", repeats, (n) => registry.at(slotAt(n), start + n * 1_000)),
      yield* figure("history of a slot", few, (n) => registry.history(slotAt(n))),
      yield* figure("all that is known of a version", repeats, (n) => registry.show(versionAt(n))),
      yield* figure("what a task has done", repeats, (n) => registry.doneBy(`run ${n}/publish`)),
      yield* figure("versions of a slot", few, (n) => registry.list({ slot: slotAt(n) })),
      yield* figure("move an alias", repeats, (n) =>
        Effect.flatMap(registry.champion(slotAt(n)), () =>
          Effect.ignore(
            registry.deploy(versionAt(n), { previousBecomes: "archived", receipt: null, outbox: [] }, warrant(n)),
          ),
        ),
      ),
      yield* figure("verify both histories", 2, () => registry.verify),
    ]
    return figures
  })

/** Queries by index, and the check of both histories, which reads every row. */
export const bench: Bench = (scale) =>
  Place.withFolder(async (folder) => {
    const [versions, repeats] = scale === "full" ? [100_000, 400] : [200, 4]
    const notes = [
      `${versions.toLocaleString("en")} versions in ${slots} slots, each of them champion once; each query for another one`,
    ]
    const on = (name: string, client: Layer.Layer<SqlClient.SqlClient, unknown>) =>
      Effect.runPromise(
        measure(name, versions, repeats).pipe(Effect.provide(Layer.provideMerge(RegistrySql.layer, client))),
      )
    const figures = [...(await on("SQLite", Sqlite.layer({ path: join(folder, "state.db") })))]
    try {
      // PostgreSQL's own user passes through to its folder.
      chmodSync(folder, 0o711)
      const place = join(folder, "server")
      mkdirSync(place)
      const server = await Server.start(place)
      const options: Postgres.PostgresOptions = {
        url: Effect.succeed(Redacted.make(server.url)),
        pool: { min: 1, max: 5 },
        timeoutMillis: 5_000,
        statementTimeoutMillis: 60_000,
        applicationName: "dandori bench",
        searchPath: ["public"],
      }
      figures.push(...(await on("PostgreSQL", Postgres.layer(options))))
      notes.push(`PostgreSQL ${server.version} on this machine, its own defaults`)
      await server.stop()
    } catch (cause) {
      if (!(cause instanceof ServerMissing)) throw cause
      notes.push(`PostgreSQL left out: ${cause.message}`)
    }
    return { figures, notes }
  })
