import * as Fs from "node:fs/promises"
import { join } from "node:path"
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Ed25519 from "../../src/ledger/ed25519.ts"
import * as Trust from "../../src/ledger/trust.ts"
import * as Project from "./fixtures/project.ts"

const withTrust = (text: string | undefined) =>
  Effect.gen(function* () {
    const configs = yield* Project.folder
    yield* Effect.promise(() => Fs.mkdir(join(configs, "base")))
    if (text !== undefined) yield* Effect.promise(() => Fs.writeFile(join(configs, "base/trust.yaml"), text))
    return yield* Trust.read(configs)
  }).pipe(Effect.provide(Project.platform))

describe("the trusted keys", () => {
  it.live("are those that trust.yaml lists, or none", () =>
    Effect.gen(function* () {
      const [a, b] = [(yield* Ed25519.generate).publicKey, (yield* Ed25519.generate).publicKey]
      const block = (pem: string) => pem.trimEnd().replaceAll("\n", "\n      ")
      const text = `keys:\n  - pem: |\n      ${block(a.pem)}\n  - keyid: "${b.keyid}"\n    pem: |\n      ${block(b.pem)}\n`
      assert.deepStrictEqual(yield* withTrust(text), [a.pem, b.pem])
      assert.deepStrictEqual(yield* withTrust(undefined), [])
      const swapped = yield* Effect.flip(withTrust(text.replace(b.keyid, a.keyid)))
      assert.strictEqual(swapped._tag, "TrustInvalid")
      assert.include(swapped.message, `the key with the keyid ${a.keyid} has the keyid ${b.keyid}`)
    }),
  )

  it.live("are refused when the file says something else", () =>
    Effect.gen(function* () {
      for (const text of ["", "keys: 1", "keys: [{ pem: no key }]", "keys: [", "key: []"]) {
        assert.strictEqual((yield* Effect.flip(withTrust(text)))._tag, "TrustInvalid", text)
      }
    }),
  )
})
