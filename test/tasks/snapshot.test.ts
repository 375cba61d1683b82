import * as Fs from "node:fs/promises"
import { join } from "node:path"
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import * as Schema from "effect/Schema"
import * as Sha256 from "../../src/domain/sha256.ts"
import { ObjectStore, ObjectStoreError, type Store } from "../../src/services/object-store.ts"
import * as ObjectStoreDirectory from "../../src/services/object-store-directory.ts"
import * as SnapshotRestore from "../../src/services/snapshot-restore.ts"
import snapshot from "../../tasks/snapshot/index.ts"
import { Input } from "../../tasks/snapshot/schema.ts"
import * as Workplace from "./workplace.ts"

/** A directory store with some operations changed. */
const changed = (change: (store: Store) => Partial<Store>) =>
  Layer.effect(
    ObjectStore,
    Effect.map(ObjectStore, (real) => ({
      open: (location: string) => Effect.map(real.open(location), (store) => ({ ...store, ...change(store) })),
    })),
  ).pipe(Layer.provide(ObjectStoreDirectory.layer))

const write = (root: string, path: string, text: string, mode = 0o644) =>
  Effect.promise(async () => {
    await Fs.mkdir(join(root, path, ".."), { recursive: true })
    await Fs.writeFile(join(root, path), text)
    await Fs.chmod(join(root, path), mode)
  })
const text = (path: string) => Effect.promise(() => Fs.readFile(path, "utf8"))

const filled = Effect.gen(function* () {
  const root = yield* Workplace.project
  yield* write(root, ".dandori/models/m1/model_ai1.json", "weights", 0o444)
  yield* write(root, ".dandori/models/m1/theta.yaml", "theta: 0.7")
  yield* write(root, ".dandori/models/m2/theta.yaml", "theta: 0.7")
  yield* write(root, ".dandori/ledger/root.ndjson", '{"a":1}\n{"a":2}\n')
  yield* write(root, ".dandori/ledger/runs/2025/01/r.ndjson", '{"b":1}\n{"half')
  yield* write(root, "data/canonical.parquet", "x".repeat(100_000))
  yield* write(root, "data/tool.sh", "#!/bin/sh\n", 0o755)
  yield* Effect.promise(async () => {
    await Fs.mkdir(join(root, "data", "empty"))
    await Fs.symlink("/etc/hostname", join(root, "data", "link"))
  })
  return root
})

const everything: Input = {
  targets: [{ kind: "tree", path: "data" }, { kind: "models" }, { kind: "ledger" }],
  verify: "full-restore",
}
const run = (root: string, input: Input, stores: Layer.Layer<ObjectStore> = ObjectStoreDirectory.layer) =>
  snapshot.run(input).pipe(Effect.provide(Layer.merge(Workplace.attempt(root), stores)))
const probe = (root: string, input: Input) =>
  (snapshot.probe?.(input) ?? Effect.succeedNone).pipe(
    Effect.provide(Layer.merge(Workplace.attempt(root), ObjectStoreDirectory.layer)),
  )
const restored = (location: string, id: string, into: string) =>
  SnapshotRestore.restore(location, id, into).pipe(Effect.provide(ObjectStoreDirectory.layer))

