import * as Fs from "node:fs/promises"
import { join } from "node:path"
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import { BundleManifest } from "../../src/domain/bundle.ts"
import * as Sha256 from "../../src/domain/sha256.ts"
import * as Place from "../services/evacuation/incident/incident-place.ts"
import * as Made from "../services/evacuation/bundle/made-bundle.ts"
import { dandori, ndjson } from "./evidence-project.ts"

const redact = (bundle: string, out: string, ...more: ReadonlyArray<string>) =>
  dandori("/", "evacuate", "redact", bundle, "--out", out, ...more)
const verify = (where: string, ...more: ReadonlyArray<string>) => dandori("/", "evacuate", "verify", where, ...more)
const text = (path: string) => Effect.promise(() => Fs.readFile(path, "utf8"))
const manifestAt = (folder: string) =>
  Effect.flatMap(text(join(folder, "manifest.json")), Schema.decodeEffect(Schema.fromJsonString(BundleManifest)))
/** Every byte of a folder, by path. */
const contents = (folder: string) =>
  Effect.promise(async () => {
    const entries = await Fs.readdir(folder, { recursive: true, withFileTypes: true })
    const files = entries.filter((entry) => entry.isFile()).map((entry) => join(entry.parentPath, entry.name))
    const pairs = files
      .toSorted()
      .map(async (file) => [file.slice(folder.length + 1), Sha256.of(await Fs.readFile(file))])
    return Promise.all(pairs)
  })

// Put together here, so that it is in no file of the repository.
const secret = ["AKIA", "IOSFODNN7", "EXAMPLE"].join("")
const log = `customer ACMECORP asked\nkey ${secret} was used\ncustomer ACMELTD paid\nplain line\n`
const files: ReadonlyArray<Made.Given> = [
  { path: "logs/api.log", content: log },
  { path: "logs/plain.log", content: "nothing to see\n" },
  { path: "logs/ACMECORP/one.log", content: "x\n" },
  { path: "logs/core.bin", content: new Uint8Array([1, 0, 2]) },
  { path: "logs/latin.txt", content: new Uint8Array([0x61, 0xe9, 0x0a]) },
]
const customer = "customer=ACME[A-Z]+"

