import * as Crypto from "node:crypto"
import * as Fs from "node:fs"
import { join } from "node:path"
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import { preAuthEncoding } from "../../src/domain/receipt.ts"
import * as Signature from "../../src/domain/model-signature.ts"
import * as Sha256 from "../../src/domain/sha256.ts"
import * as ModelSigning from "../../src/services/model-signing.ts"
import * as Project from "../ledger/fixtures/project.ts"

const payload = Signature.payloadOf("v1", [{ path: "a", sha256: Sha256.of("1"), bytes: 1 }])
const sign = (home: string) => ModelSigning.sign(home, payload)
const at = (home: string, name: string) => join(home, "keys", name)
const text = (home: string, name: string) => Fs.readFileSync(at(home, name), "utf8")

/** What is wrong with a signature that was just made. */
const problem = (home: string, { hint, signature }: { hint: Sha256.Sha256; signature: Uint8Array }) =>
  ModelSigning.problem(home, Option.getOrThrow(Signature.open(Signature.encode(payload, hint, signature))))

const inHome = <A, E>(body: (home: string) => Effect.Effect<A, E, any>) =>
  Effect.scoped(
    Effect.flatMap(Project.folder, (home) => Effect.provide(body(home), Project.projectAt(home))),
  ) as Effect.Effect<A, unknown>

describe("the key that signs models", () => {
  it.live("is made once, private to its owner, and is vouched for by the ledger's key", () =>
    inHome((home) =>
      Effect.gen(function* () {
        const first = yield* sign(home)
        assert.strictEqual((yield* sign(home)).hint, first.hint)
        assert.strictEqual((Fs.statSync(at(home, "model-signing.key")).mode & 0o777).toString(8), "600")
        assert.strictEqual(first.hint, Sha256.of(text(home, "model-signing.pub")))
        const envelope = JSON.parse(text(home, "model-signing.json"))
        const statement = Buffer.from(envelope.payload, "base64")
        const signed = preAuthEncoding(envelope.payloadType, statement)
        const [{ sig }] = envelope.signatures
        assert.isTrue(Crypto.verify(null, signed, text(home, "ledger.pub"), Buffer.from(sig, "base64")))
        assert.deepStrictEqual(JSON.parse(statement.toString()).subject, [
          { name: "model-signing.pub", digest: { sha256: first.hint } },
        ])
        assert.isUndefined(yield* problem(home, first))
      }),
    ),
  )

  it.live("is one key when many make it at once", () =>
    inHome((home) =>
      Effect.gen(function* () {
        const made = yield* Effect.forEach(Array.from({ length: 6 }), () => sign(home), { concurrency: 6 })
        assert.strictEqual(new Set(made.map(({ hint }) => hint)).size, 1)
      }),
    ),
  )

  for (const left of [["model-signing.key"], ["model-signing.key", "model-signing.json"]]) {
    it.live(`is completed where a crash left only ${left.join(" and ")}`, () =>
      inHome((home) =>
        Effect.gen(function* () {
          const first = yield* sign(home)
          for (const name of ["model-signing.pub", "model-signing.json"]) {
            if (!left.includes(name)) Fs.rmSync(at(home, name))
          }
          const second = yield* sign(home)
          assert.strictEqual(second.hint, first.hint)
          assert.isUndefined(yield* problem(home, first))
          assert.isUndefined(yield* problem(home, second))
        }),
      ),
    )
  }

  it.live("signs nothing when it is gone, is another kind of key, or is not the one of its public half", () =>
    inHome((home) =>
      Effect.gen(function* () {
        yield* sign(home)
        const put = (pem: string) => Fs.writeFileSync(at(home, "model-signing.key"), pem)
        put(text(home, "ledger.key"))
        assert.include((yield* Effect.flip(sign(home))).message, "it is no P-256 key")
        put("nonsense")
        assert.include((yield* Effect.flip(sign(home))).message, "it is no private key in PEM")
        const { privateKey } = Crypto.generateKeyPairSync("ec", { namedCurve: "P-256" })
        put(privateKey.export({ type: "pkcs8", format: "pem" }).toString())
        assert.include((yield* Effect.flip(sign(home))).message, "of another key")
        Fs.rmSync(at(home, "model-signing.key"))
        assert.include((yield* Effect.flip(sign(home))).message, "it is gone")
      }),
    ),
  )

  it.live("does not count without the ledger's word for it", () =>
    inHome((home) =>
      Effect.gen(function* () {
        const made = yield* sign(home)
        const statement = text(home, "model-signing.json")
        const says = (change: () => void) =>
          Effect.gen(function* () {
            change()
            return (yield* problem(home, made)) ?? "it holds"
          })
        const put = (name: string, content: string) => () => Fs.writeFileSync(at(home, name), content)
        const envelope = JSON.parse(statement)
        const forged = { ...envelope, signatures: [{ keyid: "", sig: Buffer.alloc(64).toString("base64") }] }
        assert.match(yield* says(put("model-signing.json", JSON.stringify(forged))), /not signed by the ledger's key$/)
        assert.match(yield* says(put("model-signing.json", "{}")), /is no statement about a key$/)
        assert.match(
          yield* says(() => Fs.rmSync(at(home, "model-signing.json"))),
          /there is no keys\/model-signing.json/,
        )
        assert.strictEqual(yield* says(put("model-signing.json", statement)), "it holds")
        const pem = text(home, "model-signing.pub")
        assert.match(yield* says(() => Fs.rmSync(at(home, "model-signing.pub"))), /^it cannot be checked/)
        assert.strictEqual(yield* says(put("model-signing.pub", pem)), "it holds")
        assert.match(yield* says(() => Fs.rmSync(at(home, "ledger.pub"))), /there is no keys\/ledger.pub/)
      }),
    ),
  )
})
