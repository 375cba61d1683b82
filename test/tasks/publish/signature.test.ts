import * as Crypto from "node:crypto"
import * as Fs from "node:fs"
import { join } from "node:path"
import { assert, beforeAll, describe } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Checksums from "../../../src/domain/checksums.ts"
import * as Signature from "../../../src/domain/model-signature.ts"
import * as Sha256 from "../../../src/domain/sha256.ts"
import { ModelFiles } from "../../../src/services/model-files.ts"
import * as Install from "../../support/servers/install.ts"
import { folder, nothing, refused, run, test } from "./publishing.ts"
import * as Stage from "./stage.ts"

/** The format's own program. It imports pyOpenSSL without requiring it. */
let modelSigning = ""
beforeAll(async () => {
  const bin = await Install.python("model-signing-1.1.1", ["model-signing==1.1.1", "pyOpenSSL==26.4.0"])
  modelSigning = join(bin, "model_signing")
}, 300_000)

const keyOf = (root: string) => join(root, ".dandori/keys/model-signing.pub")

/** Whether the format's own program accepts a folder, with what it says. */
const stock = (path: string, key: string, ...flags: ReadonlyArray<string>) =>
  Effect.promise(async () => {
    const argv = [modelSigning, "verify", "key", path, "--signature", join(path, "model.sig"), "--public_key", key]
    const child = Bun.spawn([...argv, ...flags], { stdout: "pipe", stderr: "pipe" })
    const said = await Promise.all([new Response(child.stdout).text(), new Response(child.stderr).text()])
    const code = await child.exited
    assert.match(said.join(""), /^Verification succeeded|^Verification failed with error: |model.sig' does not exist/m)
    return { accepts: code === 0, said: said.join("") }
  })

/** What our own check says of a version. */
const ours = (version: string) =>
  Effect.gen(function* () {
    const { differences } = yield* (yield* ModelFiles).verify(version)
    return differences.map(Checksums.describe)
  })

const put = (path: string, bytes: string) => {
  if (Fs.existsSync(path)) Fs.chmodSync(path, 0o644)
  Fs.writeFileSync(path, bytes)
}
const swap = (x: string, y: string) => {
  const [a, b] = [Fs.readFileSync(x, "utf8"), Fs.readFileSync(y, "utf8")]
  put(x, b)
  put(y, a)
}
const filesOf = (path: string): ReadonlyArray<Checksums.FoundFile> =>
  Fs.readdirSync(path, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name))
    .map((file) => ({
      path: file.slice(path.length + 1),
      sha256: Sha256.of(Fs.readFileSync(file)),
      bytes: Fs.statSync(file).size,
    }))

/** Lists the files as they are now, as somebody would who changes files and checksums. */
const relist = (path: string, version: string) =>
  put(join(path, Checksums.fileName), JSON.stringify(Checksums.make(version, filesOf(path), {})))

const changeSignature = (path: string, change: (bundle: any) => void) => {
  const file = join(path, "model.sig")
  const bundle = JSON.parse(Fs.readFileSync(file, "utf8"))
  change(bundle)
  put(file, JSON.stringify(bundle))
}

/** Signs a folder with another key; answers with its public key in PEM. */
const forge = (path: string, version: string): string => {
  const { privateKey, publicKey } = Crypto.generateKeyPairSync("ec", { namedCurve: "P-256" })
  const pem = publicKey.export({ type: "spki", format: "pem" }).toString()
  const payload = Signature.payloadOf(version, filesOf(path))
  const signature = Crypto.sign("sha256", payload.signed, privateKey)
  put(join(path, "model.sig"), Signature.encode(payload, Sha256.of(pem), signature))
  return pem
}

interface Damage {
  readonly what: string
  readonly by: (path: string, version: string) => void
  readonly says: ReadonlyArray<string>
}

const ai1 = (path: string) => join(path, "model_ai1.json")
const damages: ReadonlyArray<Damage> = [
  {
    what: "a changed byte",
    by: (path) => put(ai1(path), Fs.readFileSync(ai1(path), "utf8").replace("seed", "Seed")),
    says: ["altered: model_ai1.json"],
  },
  { what: "a missing file", by: (path) => Fs.rmSync(join(path, "theta.yaml")), says: ["missing: theta.yaml"] },
  { what: "an extra file", by: (path) => put(join(path, "more.bin"), "more"), says: ["extra: more.bin"] },
  {
    what: "an extra receipt",
    by: (path) => put(join(path, "receipts/dq-0.json"), "{}"),
    says: ["extra: receipts/dq-0.json"],
  },
  {
    what: "a swapped pair of files",
    by: (path) => swap(ai1(path), join(path, "metrics.json")),
    says: [
      "swapped: metrics.json has the bytes of model_ai1.json",
      "swapped: model_ai1.json has the bytes of metrics.json",
    ],
  },
  {
    what: "a changed file with its checksums",
    by: (path, version) => {
      put(ai1(path), "{}")
      relist(path, version)
    },
    says: ["altered: checksums.json", "altered: model_ai1.json"],
  },
  {
    what: "an extra file that is listed",
    by: (path, version) => {
      put(join(path, "more.bin"), "more")
      relist(path, version)
    },
    says: ["altered: checksums.json", "extra: more.bin"],
  },
  {
    what: "checksums with other metadata",
    by: (path, version) => relist(path, version),
    says: ["altered: checksums.json"],
  },
  {
    what: "a link in the place of a file",
    by: (path) => {
      Fs.renameSync(ai1(path), `${path}.json`)
      Fs.symlinkSync(`${path}.json`, ai1(path))
    },
    says: ["altered: model_ai1.json"],
  },
  { what: "no signature", by: (path) => Fs.rmSync(join(path, "model.sig")), says: ["missing: model.sig"] },
  {
    what: "a signature that is none",
    by: (path) => put(join(path, "model.sig"), "{}"),
    says: ["invalid: model.sig is no signature of a model"],
  },
  {
    what: "a payload that was changed to fit",
    by: (path, version) => {
      put(ai1(path), "{}")
      relist(path, version)
      const { payload } = Signature.payloadOf(version, filesOf(path))
      changeSignature(path, ({ dsseEnvelope }) => {
        dsseEnvelope.payload = Buffer.from(payload).toString("base64")
      })
    },
    says: ["invalid: model.sig does not hold: its bytes are not what the key signed"],
  },
  {
    what: "another bundle version",
    by: (path) =>
      changeSignature(path, (bundle) => {
        bundle.mediaType = "application/vnd.dev.sigstore.bundle.v0.1+json"
      }),
    says: ["invalid: model.sig is no signature of a model"],
  },
]

