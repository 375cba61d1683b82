import { mkdtempSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Redacted from "effect/Redacted"
import * as Address from "../../src/services/postgres-address.ts"

const parse = (url: string) => Address.parse(Redacted.make(url))

describe("the address of a database", () => {
  it.effect.each([
    [
      "postgres://u:p%40%3A%2F%3F%23%25s@h.example:6000/d",
      { host: "h.example", port: 6000, user: "u", password: "p@:/?#%s" },
    ],
    ["postgresql://u@[::1]:5433/d", { host: "::1", port: 5433, place: "[::1]:5433/d", tls: false }],
    [
      "postgres://u@%2Fvar%2Frun%2Fpostgresql:5433/d",
      { host: "/var/run/postgresql", port: 5433, database: "d", tls: false },
    ],
    ["postgres://u@%2Fvar%2Frun%2Fpostgresql/d", { place: "/var/run/postgresql:5432/d" }],
    ["postgres://u@localhost/d", { host: "localhost", tls: false }],
    ["postgres://u@h/d%20b", { database: "d b", tls: { rejectUnauthorized: false } }],
  ] as const)("reads %s", ([url, expected]) =>
    Effect.gen(function* () {
      assert.deepInclude(yield* parse(url), expected)
    }),
  )

  it.effect.each([
    "postgres://u:12#s3cret@host/d",
    "postgres://u:12?s3cret@host/d",
    "postgres://u:12/s3cret@host/d",
    "postgres://u:12/d?s3cret@host/d=1",
  ])("shows nothing of a password that is not percent-encoded and cuts the dsn: %s", (url) =>
    Effect.gen(function* () {
      const { message } = yield* Effect.flip(parse(url))
      assert.match(message, /password or database of the dsn are not percent-encoded/)
      assert.notInclude(message, "s3cret")
      assert.notInclude(message, "12")
    }),
  )

  it.effect("refuses a host that is not percent-encoded", () =>
    Effect.gen(function* () {
      assert.match((yield* Effect.flip(parse("postgres://u:s3cret@ho%zzst/d"))).message, /not percent-encoded/)
    }),
  )

  it.effect("checks a certificate by the root that is named with require, as libpq does", () =>
    Effect.gen(function* () {
      const root = join(mkdtempSync(join(tmpdir(), "root ")), "root.crt")
      writeFileSync(root, "certificate")
      const { tls } = yield* parse(`postgres://u@h/d?sslmode=require&sslrootcert=${encodeURIComponent(root)}`)
      assert.deepInclude(tls, { rejectUnauthorized: true })
    }),
  )
})
