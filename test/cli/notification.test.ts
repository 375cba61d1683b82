import * as Fs from "node:fs"
import { join } from "node:path"
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import { dandori, ndjson, project } from "./evidence-project.ts"

const refused = (id: string, created: number) => ({
  id,
  created,
  env: "dev",
  message: { channel: "ml-ops", severity: "critical", title: `${id} failed`, text: "text" },
  routes: [{ to: "slack", channel: "#ml-ops" }],
  done: [],
  refused: [{ route: 0, reason: "channel_not_found" }],
})

describe("dandori notification", () => {
  it.live(
    "lists what was refused until somebody acknowledges it, which the ledger records",
    () =>
      Effect.gen(function* () {
        const folder = yield* project
        const call = (...args: ReadonlyArray<string>) => dandori(folder, "notification", ...args)
        const none = yield* call("list")
        assert.deepStrictEqual([none.code, none.out, none.err], [0, "", "Every notification has reached somebody.\n"])
        assert.isFalse(Fs.existsSync(join(folder, ".dandori")))
        const outbox = join(folder, ".dandori/outbox/refused")
        Fs.mkdirSync(outbox, { recursive: true })
        for (const [at, id] of ["n2", "n1"].entries()) {
          Fs.writeFileSync(join(outbox, `${id}.json`), JSON.stringify(refused(id, Date.UTC(2025, 0, at + 1))))
        }
        assert.match((yield* call("list")).out, /n2 .*2025-01-01T.*critical.*n2 failed.*channel_not_found\n.*n1/)
        assert.strictEqual((yield* call("list", "--quiet")).out, "n2\nn1\n")
        const [first] = ndjson((yield* call("list", "--json")).out)
        assert.deepInclude(first, { v: 1, kind: "notification", id: "n2", severity: "critical" })
        assert.strictEqual((yield* call("acknowledge", "n1")).code, 64)
        const unknown = yield* call("acknowledge", "n9", "--reason", "x")
        assert.strictEqual(unknown.code, 66)
        const done = yield* call("acknowledge", "n1", "--reason", "told by phone", "--json")
        assert.strictEqual(done.code, 0, done.err)
        assert.deepInclude(ndjson(done.out)[0], { kind: "acknowledged", id: "n1", reason: "told by phone" })
        assert.strictEqual((yield* call("acknowledge", "n1", "--reason", "x")).code, 66)
        assert.strictEqual((yield* call("list", "--quiet")).out, "n2\n")
        const events = ndjson((yield* dandori(folder, "ledger", "show", "system", "--json")).out)
        const acknowledged = events.filter(({ type }) => type === "dev.dandori.notification.acknowledged.v1")
        assert.deepStrictEqual(
          acknowledged.map(({ data }) => data),
          [{ notification: "n1", env: "dev", reason: "told by phone" }],
        )
      }).pipe(Effect.scoped),
    60_000,
  )
})