describe("the signature of a published model", () => {
  test("is accepted by model_signing, where it was published and where it was copied to", (root) =>
    Effect.gen(function* () {
      yield* run({ model: yield* Stage.passed(root, "v1") })
      const answer = yield* stock(folder(root, "v1"), keyOf(root))
      assert.isTrue(answer.accepts, answer.said)
      assert.isTrue((yield* stock(folder(root, "v1"), keyOf(root), "--no-ignore-git-paths")).accepts)
      assert.deepStrictEqual(yield* ours("v1"), [])
      const readme = Fs.readFileSync(new URL("../../../README.md", import.meta.url), "utf8")
      const [, flags = ""] = /^model_signing (.+)$/m.exec(readme) ?? []
      const child = Bun.spawnSync([modelSigning, ...flags.split(" ")], { cwd: folder(root, "v1") })
      assert.strictEqual(child.exitCode, 0, child.stderr.toString())
      const copy = join(root, "elsewhere")
      Fs.cpSync(folder(root, "v1"), copy, { recursive: true })
      assert.isTrue((yield* stock(copy, keyOf(root))).accepts)
      const { mode } = Fs.statSync(join(folder(root, "v1"), "model.sig"))
      assert.strictEqual((mode & 0o777).toString(8), "444")
    }))

  for (const { by, says, what } of damages) {
    test(`refuses ${what}, as model_signing does, and says which file it is`, (root) =>
      Effect.gen(function* () {
        yield* run({ model: yield* Stage.passed(root, "v1") })
        by(folder(root, "v1"), "v1")
        assert.deepStrictEqual(yield* ours("v1"), says)
        assert.isFalse((yield* stock(folder(root, "v1"), keyOf(root))).accepts)
      }))
  }

  test("refuses the signature of another version", (root) =>
    Effect.gen(function* () {
      yield* run({ model: yield* Stage.passed(root, "v1") })
      yield* run({ model: yield* Stage.passed(root, "v2") })
      put(
        join(folder(root, "v2"), "model.sig"),
        Fs.readFileSync(join(folder(root, "v1"), "model.sig")).toString("utf8"),
      )
      const says = yield* ours("v2")
      assert.includeMembers([...says], ["invalid: model.sig is of version v1", "altered: model_ai1.json"])
      assert.isFalse((yield* stock(folder(root, "v2"), keyOf(root))).accepts)
    }))

  test("refuses another key, and one that its forger put in the place of ours", (root) =>
    Effect.gen(function* () {
      yield* run({ model: yield* Stage.passed(root, "v1") })
      const pem = forge(folder(root, "v1"), "v1")
      assert.match((yield* ours("v1")).join(), /^invalid: model.sig does not hold: it is by another key/)
      assert.isFalse((yield* stock(folder(root, "v1"), keyOf(root))).accepts)
      put(keyOf(root), pem)
      assert.isTrue((yield* stock(folder(root, "v1"), keyOf(root))).accepts)
      assert.match((yield* ours("v1")).join(), /its key does not count: keys\/model-signing.json is about another key/)
    }))

  test("refuses files of git, which model_signing passes over unless it is told not to", (root) =>
    Effect.gen(function* () {
      yield* run({ model: yield* Stage.passed(root, "v1") })
      put(join(folder(root, "v1"), ".gitignore"), "*")
      assert.deepStrictEqual(yield* ours("v1"), ["extra: .gitignore"])
      assert.isTrue((yield* stock(folder(root, "v1"), keyOf(root))).accepts)
      assert.isFalse((yield* stock(folder(root, "v1"), keyOf(root), "--no-ignore-git-paths")).accepts)
    }))

  test("stays as it is when the same bytes are published again", (root) =>
    Effect.gen(function* () {
      const model = yield* Stage.passed(root, "v1")
      yield* run({ model })
      const signature = Fs.readFileSync(join(folder(root, "v1"), "model.sig"), "utf8")
      assert.isTrue((yield* run({ model }, "again")).alreadyPublished)
      assert.strictEqual(Fs.readFileSync(join(folder(root, "v1"), "model.sig"), "utf8"), signature)
    }))

  test("is missing in nothing that is published: without the key nothing is", (root) =>
    Effect.gen(function* () {
      yield* run({ model: yield* Stage.passed(root, "v1") })
      Fs.rmSync(join(root, ".dandori/keys/model-signing.key"))
      const error = yield* refused({ model: yield* Stage.passed(root, "v2") })
      assert.strictEqual(error._tag, "StagingFailed")
      assert.include(error.message, "model-signing.key, cannot be used: it is gone")
      yield* nothing(root, "v2")
      assert.isTrue((yield* stock(folder(root, "v1"), keyOf(root))).accepts)
    }))
})
