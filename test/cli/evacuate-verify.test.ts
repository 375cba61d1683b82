import * as Fs from "node:fs/promises"
import { join } from "node:path"
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Place from "../services/evacuation/incident/incident-place.ts"
import * as Made from "../services/evacuation/bundle/made-bundle.ts"
import { dandori, ndjson } from "./evidence-project.ts"

const verify = (where: string, ...more: ReadonlyArray<string>) => dandori("/", "evacuate", "verify", where, ...more)
const bytesOf = (path: string) => Effect.promise(() => Fs.readFile(path))
/** Changes a file, whatever its mode. */
const change = (path: string, to: string | Uint8Array) =>
  Effect.promise(async () => {
    await Fs.rm(path, { force: true })
    await Fs.writeFile(path, to)
  })
const flip = Effect.fnUntraced(function* (path: string, at: number) {
  const bytes = yield* bytesOf(path)
  bytes[at] ^= 1
  yield* change(path, bytes)
})
const remove = (path: string) => Effect.promise(() => Fs.rm(path))
const newKey = (root: string, name: string) =>
  Place.run(
    root,
    "bash",
    "-c",
    `openssl genpkey -algorithm ed25519 -out ${name}.key && openssl pkey -in ${name}.key -pubout -out ${name}.pub`,
  )
const sign = (root: string, key: string, path: string) =>
  Place.run(root, "openssl", "pkeyutl", "-sign", "-inkey", `${key}.key`, "-rawin", "-in", path, "-out", `${path}.sig`)

/** What of a bundle is changed, and what then is found. */
const changes: ReadonlyArray<{
  readonly what: string
  readonly change: (bundle: string, root: string) => Effect.Effect<unknown>
  readonly code: number
  readonly kind: string
  readonly path: string
}> = [
  {
    what: "a byte of a file",
    change: (at) => flip(join(at, "logs/train.log"), 3),
    code: 10,
    kind: "altered",
    path: "logs/train.log",
  },
  {
    what: "a byte of a capture in the tar",
    change: (at) => flip(join(at, "evidence.tar"), 515),
    code: 10,
    kind: "altered",
    path: "captures/memory.txt",
  },
  {
    what: "a byte of the tar's padding",
    change: (at) => flip(join(at, "evidence.tar"), 600),
    code: 10,
    kind: "altered",
    path: "evidence.tar",
  },
  {
    what: "the end of a file",
    change: (at) => change(join(at, "logs/train.log"), "epoch 1\n"),
    code: 10,
    kind: "altered",
    path: "logs/train.log",
  },
  {
    what: "a file, which is gone",
    change: (at) => remove(join(at, "logs/train.log")),
    code: 13,
    kind: "missing",
    path: "logs/train.log",
  },
  {
    what: "the tar, which is gone",
    change: (at) => remove(join(at, "evidence.tar")),
    code: 13,
    kind: "missing",
    path: "captures/memory.txt",
  },
  {
    what: "the manifest, which is gone",
    change: (at) => remove(join(at, "manifest.json")),
    code: 13,
    kind: "missing",
    path: "manifest.json",
  },
  {
    what: "the signature, which is gone",
    change: (at) => remove(join(at, "SHA256SUMS.sig")),
    code: 13,
    kind: "missing",
    path: "SHA256SUMS.sig",
  },
  {
    what: "a file more",
    change: (at) => Made.write(join(at, "logs/more.log"), "x"),
    code: 10,
    kind: "extra",
    path: "logs/more.log",
  },
  {
    what: "a link in the place of a file",
    change: (at) =>
      Effect.promise(async () => {
        await Fs.rm(join(at, "logs/train.log"))
        await Fs.symlink("/etc/passwd", join(at, "logs/train.log"))
      }),
    code: 10,
    kind: "altered",
    path: "logs/train.log",
  },
  {
    what: "the manifest's word for a time",
    change: (at) =>
      Effect.flatMap(bytesOf(join(at, "manifest.json")), (bytes) =>
        change(join(at, "manifest.json"), bytes.toString().replace(`"mtime":${Place.opened - 60_000}`, `"mtime":5`)),
      ),
    code: 10,
    kind: "altered",
    path: "manifest.json",
  },
  {
    what: "a digest in SHA256SUMS",
    change: (at) => flip(join(at, "SHA256SUMS"), 0),
    code: 10,
    kind: "altered",
    path: "SHA256SUMS",
  },
  { what: "the README", change: (at) => flip(join(at, "README.md"), 5), code: 10, kind: "altered", path: "README.md" },
  {
    what: "the signature, by that of the manifest",
    change: (at) =>
      Effect.flatMap(bytesOf(join(at, "manifest.json.sig")), (bytes) => change(join(at, "SHA256SUMS.sig"), bytes)),
    code: 12,
    kind: "signature",
    path: "SHA256SUMS.sig",
  },
  {
    what: "the key, by another",
    change: (at, root) =>
      Effect.andThen(
        newKey(root, "other"),
        Effect.flatMap(bytesOf(join(root, "other.pub")), (bytes) => change(join(at, "key.pem"), bytes)),
      ),
    code: 12,
    kind: "signature",
    path: "SHA256SUMS.sig",
  },
]