describe("snapshot", () => {
  it.effect("copies every target and proves the copy by restoring all of it", () =>
    Effect.gen(function* () {
      const root = yield* filled
      const output = yield* run(root, everything)
      assert.strictEqual(
        output.snapshot,
        `20250102T030405Z_${Sha256.of("0190a000-0000-7000-8000-000000000001/work").slice(0, 12)}`,
      )
      assert.strictEqual(output.objects, 7)
      assert.deepStrictEqual(output.head, { entries: 7, hash: Sha256.of("head") })
      assert.deepInclude(output.verification, { mode: "full-restore", objects: 7, of: 7 })
      assert.deepStrictEqual(
        output.targets.map(({ name, objects, links }) => ({ name, objects, links })),
        [
          { name: "tree-data", objects: 2, links: 1 },
          { name: "models", objects: 3, links: 0 },
          { name: "ledger", objects: 2, links: 0 },
        ],
      )
      const manifest = yield* text(join(root, ".dandori/backups", output.snapshot, "manifest.json"))
      assert.strictEqual(Sha256.of(manifest), output.manifest.sha256)
      assert.deepStrictEqual(yield* Effect.promise(() => Fs.readdir(join(root, ".dandori/scratch/work"))), [])
    }),
  )

  it.effect("is brought back into an empty place, equal by digest, mode, time and link", () =>
    Effect.gen(function* () {
      const root = yield* filled
      const output = yield* run(root, everything)
      const into = join(root, "restored")
      yield* restored(output.location, output.snapshot, into)
      assert.strictEqual(yield* text(join(into, "models/m1/model_ai1.json")), "weights")
      const [before, after] = yield* Effect.promise(() =>
        Promise.all([Fs.stat(join(root, "data/tool.sh")), Fs.stat(join(into, "tree-data/tool.sh"))]),
      )
      assert.strictEqual(after.mode & 0o777, 0o755)
      assert.strictEqual(Math.floor(after.mtimeMs), Math.floor(before.mtimeMs))
      assert.strictEqual(yield* Effect.promise(() => Fs.readlink(join(into, "tree-data/link"))), "/etc/hostname")
      assert.isTrue((yield* Effect.promise(() => Fs.stat(join(into, "tree-data/empty")))).isDirectory())

      const again = yield* Effect.flip(restored(output.location, output.snapshot, into))
      assert.strictEqual(again._tag, "RestoreRefused")
      assert.include(again.message, "not empty")
    }),
  )

  it.effect("takes whole lines only of a ledger that is being written", () =>
    Effect.gen(function* () {
      const root = yield* filled
      const output = yield* run(root, { targets: [{ kind: "ledger" }], verify: "digest" })
      const into = join(root, "restored")
      yield* restored(output.location, output.snapshot, into)
      assert.strictEqual(yield* text(join(into, "ledger/runs/2025/01/r.ndjson")), '{"b":1}\n')
      assert.strictEqual(yield* text(join(into, "ledger/root.ndjson")), '{"a":1}\n{"a":2}\n')
    }),
  )

  it.effect("after a crash has no result until the manifest is there, and does not send again what arrived", () =>
    Effect.gen(function* () {
      const root = yield* filled
      const crashes = changed((store) => ({
        put: (key) =>
          Effect.fail(
            new ObjectStoreError({ location: store.location, key, reason: "the machine died", transient: true }),
          ),
      }))
      assert.strictEqual((yield* Effect.flip(run(root, everything, crashes)))._tag, "ObjectStoreError")
      assert.isTrue(Option.isNone(yield* probe(root, everything)))

      const sent: Array<string> = []
      const counts = changed((store) => ({
        putFile: (key, path) => Effect.tap(store.putFile(key, path), () => Effect.sync(() => sent.push(key))),
      }))
      yield* write(root, "data/late.txt", "came later")
      const output = yield* run(root, everything, counts)
      assert.strictEqual(sent.length, 1)
      assert.strictEqual(output.objects, 8)
      const found = yield* probe(root, everything)
      assert.deepStrictEqual(
        Option.map(found, ({ manifest }) => manifest),
        Option.some(output.manifest),
      )
      assert.deepStrictEqual((yield* run(root, everything)).manifest, output.manifest)
    }),
  )

  it.effect("reads a file again that changed while it was read, and gives up on one that never rests", () =>
    Effect.gen(function* () {
      const root = yield* filled
      const path = join(root, "data/canonical.parquet")
      const growing = (times: number) => {
        let left = times
        return changed((store) => ({
          putFile: (key, from) =>
            Effect.promise(async () => {
              if (left-- > 0) await Fs.appendFile(path, "more")
            }).pipe(Effect.andThen(store.putFile(key, from))),
        }))
      }
      const input: Input = { targets: [{ kind: "tree", path: "data" }], verify: "digest" }
      const never = yield* Effect.flip(run(root, input, growing(1_000)))
      assert.strictEqual(never._tag, "SourceUnstable")
      assert.include(never.message, "stop what writes to it")

      const output = yield* run(root, input, growing(3))
      const into = join(root, "restored")
      yield* restored(output.location, output.snapshot, into)
      assert.strictEqual(yield* text(join(into, "tree-data/canonical.parquet")), yield* text(path))
    }),
  )

  it.effect("finds objects that were altered or lost, in every way of verifying, and names their files", () =>
    Effect.gen(function* () {
      const root = yield* filled
      const output = yield* run(root, { ...everything, verify: "digest" })
      const digest = Sha256.of("weights")
      const object = join(root, ".dandori/backups", output.snapshot, "objects", digest.slice(0, 2), digest.slice(2))
      const verify = (mode: Input["verify"]) =>
        SnapshotRestore.verifySnapshot(output.location, output.snapshot, mode, join(root, ".dandori/scratch")).pipe(
          Effect.flip,
          Effect.provide(ObjectStoreDirectory.layer),
        )
      yield* Effect.promise(async () => {
        await Fs.chmod(object, 0o644)
        await Fs.writeFile(object, "weightz")
      })
      for (const mode of ["digest", "sample-restore", "full-restore"] as const) {
        const damaged = yield* verify(mode)
        assert.strictEqual(damaged._tag, "SnapshotDamaged")
        assert.include(damaged.message, "models/m1/model_ai1.json")
      }
      const failed = yield* Effect.flip(probe(root, everything))
      assert.strictEqual(failed._tag, "SnapshotDamaged")
      yield* Effect.promise(() => Fs.rm(object))
      for (const mode of ["digest", "sample-restore", "full-restore"] as const) {
        assert.include((yield* verify(mode)).message, "model_ai1.json is missing")
      }
    }),
  )

  it.effect("does not restore from a manifest that was edited", () =>
    Effect.gen(function* () {
      const root = yield* filled
      const output = yield* run(root, { ...everything, verify: "sample-restore" })
      const path = join(root, ".dandori/backups", output.snapshot, "manifest.json")
      const manifest = yield* text(path)
      const edits = [manifest.replace("m1/theta.yaml", "../theta.yaml"), manifest.replace("tree-data", "../../tree")]
      yield* Effect.promise(() => Fs.chmod(path, 0o644))
      for (const edited of [...edits, manifest.replace('"path":"link"', '"path":"../link"'), "{}"]) {
        assert.notStrictEqual(edited, manifest)
        yield* Effect.promise(() => Fs.writeFile(path, edited))
        const refused = yield* Effect.flip(restored(output.location, output.snapshot, join(root, "restored")))
        assert.strictEqual(refused._tag, "SnapshotDamaged")
      }
      assert.notInclude(yield* Effect.promise(() => Fs.readdir(root)), "restored")
    }),
  )

  it.effect("refuses to hold itself, paths outside, and a target that is not there", () =>
    Effect.gen(function* () {
      const root = yield* filled
      const taking = (path: string, destination?: string) =>
        Effect.flip(
          run(root, { targets: [{ kind: "tree", path }], verify: "digest", ...(destination && { destination }) }),
        )
      assert.strictEqual((yield* taking(".dandori"))._tag, "DestinationInside")
      assert.strictEqual((yield* taking("data", "data/backup"))._tag, "DestinationInside")
      assert.strictEqual((yield* taking("../.."))._tag, "PathRefused")
      assert.strictEqual((yield* taking("data", "/etc"))._tag, "PathRefused")
      assert.strictEqual((yield* taking("nothing"))._tag, "FileFailed")
    }),
  )

  it.effect("holds no private key of the ledger, behind a link neither, and says what it left out", () =>
    Effect.gen(function* () {
      const root = yield* filled
      yield* write(root, "data/kept/ledger.key", "PRIVATE KEY")
      yield* Effect.promise(() => Fs.symlink("../data/kept", join(root, ".dandori/keys")))
      yield* write(root, ".dandori/keys-of-others.txt", "no key")
      const reason = "private keys are in no snapshot"
      const taking = (path: string) =>
        run(root, { targets: [{ kind: "tree", path }], verify: "full-restore", destination: "backups" })
      const data = yield* taking("data")
      assert.deepStrictEqual(data.targets[0]?.skipped, [{ path: "kept", reason }])
      yield* Effect.promise(() => Fs.rm(join(root, "backups"), { recursive: true, force: true }))

      yield* Effect.promise(() => Fs.rm(join(root, ".dandori/keys")))
      yield* write(root, ".dandori/keys/ledger.key", "PRIVATE KEY")
      const home = yield* taking(".dandori")
      assert.deepStrictEqual(home.targets[0]?.skipped, [{ path: "keys", reason }])
      const into = join(root, "restored")
      yield* restored(home.location, home.snapshot, into)
      const names = yield* Effect.promise(() => Fs.readdir(join(into, "tree-.dandori")))
      assert.notInclude(names, "keys")
      assert.include(names, "keys-of-others.txt")
      const objects = yield* Effect.promise(() => Fs.readdir(join(root, "backups"), { recursive: true }))
      assert.notInclude(objects.join("").replaceAll("/", ""), Sha256.of("PRIVATE KEY"))
    }),
  )

  it("wants to be told how to verify", () => {
    const decode = Schema.decodeUnknownOption(Input)
    assert.isTrue(Option.isNone(decode({ targets: [{ kind: "models" }] })))
    assert.isTrue(Option.isNone(decode({ targets: [], verify: "digest" })))
    assert.isTrue(Option.isNone(decode({ targets: [{ kind: "tree" }], verify: "digest" })))
    assert.isTrue(Option.isSome(decode({ targets: [{ kind: "models" }], verify: "digest" })))
  })

  it.effect("says in a dry run what it would copy and where to", () =>
    Effect.gen(function* () {
      const root = yield* filled
      const words = yield* (snapshot.dryRun?.(everything) ?? Effect.succeed("")).pipe(
        Effect.provide(Layer.merge(Workplace.attempt(root), ObjectStoreDirectory.layer)),
      )
      assert.match(words, /^would copy data, \.dandori\/models, \.dandori\/ledger to file:\/\/.* by full-restore$/)
      assert.notInclude(yield* Effect.promise(() => Fs.readdir(join(root, ".dandori"))), "backups")
    }),
  )
})
