import { assert, describe, layer } from "@effect/vitest"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import * as SqlClient from "effect/sql/SqlClient"
import * as Sha256 from "../../src/domain/sha256.ts"
import { ModelRegistry } from "../../src/services/model-registry.ts"
import * as RegistrySql from "../../src/services/model-registry-sql.ts"
import * as Postgres from "../../src/services/postgres.ts"
import * as Databases from "../support/servers/databases.ts"
import type { Postgres as Server } from "../support/servers/postgres.ts"
import * as Servers from "../support/servers/scoped.ts"

const slot = { legA: "EURUSD", legB: "GBPUSD", timeframe: "1h" } as const
const warrant = (key: string) => ({
  who: "ann",
  reason: "test",
  intent: Sha256.of(key),
  run: "run",
  task: "publish",
  key,
})
const model = (version: string) => ({
  version,
  slot,
  digest: Sha256.of(version),
  path: `models/${version}`,
  theta: {},
  metrics: {},
  datasets: [],
  receipts: [],
  synthetic: true,
})

/** Registers, approves and deploys a version in one transaction. */
const release = (version: string) =>
  Effect.flatMap(ModelRegistry, (registry) =>
    registry.atomically(
      Effect.gen(function* () {
        yield* registry.register(model(version), "candidate", warrant(version))
        yield* registry.transition(version, "approved", warrant(version))
        const outbox = [{ kind: "notification", payload: { version } }]
        yield* registry.deploy(version, { previousBecomes: "archived", receipt: null, outbox }, warrant(version))
      }),
    ),
  )

/** A process of its own, as far as the database can tell: a pool and a registry. */
const publisher = (url: string, changes: Partial<Postgres.PostgresOptions> = {}) =>
  Layer.build(Layer.provideMerge(RegistrySql.layer, Postgres.layer({ ...Databases.options(url), ...changes })))

const checkWhole = (versions: number) =>
  Effect.gen(function* () {
    const registry = yield* ModelRegistry
    assert.deepStrictEqual(yield* registry.verify, [])
    const rows = yield* registry.list()
    assert.strictEqual(rows.length, versions)
    assert.strictEqual(rows.filter(({ status }) => status === "deployed").length, 1)
    const moves = yield* registry.history(slot)
    assert.strictEqual(moves.length, versions)
    assert.strictEqual(Option.getOrThrow(yield* registry.champion(slot)).version, moves.at(-1)?.version)
    assert.strictEqual((yield* registry.pendingOutbox(1_000)).length, versions)
  })

class Restartable extends Context.Service<Restartable, { server: Server }>()("test/Restartable") {}