describe("dandori evacuate verify", () => {
  it.live("reads a whole bundle anywhere, without a project, and says that its key is not pinned", () =>
    Effect.gen(function* () {
      const { bundle, output } = yield* Made.evacuated()
      const said = yield* verify(bundle)
      assert.strictEqual(said.code, 0, said.out + said.err)
      assert.match(said.out, /^whole {2}evidence of IR-20261127T031400Z .* 6 files, /)
      assert.include(said.out, `root      ${output.evidence.root}\n`)
      assert.match(said.out, new RegExp(`key +${output.keyid}, UNPINNED: `))
      assert.include(said.out, "4 of 4 taken, 0 not taken")
    }).pipe(Effect.scoped),
  )

  it.live("agrees where the tar was unpacked, and finds a capture that was altered there", () =>
    Effect.gen(function* () {
      const { bundle } = yield* Made.evacuated()
      yield* Place.run(bundle, "tar", "-xf", "evidence.tar")
      assert.strictEqual((yield* verify(bundle)).code, 0)
      yield* change(join(bundle, "captures/memory.txt"), "MemTotal: 99 GB\n")
      const { code, out } = yield* verify(bundle, "--json")
      assert.strictEqual(code, 10)
      const [report = {}] = ndjson(out)
      assert.deepInclude(report, { v: 1, kind: "evacuate-verify", verdict: "altered", keySource: "the bundle itself" })
      const [found] = report.bundles as ReadonlyArray<Record<string, unknown>>
      assert.deepInclude(found, { incident: Place.incident.id, bundle: "evidence", pinned: false })
      assert.deepInclude(((found?.problems ?? []) as ReadonlyArray<object>)[0], {
        kind: "altered",
        path: "captures/memory.txt",
      })
    }).pipe(Effect.scoped),
  )

  for (const { change: alter, code, kind, path, what } of changes) {
    it.live(`ends with ${code} for ${what}`, () =>
      Effect.gen(function* () {
        const { bundle, root } = yield* Made.evacuated()
        yield* alter(bundle, root)
        const { code: ended, err, out } = yield* verify(bundle)
        assert.strictEqual(ended, code, out + err)
        assert.match(out, new RegExp(`^  ${kind} +${path.replaceAll(".", "\\.")} `, "m"))
      }).pipe(Effect.scoped),
    )
  }

  it.live("finds a bundle that somebody signed anew by a key that was kept elsewhere", () =>
    Effect.gen(function* () {
      const { bundle, root } = yield* Made.evacuated()
      const kept = join(root, "kept.pub")
      yield* Effect.promise(() => Fs.copyFile(join(bundle, "key.pem"), kept))
      const before = yield* verify(bundle, "--key", kept)
      assert.strictEqual(before.code, 0, before.out)
      assert.include(before.out, "pinned by --key")
      yield* newKey(root, "other")
      for (const name of ["SHA256SUMS", "manifest.json"]) yield* sign(root, join(root, "other"), join(bundle, name))
      yield* Effect.promise(() => Fs.copyFile(join(root, "other.pub"), join(bundle, "key.pem")))
      assert.strictEqual((yield* verify(bundle)).code, 0)
      const after = yield* verify(bundle, "--key", kept)
      assert.strictEqual(after.code, 12, after.out)
      assert.match(
        after.out,
        /^WRONG SIGNATURE .*\n +signature +SHA256SUMS\.sig +the bundle is signed by the key [0-9a-f]{64}, which is none that you trust/,
      )
    }).pipe(Effect.scoped),
  )

  it.live("takes the keys that the project at the working folder trusts", () =>
    Effect.gen(function* () {
      const { bundle, root } = yield* Made.evacuated()
      const pem = (yield* bytesOf(join(bundle, "key.pem"))).toString()
      const trust = (text: string) =>
        Made.write(join(root, "project/configs/base/trust.yaml"), `keys: ${JSON.stringify([{ pem: text }])}\n`)
      yield* trust(pem)
      const known = yield* dandori(join(root, "project"), "evacuate", "verify", bundle)
      assert.strictEqual(known.code, 0, known.out + known.err)
      assert.include(known.out, "pinned by configs/base/trust.yaml")
      yield* newKey(root, "other")
      yield* trust((yield* bytesOf(join(root, "other.pub"))).toString())
      assert.strictEqual((yield* dandori(join(root, "project"), "evacuate", "verify", bundle)).code, 12)
    }).pipe(Effect.scoped),
  )

  it.live("ends with 14 for a bundle that says itself what is missing", () =>
    Effect.gen(function* () {
      const { bundle } = yield* Made.evacuated({ failed: "kernel-log" })
      const said = yield* verify(bundle)
      assert.strictEqual(said.code, 14, said.out)
      assert.match(said.out, /^whole, but NOT COMPLETE .*\n[^]*4 of 4 taken, 0 not taken, 1 collector failed/)
    }).pipe(Effect.scoped),
  )

  it.live("goes by the manifest that completed a bundle, where it lies beside that of an earlier call", () =>
    Effect.gen(function* () {
      const { bundle, folder, root } = yield* Made.evacuated({ failed: "kernel-log" })
      yield* Place.capture(folder, "kernel-log", "now it answers\n")
      yield* Made.pushTars(folder)
      assert.strictEqual((yield* verify(bundle)).code, 10)
      assert.isTrue((yield* Made.manifest(root)).complete)
      const said = yield* verify(bundle)
      assert.strictEqual(said.code, 0, said.out)
      assert.include(said.out, "5 of 5 taken")
    }).pipe(Effect.scoped),
  )

  it.live(
    "reads both bundles of an incident at a destination, and those of an incident's folder where they were put",
    () =>
      Effect.gen(function* () {
        const { disk, folder, snapshot } = yield* Made.evacuated()
        for (const words of [[disk, "--incident", Place.incident.id], [folder.path]] as const) {
          const [where, ...more] = words
          const said = yield* verify(where, ...more)
          assert.strictEqual(said.code, 0, said.out + said.err)
          assert.strictEqual(said.out.match(/^whole /gm)?.length, 2)
        }
        yield* flip(join(snapshot, "models/model_a.joblib"), 0)
        assert.strictEqual((yield* verify(disk, "--incident", Place.incident.id)).code, 10)
        assert.strictEqual((yield* verify(folder.path)).code, 10)
      }).pipe(Effect.scoped),
  )

  it.live("finds a bundle that was swapped for another by the incident's folder", () =>
    Effect.gen(function* () {
      const { bundle, folder } = yield* Made.evacuated()
      const other = yield* Made.evacuated({ files: [{ path: "logs/train.log", content: "another" }] })
      yield* Effect.promise(async () => {
        await Bun.$`chmod -R u+w ${bundle}`.quiet()
        await Fs.rm(bundle, { recursive: true })
        await Fs.cp(other.bundle, bundle, { recursive: true })
      })
      assert.strictEqual((yield* verify(bundle)).code, 0)
      const said = yield* verify(folder.path)
      assert.strictEqual(said.code, 10, said.out)
      assert.match(said.out, /altered +SHA256SUMS +its SHA-256 is [0-9a-f]{64}, but the incident's folder has/)
    }).pipe(Effect.scoped),
  )

  it.live("says what to name where there is no bundle", () =>
    Effect.gen(function* () {
      const root = yield* Place.temporary
      const said = yield* verify(root)
      assert.strictEqual(said.code, 66)
      assert.include(said.err, "There is no bundle in")
      assert.strictEqual((yield* verify(root, "--incident", "IR-1")).code, 66)
      assert.strictEqual((yield* verify(join(root, "none"))).code, 66)
      assert.strictEqual((yield* verify(root, "--key", join(root, "none.pem"))).code, 66)
    }).pipe(Effect.scoped),
  )
})