describe("dandori evacuate redact", () => {
  it.live("makes a second bundle without what matches, which is whole and names the first one in what it signs", () =>
    Effect.gen(function* () {
      const { bundle, output, root } = yield* Made.evacuated({ files })
      const before = yield* contents(bundle)
      const out = join(root, "for others")
      const said = yield* redact(bundle, out, "--pattern", customer, "--json")
      assert.strictEqual(said.code, 0, said.out + said.err)
      assert.deepStrictEqual(yield* contents(bundle), before)
      assert.match(
        yield* text(join(out, "logs/api.log")),
        /^customer \[redacted customer\] asked\nkey \[redacted [a-z-]+\] was used\ncustomer \[redacted customer\] paid\nplain line\n$/,
      )
      for (const [path] of yield* contents(out)) {
        const all = yield* text(join(out, path ?? ""))
        assert.notInclude(all, secret, path)
        assert.notMatch(all, /ACME[A-Z]/, path)
        assert.notMatch(path ?? "", /ACME/)
      }
      const manifest = yield* manifestAt(out)
      const first = yield* manifestAt(bundle)
      assert.deepStrictEqual(manifest.of?.root, first.root)
      assert.strictEqual(manifest.of?.keyid, output.keyid)
      assert.strictEqual(
        manifest.of?.signature,
        (yield* Effect.promise(() => Fs.readFile(join(bundle, "SHA256SUMS.sig")))).toString("base64"),
      )
      const api = manifest.items.find(({ path }) => path === "logs/api.log")
      assert.deepStrictEqual(api?.original, { bytes: Buffer.byteLength(log), sha256: Sha256.of(log) })
      assert.deepStrictEqual(api?.redactions?.map(({ count }) => count).toSorted(), [1, 2])
      assert.isUndefined(manifest.items.find(({ path }) => path === "logs/plain.log")?.original)
      assert.deepStrictEqual(
        manifest.items.map(({ path }) => path).filter((path) => path.startsWith("captures/")),
        ["captures/memory.txt", "captures/processes.txt"],
      )
      assert.isTrue(manifest.items.every(({ inTar }) => inTar === undefined))
      assert.strictEqual(yield* text(join(out, "captures/memory.txt")), "MemTotal: 24 GB\n")
      assert.deepInclude(ndjson(said.out)[0], { v: 1, kind: "evacuate-redact", root: manifest.root, leftOut: 2 })
      assert.deepStrictEqual(
        ((ndjson(said.out)[0]?.redacted ?? []) as ReadonlyArray<{ readonly path: string }>).map(({ path }) => path),
        ["logs/api.log"],
      )

      const second = yield* verify(out, "--json")
      assert.strictEqual(second.code, 14, second.out + second.err)
      assert.deepStrictEqual(
        ((ndjson(second.out)[0]?.bundles ?? []) as ReadonlyArray<Record<string, unknown>>)[0]?.problems,
        [],
      )
      const byHand = yield* Place.byHand(out, yield* text(join(out, "README.md")))
      assert.strictEqual(byHand.code, 0, byHand.err)
    }).pipe(Effect.scoped),
  )

  it.live("lists what is no text as not taken, and keeps it as it is where asked to", () =>
    Effect.gen(function* () {
      const { bundle, root } = yield* Made.evacuated({ files })
      const [without, kept] = [join(root, "without"), join(root, "kept")]
      assert.strictEqual((yield* redact(bundle, without)).code, 0)
      const { coverage, notTaken } = yield* manifestAt(without)
      assert.deepStrictEqual(
        notTaken.map(({ reason, source }) => [source, reason]),
        ["core.bin", "latin.txt"].map((name) => [
          `/srv/project/logs/${name}`,
          "it is no text, and was left out when the bundle was redacted",
        ]),
      )
      assert.deepStrictEqual([coverage.seen, coverage.taken, coverage.notTaken], [7, 5, 2])
      assert.isFalse(yield* Effect.promise(() => Bun.file(join(without, "logs/core.bin")).exists()))
      assert.strictEqual((yield* redact(bundle, kept, "--keep-binary")).code, 0)
      assert.deepStrictEqual([...(yield* Effect.promise(() => Fs.readFile(join(kept, "logs/core.bin"))))], [1, 0, 2])
      assert.strictEqual((yield* verify(kept)).code, 0)
    }).pipe(Effect.scoped),
  )

  it.live("refuses a bundle that is not what was signed, with the code of its verification, and makes nothing", () =>
    Effect.gen(function* () {
      const { bundle, root } = yield* Made.evacuated()
      const out = join(root, "out")
      const path = join(bundle, "logs/train.log")
      const before = yield* Effect.promise(() => Fs.readFile(path))
      yield* Effect.promise(async () => {
        await Fs.rm(path)
        await Fs.writeFile(path, "epoch 9\nepoch 2\n")
      })
      const altered = yield* redact(bundle, out)
      assert.strictEqual(altered.code, 10)
      assert.include(altered.err, "is not what was signed (logs/train.log: its SHA-256 is")
      yield* Effect.promise(() => Fs.writeFile(path, before))
      yield* Place.run(root, "bash", "-c", "openssl genpkey -algorithm ed25519 | openssl pkey -pubout > other.pub")
      assert.strictEqual((yield* redact(bundle, out, "--key", join(root, "other.pub"))).code, 12)
      yield* Effect.promise(() => Fs.rm(path))
      assert.strictEqual((yield* redact(bundle, out)).code, 13)
      assert.isFalse(yield* Effect.promise(() => Bun.file(out).exists()))
      assert.notInclude(yield* Effect.promise(() => Fs.readdir(root)), "out")
    }).pipe(Effect.scoped),
  )

  it.live("says what is wrong with a pattern, and never writes into a folder that holds something", () =>
    Effect.gen(function* () {
      const { bundle, root } = yield* Made.evacuated()
      const out = join(root, "out")
      for (const pattern of ["customer", "a b=x", "name=(", "name=x*"]) {
        const said = yield* redact(bundle, out, "--pattern", pattern)
        assert.strictEqual(said.code, 64, pattern)
        assert.include(said.err, `--pattern ${pattern}: NAME=REGEX, but `)
      }
      const taken = yield* redact(bundle, root)
      assert.strictEqual(taken.code, 73)
      assert.include(taken.err, "is there already, and not empty")
      const inside = yield* redact(bundle, join(bundle, "redacted"))
      assert.strictEqual(inside.code, 64)
      assert.include(inside.err, "--out")
      assert.strictEqual((yield* verify(bundle)).code, 0)
    }).pipe(Effect.scoped),
  )
})
