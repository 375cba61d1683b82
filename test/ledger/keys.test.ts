import * as Fs from "node:fs/promises"
import { join } from "node:path"
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Sha256 from "../../src/domain/sha256.ts"
import { LedgerKey } from "../../src/ledger/keys.ts"
import * as Keys from "../../src/ledger/keys.ts"
import { Ledger } from "../../src/ledger/ledger.ts"
import * as Project from "./fixtures/project.ts"

const withKey = <A, E>(home: string, use: Effect.Effect<A, E, LedgerKey | Ledger>) =>
  use.pipe(Effect.provide(Layer.fresh(Keys.layer(home)).pipe(Layer.provideMerge(Project.ledgerAt(home)))))
const keyid = Effect.map(LedgerKey, (key) => key.keyid)
const modeOf = (path: string) => Effect.promise(async () => ((await Fs.stat(path)).mode & 0o777).toString(8))
const creations = Effect.flatMap(Ledger, (ledger) => ledger.read("system")).pipe(
  Effect.map(({ entries }) => entries.filter(({ type }) => type === "dev.dandori.key.created.v1")),
)

describe("the ledger's key", () => {
  it.live("is made once, private to its owner, recorded, and the same at the next start", () =>
    Effect.gen(function* () {
      const home = yield* Project.folder
      const first = yield* withKey(home, keyid)
      assert.strictEqual(yield* withKey(home, keyid), first)
      assert.strictEqual(yield* modeOf(join(home, "keys")), "700")
      assert.strictEqual(yield* modeOf(join(home, "keys/ledger.key")), "600")
      const pem = yield* Effect.promise(() => Fs.readFile(join(home, "keys/ledger.pub"), "utf8"))
      const der = Buffer.from(pem.split("\n").slice(1, -2).join(""), "base64")
      assert.strictEqual(Sha256.of(new Uint8Array(der)), first)
      const events = yield* withKey(home, creations)
      assert.deepStrictEqual(
        events.map(({ data }) => data),
        [{ keyid: first, publicKey: pem }],
      )
    }),
  )

  it.live("is one key when many make it at once", () =>
    Effect.gen(function* () {
      const home = yield* Project.folder
      const ids = yield* Effect.forEach(Array.from({ length: 6 }), () => withKey(home, keyid), { concurrency: 6 })
      assert.strictEqual(new Set(ids).size, 1)
      assert.lengthOf(yield* withKey(home, creations), 1)
    }),
  )

  it.live("is completed where a crash left only the private key, with or without its event", () =>
    Effect.gen(function* () {
      const home = yield* Project.folder
      const first = yield* withKey(home, keyid)
      yield* Effect.promise(() => Fs.rm(join(home, "keys/ledger.pub")))
      assert.strictEqual(yield* withKey(home, keyid), first)
      assert.lengthOf(yield* withKey(home, creations), 1)
      yield* Effect.promise(() => Fs.rm(join(home, "keys/ledger.pub")))
      yield* Effect.promise(() => Fs.rm(join(home, "ledger"), { recursive: true }))
      assert.strictEqual(yield* withKey(home, keyid), first)
      assert.lengthOf(yield* withKey(home, creations), 1)
    }),
  )

  it.live("is not replaced when its private half is gone, and not used with a foreign public half", () =>
    Effect.gen(function* () {
      const [home, other] = [yield* Project.folder, yield* Project.folder]
      yield* withKey(home, keyid)
      yield* withKey(other, keyid)
      yield* Effect.promise(() => Fs.copyFile(join(other, "keys/ledger.pub"), join(home, "keys/ledger.pub")))
      const foreign = yield* Effect.flip(withKey(home, keyid))
      assert.include(foreign.message, "does not belong")
      yield* Effect.promise(() => Fs.rm(join(home, "keys/ledger.key")))
      const gone = yield* Effect.flip(withKey(home, keyid))
      assert.include(gone.message, "it is gone")
      const names = yield* Effect.promise(() => Fs.readdir(join(home, "keys")))
      assert.deepStrictEqual(names, ["ledger.pub"])
    }),
  )
})