describe("the registry on PostgreSQL", () => {
  layer(Databases.layer, { excludeTestServices: true })((test) => {
    test.effect(
      "keeps exactly one deployed version per slot, and its chains, under publishers at once that also make its tables",
      () =>
        Effect.scoped(
          Effect.gen(function* () {
            const url = yield* Effect.flatMap(Databases.Databases, ({ make }) => make)
            const publishers = yield* Effect.all(
              Array.from({ length: 6 }, () => publisher(url, { pool: { min: 0, max: 2 }, timeoutMillis: 60_000 })),
            )
            yield* Effect.forEach(
              Array.from({ length: 48 }, (_, i) => i),
              (i) => Effect.provide(release(`v${i}`), publishers[i % publishers.length]),
              { concurrency: "unbounded", discard: true },
            )
            yield* Effect.provide(checkWhole(48), publishers[0])
          }),
        ),
    )

    test.effect("shows a reader one state, however much is written meanwhile", () =>
      Effect.scoped(
        Effect.gen(function* () {
          const url = yield* Effect.flatMap(Databases.Databases, ({ make }) => make)
          const [writer, reader] = yield* Effect.all([publisher(url), publisher(url)])
          yield* Effect.provide(release("first"), writer)
          const writing = Effect.forEach(
            Array.from({ length: 30 }, (_, i) => i),
            (i) => Effect.provide(release(`v${i}`), writer),
          )
          const looks: Array<{ readonly events: number; readonly moves: number }> = []
          const reading = Effect.forever(
            Effect.gen(function* () {
              const { events, moves } = yield* (yield* ModelRegistry).histories
              looks.push({ events: events.length, moves: moves.length })
            }),
          ).pipe(Effect.provide(reader))
          yield* Effect.raceFirst(writing, reading)
          assert.isAbove(looks.length, 5)
          // A first release writes three events and one move; each later one also archives the version before it.
          for (const { events, moves } of looks) assert.strictEqual(events, 4 * moves - 1)
        }),
      ),
    )

    test.effect("needs no right to change tables that are there, and says which right it lacks otherwise", () =>
      Effect.scoped(
        Effect.gen(function* () {
          const url = yield* Effect.flatMap(Databases.Databases, ({ make }) => make)
          const owner = yield* publisher(url)
          const role = `reader_${crypto.randomUUID().slice(0, 8)}`
          const sql = Context.get(owner, SqlClient.SqlClient)
          yield* Effect.acquireRelease(sql`CREATE ROLE ${sql(role)} LOGIN`, () =>
            Effect.orDie(Effect.andThen(sql`DROP OWNED BY ${sql(role)}`, sql`DROP ROLE ${sql(role)}`)),
          )
          const limited = new URL(url)
          limited.username = role
          const reader = yield* publisher(limited.href)
          const before = yield* Effect.flip(
            Effect.provide(
              Effect.flatMap(ModelRegistry, ({ list }) => list()),
              reader,
            ),
          )
          assert.match(before.message, /permission denied.*give this user the right/)
          yield* Effect.provide(release("v1"), owner)
          yield* sql`GRANT USAGE ON SCHEMA core, audit TO ${sql(role)}`
          yield* sql`GRANT SELECT ON ALL TABLES IN SCHEMA core, audit TO ${sql(role)}`
          const rows = yield* Effect.provide(
            Effect.flatMap(ModelRegistry, ({ list }) => list()),
            reader,
          )
          assert.deepStrictEqual(
            rows.map(({ version }) => version),
            ["v1"],
          )
          const refused = yield* Effect.flip(Effect.provide(release("v2"), reader))
          assert.match(refused.message, /permission denied/)
        }),
      ),
    )
  })

  layer(
    Layer.effect(
      Restartable,
      Effect.map(Servers.ownPostgres(), (server) => ({ server })),
    ),
    {
      excludeTestServices: true,
    },
  )((test) => {
    test.effect("keeps what was acknowledged, whole, when the server is killed and comes back", () =>
      Effect.scoped(
        Effect.gen(function* () {
          const place = yield* Restartable
          const publishers = yield* Effect.all([publisher(place.server.url), publisher(place.server.url)])
          const acknowledged = new Set<string>()
          const kill = Effect.promise(async () => {
            await place.server.stop("SIGKILL")
            place.server = await place.server.again()
          })
          let tried = 0
          const releasing = (index: number) =>
            Effect.gen(function* () {
              const version = `v${tried++}`
              yield* release(version)
              acknowledged.add(version)
            }).pipe(Effect.ignore, Effect.forever, Effect.provide(publishers[index]))
          for (let round = 0; round < 3; round++) {
            const since = acknowledged.size
            const some = Effect.repeat(Effect.yieldNow, { until: () => acknowledged.size >= since + 5 })
            yield* Effect.raceFirst(
              Effect.andThen(some, kill),
              Effect.all([releasing(0), releasing(1)], { concurrency: 2 }),
            )
          }
          const { list } = Context.get(publishers[0], ModelRegistry)
          const rows = yield* Effect.eventually(list())
          const found = new Set(rows.map(({ version }) => version))
          for (const version of acknowledged) assert.isTrue(found.has(version), version)
          yield* Effect.provide(checkWhole(found.size), publishers[1])
        }),
      ),
    )
  })
})
