import * as Fs from "node:fs/promises"
import { join } from "node:path"
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import { BundleManifest } from "../../../../src/domain/bundle.ts"
import * as Sha256 from "../../../../src/domain/sha256.ts"
import { addLines } from "../../../../src/services/evacuation/incident/incidents.ts"
import * as Bundle from "../../../../src/services/evacuation/bundle/bundle.ts"
import { push } from "../../../../tasks/evacuate/manifest/run.ts"
import * as Outcomes from "../../../../src/services/evacuation/incident/outcomes.ts"
import * as Seal from "../../../../src/services/evacuation/incident/seal.ts"
import * as Place from "../incident/incident-place.ts"
import * as Made from "./made-bundle.ts"

const text = (path: string) => Effect.promise(() => Fs.readFile(path, "utf8"))
const names = (path: string) => Effect.promise(async () => (await Fs.readdir(path)).toSorted())
const manifestAt = (path: string) =>
  Effect.flatMap(text(path), Schema.decodeEffect(Schema.fromJsonString(BundleManifest)))
const own = ["README.md", "SHA256SUMS", "SHA256SUMS.sig", "key.pem", "manifest.json", "manifest.json.sig"]

describe("the bundles of an incident", () => {
  it.effect("list what a destination confirmed, with owners, times and modes, and count the coverage", () =>
    Effect.gen(function* () {
      const { bundle, output, snapshot } = yield* Made.evacuated()
      assert.isTrue(output.complete)
      assert.deepStrictEqual(output.problems, [])
      const evidence = yield* manifestAt(join(bundle, "manifest.json"))
      assert.deepStrictEqual(
        evidence.items.map(({ inTar, path }) => [path, inTar === true]),
        [
          ["captures/memory.txt", true],
          ["captures/processes.txt", true],
          ["configs/base/storage.yaml", false],
          ["evidence.tar", false],
          ["logs/train.log", false],
        ],
      )
      assert.deepStrictEqual(evidence.items.at(-1), {
        path: "logs/train.log",
        bytes: 16,
        sha256: Sha256.of("epoch 1\nepoch 2\n"),
        mtime: Place.opened - 60_000,
        mode: 0o640,
        uid: 1000,
        gid: 1000,
        collector: "logs",
        source: "/srv/project/logs/train.log",
      })
      assert.deepStrictEqual(evidence.coverage, {
        seen: 4,
        taken: 4,
        notTaken: 0,
        unstable: 0,
        collectors: { ok: 4, skipped: 1, failed: 0 },
      })
      assert.strictEqual(evidence.created, Place.opened)
      assert.strictEqual(evidence.beside, "snapshots/20261127T031400Z")
      const models = yield* manifestAt(join(snapshot, "manifest.json"))
      assert.deepStrictEqual(
        models.items.map(({ path }) => path),
        ["models/model_a.joblib"],
      )
      assert.strictEqual(models.beside, `incidents/${Place.incident.id}/evidence`)
      assert.deepStrictEqual(output.snapshot, { root: models.root, items: 1, folder: "snapshots/20261127T031400Z" })
      assert.strictEqual(output.evidence.root, Sha256.of(yield* text(join(bundle, "SHA256SUMS"))))
    }),
  )

  it.effect("are checked by hand with the commands of their READMEs", () =>
    Effect.gen(function* () {
      const { bundle, output, root, snapshot } = yield* Made.evacuated()
      for (const folder of [bundle, snapshot]) {
        const readme = yield* text(join(folder, "README.md"))
        const elsewhere = join(root, `elsewhere ${folder === bundle}`)
        yield* Effect.promise(() => Fs.mkdir(elsewhere))
        const said = yield* Place.byHand(elsewhere, readme)
        assert.strictEqual(said.code, 0, said.err)
        assert.strictEqual(said.out.match(/Signature Verified Successfully/g)?.length, 2, said.out)
        assert.include(said.out, `${output.keyid}  -`)
        assert.include(readme, output.keyid)
        const { root: digest } = yield* manifestAt(join(folder, "manifest.json"))
        assert.include(said.out, `${digest}  SHA256SUMS`)
      }
      assert.strictEqual(
        yield* text(join(root, "elsewhere true", "evidence", "captures", "memory.txt")),
        "MemTotal: 24 GB\n",
      )
    }),
  )

  it.effect(
    "fail by hand where a byte was altered: of a file, of a capture, of the digests, of the manifest, of the README",
    () =>
      Effect.gen(function* () {
        const { bundle, root } = yield* Made.evacuated()
        const readme = yield* text(join(bundle, "README.md"))
        const altered = ["logs/train.log", "evidence.tar", "SHA256SUMS", "manifest.json", "README.md", "SHA256SUMS.sig"]
        for (const name of altered) {
          const path = join(bundle, name)
          const before = yield* Effect.promise(() => Fs.readFile(path))
          const after = Buffer.from(before)
          after[Math.min(700, before.length - 2)] ^= 1
          yield* Made.write(path, after)
          const elsewhere = join(root, `altered ${name.replaceAll("/", " ")}`)
          yield* Effect.promise(() => Fs.mkdir(elsewhere))
          assert.notStrictEqual((yield* Place.byHand(elsewhere, readme)).code, 0, name)
          yield* Made.write(path, before)
        }
      }),
  )

  it.effect("put their own files in an order that ends with the manifest, those of the evidence under a lock", () =>
    Effect.gen(function* () {
      const { folder } = yield* Made.evacuated()
      const puts: Array<string> = []
      for (const made of yield* Bundle.make(folder, undefined).pipe(Effect.provide(Made.services(folder.path)))) {
        yield* push(
          {
            pieceBytes: 1 << 20,
            put: ({ key, lock }) => {
              puts.push(`${key}${lock ? " locked" : ""}`)
              return Effect.succeed({ key, bytes: 0, sha256: Sha256.of(""), sent: 0, end: { changed: false } })
            },
          },
          made,
        )
      }
      const files = ["README.md", "key.pem", "SHA256SUMS", "SHA256SUMS.sig", "manifest.json.sig", "manifest.json"]
      const at = (prefix: string, lock: string) =>
        files.map((name) => `${prefix}/partial-20261127T031400Z/${name}${lock}`)
      assert.deepStrictEqual(puts, [
        ...at(`incidents/${Place.incident.id}/evidence`, " locked"),
        ...at("snapshots/20261127T031400Z", ""),
      ])
    }),
  )

  it.effect("are the same bytes when they are made again, also where another key could be used by then", () =>
    Effect.gen(function* () {
      const { bundle, folder, output, root } = yield* Made.evacuated()
      const all = yield* Effect.forEach(own, (name) => text(join(bundle, name)))
      yield* Effect.promise(() => Fs.mkdir(join(root, "home/keys"), { recursive: true }))
      yield* Place.run(root, "openssl", "genpkey", "-algorithm", "ed25519", "-out", join(root, "home/keys/ledger.key"))
      assert.deepStrictEqual(yield* Made.manifest(root), output)
      assert.deepStrictEqual(yield* Effect.forEach(own, (name) => text(join(bundle, name))), all)
      assert.deepStrictEqual(yield* names(join(folder.path, "bundles/evidence")), own)
    }),
  )

  it.effect("stay as they are once they completed a bundle, also where a source has changed since", () =>
    Effect.gen(function* () {
      const { bundle, folder, output, root } = yield* Made.evacuated()
      const all = yield* Effect.forEach(own, (name) => text(join(bundle, name)))
      const path = join(folder.path, "pushed.ndjson")
      const lines = (yield* text(path)).replaceAll('"to":', '"unstable":true,"to":')
      assert.include(lines, '"unstable":true')
      yield* Effect.promise(() => Fs.writeFile(path, lines))
      assert.deepStrictEqual(yield* Made.manifest(root), output)
      assert.deepStrictEqual(yield* Effect.forEach(own, (name) => text(join(bundle, name))), all)
    }),
  )

  it.effect("leave nothing beside their copies that a crash left there", () =>
    Effect.gen(function* () {
      const { folder, root } = yield* Made.evacuated()
      yield* Made.write(join(folder.path, "bundles/evidence/.README.md.1.tmp"), "half")
      yield* Made.write(join(folder.path, "bundles/.evidence.tar.new.1.tmp"), "half")
      yield* Made.manifest(root)
      yield* Made.pushTars(folder)
      assert.deepStrictEqual(yield* names(join(folder.path, "bundles/evidence")), own)
      assert.deepStrictEqual(yield* names(join(folder.path, "bundles")), [
        "destination.json",
        "evidence",
        "evidence.tar",
        "snapshot",
        "tars.ndjson",
      ])
    }),
  )

  it.effect("are signed by the ledger's key as it lies in the project, else by a key of the incident's own", () =>
    Effect.gen(function* () {
      const root = yield* Place.temporary
      yield* Effect.promise(() => Fs.mkdir(join(root, "home/keys"), { recursive: true }))
      yield* Place.run(root, "openssl", "genpkey", "-algorithm", "ed25519", "-out", join(root, "home/keys/ledger.key"))
      const { out } = yield* Place.run(
        root,
        "bash",
        "-c",
        "openssl pkey -in home/keys/ledger.key -pubout -outform DER | sha256sum",
      )
      const { disk } = yield* Made.opened(root)
      const { keyid } = yield* Made.manifest(root)
      assert.strictEqual(out, `${keyid}  -\n`)
      const at = join(disk, "incidents", Place.incident.id, "evidence")
      assert.deepStrictEqual((yield* manifestAt(join(at, "manifest.json"))).signedBy, { keyid, key: "ledger" })
      assert.include(yield* text(join(at, "README.md")), "configs/base/trust.yaml")

      const alone = yield* Made.evacuated()
      const kept = join(alone.folder.path, "keys/bundle.key")
      assert.strictEqual((yield* Effect.promise(() => Fs.stat(kept))).mode & 0o777, 0o600)
      assert.deepStrictEqual((yield* manifestAt(join(alone.bundle, "manifest.json"))).signedBy, {
        keyid: alone.output.keyid,
        key: "incident",
      })
      const half = join(alone.folder.path, "keys/bundle.pub")
      assert.include(
        yield* text(join(alone.bundle, "README.md")),
        `compare with \`incidents/${Place.incident.id}/keys/bundle.pub\` in the`,
      )
      assert.strictEqual(yield* text(half), yield* text(join(alone.bundle, "key.pem")))
    }),
  )

  it.effect("are not complete while it was not written down how a collector ended", () =>
    Effect.gen(function* () {
      const { folder, root } = yield* Made.opened(yield* Place.temporary)
      const collectors: Made.Options["collectors"] = [
        { name: "logs", kind: "files", root: "logs", to: "evidence", value: 1 },
        { name: "models", kind: "files", root: "models", to: "snapshot", value: 2 },
      ]
      const made = Effect.map(Bundle.make(folder, undefined), (bundles) =>
        bundles.map(({ bundle, complete, own }) => [bundle, complete, own]),
      ).pipe(Effect.provide(Made.services(root, { collectors })))
      yield* Place.collected(folder, Place.ended("logs"), Place.ended("published", { to: "snapshot" }))
      const apart = "partial-20261127T031400Z"
      assert.deepStrictEqual(yield* made, [
        ["evidence", true, ""],
        ["snapshot", false, apart],
      ])
      yield* Place.collected(folder, Place.ended("models", { to: "snapshot" }))
      assert.deepStrictEqual(yield* made, [["evidence", true, ""]], "there is no snapshot of nothing")
      yield* Seal.set(folder, { name: "given", location: root } as never)
      assert.lengthOf(
        (yield* Outcomes.read(folder).pipe(
          Effect.provide(Made.services(root, { collectors: [...collectors, { ...collectors[0], name: "new" }] })),
        )).filter(({ outcome }) => outcome === "failed"),
        0,
        "what is complete stays so",
      )
    }),
  )

  it.effect("keep their own files apart while something is missing, and are completed by a later call", () =>
    Effect.gen(function* () {
      const { disk, folder, root } = yield* Made.opened(yield* Place.temporary)
      yield* Place.capture(folder, "processes", "PID CMD\n")
      yield* Place.collected(
        folder,
        Place.ended("gpu", { outcome: "failed", reason: "nvidia-smi `did not` answer" }),
        Place.ended("logs", { files: 2 }),
      )
      const late = { path: "logs/late.log", content: "late\n" }
      yield* Made.pushed(folder, [{ path: "logs/a.log", content: "a\n" }])
      yield* addLines(folder.path, "inventory.ndjson", [Place.source(late.path, late.content)])
      const source = "/srv/project/logs/late.log"
      yield* Place.notTaken(folder, { collector: "logs", source, reason: "deadline", bytes: 5 })
      yield* Made.pushTars(folder)
      const first = yield* Made.manifest(root)
      assert.isFalse(first.complete)
      assert.strictEqual(first.evidence.folder, `incidents/${Place.incident.id}/evidence/partial-20261127T031400Z`)
      assert.deepStrictEqual(first.problems, [
        "the collector gpu failed: nvidia-smi `did not` answer",
        `${source} was not taken: deadline`,
      ])
      assert.isUndefined(first.snapshot)
      const bundle = join(disk, "incidents", Place.incident.id, "evidence")
      const partial = join(bundle, "partial-20261127T031400Z")
      assert.deepStrictEqual(yield* names(partial), own)
      assert.deepStrictEqual(yield* names(bundle), ["evidence.tar", "logs", "partial-20261127T031400Z"])
      const { coverage, notTaken } = yield* manifestAt(join(partial, "manifest.json"))
      assert.deepStrictEqual(notTaken, [{ collector: "logs", source, reason: "deadline", bytes: 5 }])
      assert.deepStrictEqual(coverage, {
        seen: 3,
        taken: 2,
        notTaken: 1,
        unstable: 0,
        collectors: { ok: 2, skipped: 0, failed: 1 },
      })
      const readme = yield* text(join(partial, "README.md"))
      assert.include(readme, "**not complete**")
      assert.include(readme, "`nvidia-smi 'did not' answer`")
      assert.include(readme, `\`${source}\`: \`deadline\``)
      const elsewhere = join(root, "elsewhere")
      yield* Effect.promise(() => Fs.mkdir(elsewhere))
      const said = yield* Place.byHand(elsewhere, readme)
      assert.strictEqual(said.code, 0, said.err)

      yield* Place.capture(folder, "gpu", "now it answers\n")
      yield* Made.pushed(folder, [late])
      yield* Made.pushTars(folder)
      const second = yield* Made.manifest(root)
      assert.deepStrictEqual([second.complete, second.problems], [true, []])
      const whole = yield* manifestAt(join(bundle, "manifest.json"))
      assert.deepStrictEqual(
        whole.items.map(({ path }) => path),
        ["captures/gpu.txt", "captures/processes.txt", "evidence-2.tar", "evidence.tar", "logs/a.log", "logs/late.log"],
      )
      const again = join(root, "again")
      yield* Effect.promise(() => Fs.mkdir(again))
      const complete = yield* Place.byHand(again, yield* text(join(bundle, "README.md")))
      assert.strictEqual(complete.code, 0, complete.err)
    }),
  )

  it.effect(
    "are partial where a file was never sent, a tar was not, or a capture was altered, without a word about it",
    () =>
      Effect.gen(function* () {
        const { folder, root } = yield* Made.opened(yield* Place.temporary)
        yield* Place.capture(folder, "memory", "fine")
        const gone = yield* Place.capture(folder, "processes", "to be altered")
        yield* Made.write(join(folder.path, gone.path ?? ""), "altered")
        yield* addLines(folder.path, "inventory.ndjson", [Place.source("logs/a.log", "a", { to: "evidence" })])
        yield* Made.pushTars(folder)
        yield* Place.capture(folder, "sockets", "packed by nobody")
        const output = yield* Made.manifest(root)
        assert.isFalse(output.complete)
        assert.deepStrictEqual(
          output.problems,
          [
            "/srv/project/logs/a.log was not taken: it was not sent",
            "captures/processes.txt was not taken: it is in no tar: it was not packed, or is no longer what was captured",
            "captures/sockets.txt was not taken: it is in no tar: it was not packed, or is no longer what was captured",
          ].toSorted(),
        )
      }),
  )

  it.effect("speak of another rung's objects not at all", () =>
    Effect.gen(function* () {
      const { folder, root } = yield* Made.opened(yield* Place.temporary)
      yield* Made.pushed(folder, [{ path: "logs/a.log", content: "a" }], { rung: "bucket" })
      const output = yield* Made.manifest(root)
      assert.strictEqual(output.evidence.items, 0)
      assert.deepStrictEqual(output.problems, ["/srv/project/logs/a.log was not taken: it was not sent"])
    }),
  )

  it.effect("report a destination that does not take them, and keep the copies", () =>
    Effect.gen(function* () {
      const { disk, folder, root } = yield* Made.evacuated()
      yield* Made.write(join(disk, "incidents", Place.incident.id, "evidence/key.pem"), "another")
      const output = yield* Made.manifest(root)
      assert.isFalse(output.complete)
      assert.match(output.problems[0] ?? "", /key\.pem there: other bytes are there/)
      assert.deepStrictEqual(yield* names(join(folder.path, "bundles/evidence")), own)
    }),
  )

  it.effect("name the redactions and the unstable files, and count these", () =>
    Effect.gen(function* () {
      const { disk, folder, root } = yield* Made.opened(yield* Place.temporary)
      const original = { bytes: 9, sha256: Sha256.of("the token") }
      const redactions = [{ rule: "token", count: 1 }]
      const more = { unstable: true, original, redactions }
      yield* Made.pushed(folder, [{ path: "logs/a.log", content: "a" }], more)
      yield* Made.manifest(root)
      const bundle = join(disk, "incidents", Place.incident.id, "evidence")
      const { coverage, items } = yield* manifestAt(join(bundle, "manifest.json"))
      assert.deepInclude(items[0], more)
      assert.strictEqual(coverage.unstable, 1)
    }),
  )
})
