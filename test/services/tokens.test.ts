import { mkdtempSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { afterAll, assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as ManagedRuntime from "effect/ManagedRuntime"
import * as Option from "effect/Option"
import * as SqlClient from "effect/sql/SqlClient"
import { TestClock } from "effect/testing"
import * as Sha256 from "../../src/domain/sha256.ts"
import * as Token from "../../src/domain/token.ts"
import * as Postgres from "../../src/services/postgres.ts"
import * as Sqlite from "../../src/services/sqlite.ts"
import { StartKeys } from "../../src/services/start-keys.ts"
import * as StartKeysSql from "../../src/services/start-keys.ts"
import * as TokensSql from "../../src/services/tokens-sql.ts"
import { Tokens } from "../../src/services/tokens.ts"
import * as Databases from "../support/servers/databases.ts"

const server = ManagedRuntime.make(Databases.layer)
afterAll(() => server.dispose())

const inSqlite = Layer.suspend(() =>
  Sqlite.layer({ path: join(mkdtempSync(join(tmpdir(), "dandori-tokens-")), "state.db") }),
)
const inPostgres = Layer.effect(
  SqlClient.SqlClient,
  Effect.gen(function* () {
    const { make } = yield* Effect.promise(() => server.runPromise(Databases.Databases))
    return yield* Postgres.open(Databases.options(yield* make))
  }),
)

/** The same on both databases, each time a new one. */
const test = <A, E>(name: string, body: Effect.Effect<A, E, Tokens | StartKeys | SqlClient.SqlClient>) => {
  const stores = Layer.merge(TokensSql.layer, StartKeysSql.layer)
  const on = (database: typeof inSqlite) => () => Effect.provide(body, Layer.provideMerge(stores, database))
  it.effect(`${name} (SQLite)`, on(inSqlite))
  it.effect(`${name} (PostgreSQL)`, on(inPostgres))
}

const text = Token.textOf(new Uint8Array(32).fill(7))
const token = (id: string, over: Partial<Token.Token> = {}) => ({
  id,
  name: "ann",
  role: "operator" as const,
  createdBy: "root",
  expires: null,
  digest: Sha256.of(id),
  ...over,
})

describe("the tokens", () => {
  test(
    "are found by the digest of their text alone, and the same id again changes nothing",
    Effect.gen(function* () {
      const tokens = yield* Tokens
      const sql = yield* SqlClient.SqlClient
      yield* TestClock.setTime(Date.UTC(2026, 4, 5))
      const digest = Token.digestOf(text)
      const added = yield* tokens.add({ ...token("t1", { expires: "2026-08-01T00:00:00.000Z" }), digest })
      assert.deepInclude(added, { name: "ann", role: "operator", created: "2026-05-05T00:00:00.000Z", firstUsed: null })
      assert.deepStrictEqual(yield* tokens.find(digest), Option.some(added))
      assert.isTrue(Option.isNone(yield* tokens.find(Sha256.of("another"))))
      assert.deepStrictEqual(yield* tokens.add({ ...token("t1"), role: "admin" }), added)
      assert.deepStrictEqual(yield* tokens.list, [added])
      const rows = yield* sql`SELECT * FROM tokens`
      assert.notInclude(JSON.stringify(rows), text)
      assert.isFalse(Token.isActive(added, Date.UTC(2026, 7, 1)))
      assert.isTrue(Token.isActive(added, Date.UTC(2026, 7, 1) - 1))
    }),
  )

  test(
    "are revoked once, and neither changed nor removed",
    Effect.gen(function* () {
      const tokens = yield* Tokens
      const sql = yield* SqlClient.SqlClient
      yield* TestClock.setTime(Date.UTC(2026, 4, 5))
      yield* tokens.add(token("t1"))
      yield* tokens.used("t1")
      yield* TestClock.adjust("1 day")
      yield* tokens.used("t1")
      const revoked = yield* tokens.revoke("t1", "bob")
      assert.deepInclude(revoked, {
        firstUsed: "2026-05-05T00:00:00.000Z",
        revoked: "2026-05-06T00:00:00.000Z",
        revokedBy: "bob",
      })
      assert.isFalse(Token.isActive(revoked, Date.UTC(2026, 4, 7)))
      yield* TestClock.adjust("1 day")
      assert.deepStrictEqual(yield* tokens.revoke("t1", "eve"), revoked)
      for (const statement of [
        "DELETE FROM tokens",
        "UPDATE tokens SET role = 'admin'",
        "UPDATE tokens SET revoked = NULL, revoked_by = NULL",
      ]) {
        assert.strictEqual((yield* Effect.flip(sql.unsafe(statement)))._tag, "SqlError", statement)
      }
      assert.strictEqual((yield* Effect.flip(tokens.revoke("t9", "bob")))._tag, "TokenUnknown")
    }),
  )

  test(
    "let nobody in where they cannot be read",
    Effect.gen(function* () {
      const tokens = yield* Tokens
      const sql = yield* SqlClient.SqlClient
      yield* tokens.add(token("t1"))
      yield* sql`ALTER TABLE tokens RENAME TO taken_away`
      assert.strictEqual((yield* Effect.flip(tokens.find(Sha256.of("t1"))))._tag, "TokensUnavailable")
    }),
  )
})

describe("the keys of requests that start runs", () => {
  const request = { scope: "api ann nightly", key: "k1", fingerprint: Sha256.of("one") }

  test(
    "keep the run that they were first given, for more than a day",
    Effect.gen(function* () {
      const keys = yield* StartKeys
      yield* TestClock.setTime(Date.UTC(2026, 4, 5))
      const first = { run: "r1", fingerprint: request.fingerprint }
      assert.deepStrictEqual(yield* keys.reserve(request, "r1"), first)
      assert.deepStrictEqual(yield* keys.reserve({ ...request, fingerprint: Sha256.of("two") }, "r2"), first)
      assert.strictEqual((yield* keys.reserve({ ...request, scope: "api bob nightly" }, "r3")).run, "r3")
      yield* TestClock.adjust("25 hours")
      assert.deepStrictEqual(yield* keys.reserve(request, "r4"), first)
      yield* TestClock.adjust("24 hours")
      assert.strictEqual((yield* keys.reserve(request, "r5")).run, "r5")
    }),
  )

  test(
    "may be said otherwise when the run that has them gives them back, keep that run, and one of many at once wins",
    Effect.gen(function* () {
      const keys = yield* StartKeys
      yield* keys.reserve(request, "r1")
      const otherwise = (text: string) => keys.reserve({ ...request, fingerprint: Sha256.of(text) }, text)
      const all = Effect.forEach(["a", "b", "c", "d"], otherwise, { concurrency: "unbounded" })
      yield* keys.release(request, "r2")
      assert.deepStrictEqual(yield* otherwise("r3"), { run: "r1", fingerprint: request.fingerprint })
      yield* keys.release(request, "r1")
      const many = yield* all
      assert.deepStrictEqual(new Set(many.map(({ run }) => run)), new Set(["r1"]))
      assert.strictEqual(new Set(many.map(({ fingerprint }) => fingerprint)).size, 1)
      assert.notStrictEqual(many[0].fingerprint, request.fingerprint)
      const other = { ...request, key: "another" }
      const first = yield* Effect.forEach(["a", "b", "c", "d"], (run) => keys.reserve(other, run), {
        concurrency: "unbounded",
      })
      assert.strictEqual(new Set(first.map(({ run }) => run)).size, 1)
    }),
  )
})
