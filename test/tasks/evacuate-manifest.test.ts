import * as Fs from "node:fs/promises"
import { join } from "node:path"
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as TestClock from "effect/testing/TestClock"
import * as Bundle from "../../src/services/evacuation/bundle/bundle.ts"
import * as BundleKey from "../../src/services/evacuation/bundle/bundle-key.ts"
import { DestinationFailed } from "../../src/services/evacuation/destination/destination.ts"
import { addLines } from "../../src/services/evacuation/incident/incidents.ts"
import manifest from "../../tasks/evacuate/manifest/index.ts"
import { putAll } from "../../tasks/evacuate/manifest/run.ts"
import * as Place from "../services/evacuation/incident/incident-place.ts"
import * as Made from "../services/evacuation/bundle/made-bundle.ts"

const input = { incident: Place.incident.id }
const bytesOf = (path: string) => Effect.promise(() => Fs.readFile(path))

describe("evacuate/manifest", () => {
  it.effect("knows no incident that was not opened", () =>
    Effect.gen(function* () {
      const root = yield* Place.temporary
      const error = yield* Effect.flip(manifest.run(input)).pipe(Effect.provide(Made.services(root)))
      assert.strictEqual(error._tag, "IncidentMissing")
    }),
  )

  it.effect("says in a dry run what it would do, and does nothing", () =>
    Effect.gen(function* () {
      const { folder, root } = yield* Made.opened(yield* Place.temporary)
      const all = Effect.promise(async () => (await Fs.readdir(root, { recursive: true })).toSorted())
      const before = yield* all
      const said = yield* manifest.dryRun?.(input).pipe(Effect.provide(Made.services(root))) ?? Effect.die("no dry run")
      assert.include(said, folder.path)
      assert.deepStrictEqual(yield* all, before)
    }),
  )

  it.effect("names few of many problems, in few words", () =>
    Effect.gen(function* () {
      const { folder, root } = yield* Made.opened(yield* Place.temporary)
      const lines = Array.from({ length: 500 }, (_, at) => ({
        collector: "logs",
        source: `/srv/${at}/${"deep/".repeat(800)}`,
        reason: "it is a socket",
      }))
      yield* addLines(folder.path, "not-taken.ndjson", lines)
      const output = yield* Made.manifest(root)
      assert.lengthOf(output.problems, 20)
      assert.isBelow(JSON.stringify(output).length, 10_000)
    }),
  )

  it.effect("waits for a destination that does not answer until the deadline, and reports it", () =>
    Effect.gen(function* () {
      const { folder, root } = yield* Made.opened(yield* Place.temporary)
      const bundles = yield* Bundle.make(folder, undefined).pipe(Effect.provide(Made.services(root)))
      const destination = { location: "s3://far", pieceBytes: 1, put: () => Effect.never }
      for (const [deadline, waits] of [
        [5_000, 5_000],
        [-60_000, 1_000],
      ]) {
        yield* TestClock.setTime(Place.opened)
        const call = { began: Place.opened, deadline: Place.opened + deadline }
        const fiber = yield* Effect.forkChild(putAll({ ...folder, call }, destination, bundles), {
          startImmediately: true,
        })
        yield* TestClock.adjust(waits - 1)
        assert.isUndefined(fiber.pollUnsafe())
        yield* TestClock.adjust(1)
        assert.deepStrictEqual(yield* Fiber.join(fiber), ["s3://far did not take the manifests before the deadline"])
      }
    }),
  )

  it.effect("goes on with the other bundle where one is not taken", () =>
    Effect.gen(function* () {
      const { folder, root } = yield* Made.evacuated()
      const bundles = yield* Bundle.make(folder, { name: "given", location: "s3://far" }).pipe(
        Effect.provide(Made.services(root)),
      )
      const taken: Array<string> = []
      const put = ({ key }: { readonly key: string }) => {
        if (key.endsWith("evidence/SHA256SUMS")) {
          return Effect.fail(
            new DestinationFailed({
              location: "s3://far",
              operation: "store",
              key,
              reason: "403",
              transient: false,
              refused: false,
            }),
          )
        }
        taken.push(key)
        return Effect.succeed({ key, bytes: 0, sha256: bundles[0].manifest.root, sent: 0, end: { changed: false } })
      }
      const problems = yield* putAll(folder, { location: "s3://far", pieceBytes: 1, put }, bundles)
      assert.lengthOf(problems, 1)
      assert.include(problems[0], "evidence/SHA256SUMS there: 403")
      assert.notInclude(taken.join("\n"), "evidence/manifest.json")
      assert.include(taken.join("\n"), "snapshots/20261127T031400Z/manifest.json")
    }),
  )

  it.effect("signs by one key wherever an incident goes on, also where the project gets another meanwhile", () =>
    Effect.gen(function* () {
      const root = yield* Place.temporary
      const folder = yield* Place.openAt(root)
      yield* BundleKey.keep(folder).pipe(Effect.provide(Place.layerAt(root)))
      const first = yield* BundleKey.ofBundles(folder).pipe(Effect.provide(Place.layerAt(root)))
      assert.strictEqual(first.signedBy.key, "incident")
      const elsewhere = join(yield* Place.temporary, "carried")
      yield* Effect.promise(() => Fs.cp(folder.path, elsewhere, { recursive: true }))
      yield* Effect.promise(() => Fs.rm(folder.path, { recursive: true }))
      yield* Effect.promise(() => Fs.mkdir(join(root, "home/keys"), { recursive: true }))
      yield* Place.run(root, "openssl", "genpkey", "-algorithm", "ed25519", "-out", join(root, "home/keys/ledger.key"))
      const second = yield* BundleKey.ofBundles({ ...folder, path: elsewhere }).pipe(
        Effect.provide(Place.layerAt(root)),
      )
      assert.strictEqual(second.pem, first.pem)
      const bytes = new TextEncoder().encode("what is signed")
      assert.deepStrictEqual(yield* second.sign(bytes), yield* first.sign(bytes))
      assert.isTrue(yield* BundleKey.holds(first.pem, bytes, yield* second.sign(bytes)))
      assert.isFalse(yield* BundleKey.holds(first.pem, bytes.subarray(1), yield* second.sign(bytes)))
      assert.strictEqual(yield* BundleKey.keyidOf(second.pem), first.signedBy.keyid)
    }),
  )

  it.effect("still puts a signed bundle where the incident's folder takes neither a key nor copies", () =>
    Effect.gen(function* () {
      const { disk, folder, root } = yield* Made.opened(yield* Place.temporary)
      yield* Made.write(join(folder.path, "keys"), "a file in the way")
      yield* Made.write(join(folder.path, "bundles/evidence"), "a file in the way")
      const output = yield* Made.manifest(root)
      assert.isTrue(output.complete)
      assert.match(output.problems[0] ?? "", /^no copy is in the incident's folder: /)
      const at = join(disk, "incidents", Place.incident.id, "evidence")
      assert.include((yield* bytesOf(join(at, "README.md"))).toString(), "its private half was not kept")
      const said = yield* Place.byHand(yield* Place.temporary, (yield* bytesOf(join(at, "README.md"))).toString())
      assert.strictEqual(said.code, 0, said.err)
    }),
  )

  it.effect("takes a key that cannot be read for none", () =>
    Effect.gen(function* () {
      const { folder, root } = yield* Made.opened(yield* Place.temporary)
      yield* Made.write(join(root, "home/keys/ledger.key"), "no key")
      yield* Place.run(root, "openssl", "genpkey", "-algorithm", "X25519", "-out", join(root, "other.key"))
      const first = yield* BundleKey.ofBundles(folder).pipe(Effect.provide(Place.layerAt(root)))
      assert.strictEqual(first.signedBy.key, "incident")
      yield* Effect.promise(() => Fs.copyFile(join(root, "other.key"), join(root, "home/keys/ledger.key")))
      const second = yield* BundleKey.ofBundles(folder).pipe(Effect.provide(Place.layerAt(root)))
      assert.deepStrictEqual(second.signedBy, first.signedBy)
    }),
  )
})
