import * as Fs from "node:fs/promises"
import { join } from "node:path"
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import { dandori, ndjson, project } from "./evidence-project.ts"

const systemOf = (folder: string) =>
  Effect.promise(async () => ndjson(await Fs.readFile(join(folder, ".dandori/ledger/system.ndjson"), "utf8")))

describe("tokens on the command line", () => {
  it.effect("are created, shown once, listed and revoked, and the ledger tells of it", () =>
    Effect.gen(function* () {
      const folder = yield* project
      const before = yield* dandori(folder, "token", "list")
      assert.strictEqual(before.code, 0)
      assert.match(before.err, /There are no tokens/)

      const created = yield* dandori(folder, "token", "create", "ann", "--role", "operator", "--expires", "90d")
      assert.strictEqual(created.code, 0, created.err)
      assert.match(created.out, /^dandori_[A-Za-z0-9_-]{43}\n$/)
      assert.match(created.err, /the token of ann, role operator, until .*shown this once.*dandori token revoke/)
      const text = created.out.trim()

      const listed = yield* dandori(folder, "token", "list", "--json")
      const [token] = ndjson(listed.out)
      assert.deepInclude(token, { kind: "token", name: "ann", role: "operator", firstUsed: null, active: true })
      assert.notInclude(listed.out, text.slice(8))
      const id = String(token.id)

      const revoked = yield* dandori(folder, "token", "revoke", id)
      assert.strictEqual(revoked.code, 0, revoked.err)
      assert.match(revoked.out, /^The token of ann, role operator, is revoked /)
      assert.strictEqual((yield* dandori(folder, "token", "list", "--quiet")).out, "")
      const all = yield* dandori(folder, "token", "list", "--all", "--json")
      assert.deepInclude(ndjson(all.out)[0], { id, active: false })

      const entries = yield* systemOf(folder)
      assert.deepStrictEqual(
        entries.filter(({ type }) => String(type).includes(".token.")).map(({ data, type }) => [type, data]),
        [
          ["dev.dandori.token.created.v1", { token: id, name: "ann", role: "operator", expires: token.expires }],
          ["dev.dandori.token.revoked.v1", { token: id, name: "ann", role: "operator" }],
        ],
      )
      for (const name of ["state.db", "state.db-wal"]) {
        const bytes = yield* Effect.promise(() =>
          Fs.readFile(join(folder, ".dandori", name)).catch(() => Buffer.alloc(0)),
        )
        assert.isFalse(bytes.includes(text.slice(8)))
      }
    }),
  )

  it.effect("are refused where they are asked for wrongly", () =>
    Effect.gen(function* () {
      const folder = yield* project
      const wrong = [
        ["create", "ann"],
        ["create", "ann", "--role", "king"],
        ["create", "an n", "--role", "viewer"],
        ["create", "ann", "--role", "viewer", "--expires", "0d"],
        ["create", "ann", "--role", "viewer", "--expires", "soon"],
      ]
      for (const words of wrong) {
        assert.strictEqual((yield* dandori(folder, "token", ...words)).code, 64, words.join(" "))
      }
      const unknown = yield* dandori(folder, "token", "revoke", "nothing")
      assert.strictEqual(unknown.code, 66)
      assert.match(unknown.err, /dandori token list/)
    }),
  )
})
