import * as Fs from "node:fs/promises"
import { join } from "node:path"
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as CanonicalJson from "../../src/domain/canonical-json.ts"
import * as Sha256 from "../../src/domain/sha256.ts"
import { ObjectStore } from "../../src/services/object-store.ts"
import * as ObjectStoreDirectory from "../../src/services/object-store-directory.ts"
import * as SnapshotManifest from "../../src/services/snapshot-manifest.ts"
import * as SnapshotTake from "../../src/services/snapshot-take.ts"
import { dandori, ndjson, project } from "./evidence-project.ts"

const record = "run/snapshot"
const id = SnapshotManifest.idOf(Date.UTC(2025, 4, 5, 3, 14), record)

/** A place with a snapshot of a small tree. */
const withSnapshot = Effect.gen(function* () {
  const folder = yield* project
  const tree = join(folder, "a tree")
  const location = join(folder, "my backups")
  const scratch = join(folder, "scratch")
  yield* Effect.promise(async () => {
    await Fs.mkdir(join(tree, "deep/empty"), { recursive: true })
    await Fs.mkdir(scratch)
    await Fs.writeFile(join(tree, "one.txt"), "one\n", { mode: 0o640 })
    await Fs.writeFile(join(tree, "deep/two.bin"), new Uint8Array(3000))
    await Fs.symlink("one.txt", join(tree, "link"))
  })
  yield* Effect.gen(function* () {
    const store = yield* (yield* ObjectStore).open(location)
    const source = { kind: "tree", name: "a-tree", source: "a tree", path: tree } as const
    const { target } = yield* SnapshotTake.take(store, id, source, scratch, () => Effect.void)
    const manifest: SnapshotManifest.Manifest = {
      format: "dandori-snapshot/1",
      snapshot: id,
      created: "2025-05-05T03:14:00.000Z",
      record,
      head: { entries: 0, hash: Sha256.of("head") },
      targets: [target],
      objects: target.files.length,
      bytes: target.files.reduce((sum, file) => sum + file.bytes, 0),
      digest: SnapshotManifest.digestOf([target]),
    }
    yield* store.put(SnapshotManifest.manifestKey(id), new TextEncoder().encode(`${CanonicalJson.encode(manifest)}\n`))
  }).pipe(Effect.provide(ObjectStoreDirectory.layer))
  return { folder, location }
})
const objectOf = (location: string, bytes: string | Uint8Array) =>
  join(location, SnapshotManifest.objectKey(id, Sha256.of(bytes)))
const replace = (path: string, bytes: string) =>
  Effect.promise(async () => {
    await Fs.chmod(path, 0o644)
    await Fs.writeFile(path, bytes)
  })

/** The output of a run of one task, from the events that it printed. */
const outputIn = (out: string): Record<string, any> =>
  ndjson(out).flatMap(({ data, type }): ReadonlyArray<any> =>
    String(type).includes("attempt.succeeded") ? [(data as { readonly output: unknown }).output] : [],
  )[0]

describe("dandori snapshot create", () => {
  it.live("takes what there is, or what is named, whatever its name, by a run that the ledger testifies to", () =>
    Effect.gen(function* () {
      const folder = yield* project
      const tree = "what ${{ run.id }} says"
      yield* Effect.promise(async () => {
        await Fs.mkdir(join(folder, tree))
        await Fs.writeFile(join(folder, tree, "one.txt"), "one\n")
      })
      const named = yield* dandori(folder, "snapshot", "create", "--tree", tree, "--destination", "my copies", "--json")
      assert.strictEqual(named.code, 0, named.err)
      const taken = outputIn(named.out)
      assert.deepInclude(taken.targets[0], { kind: "tree", source: tree, objects: 1 })
      assert.strictEqual(taken.verification.mode, "full-restore")
      const listed = yield* dandori(folder, "snapshot", "list", "my copies", "--quiet")
      assert.strictEqual(listed.out.trim(), taken.snapshot)

      const all = yield* dandori(folder, "snapshot", "create", "--destination", "all", "--verify", "digest", "--json")
      assert.strictEqual(all.code, 0, all.err)
      const { left, targets } = outputIn(all.out)
      assert.deepStrictEqual(
        targets.map(({ kind }: { readonly kind: string }) => kind),
        ["registry", "ledger"],
      )
      assert.include(JSON.stringify(left), "database.backend is embedded")

      const missing = yield* dandori(folder, "snapshot", "create", "--target", "redis")
      assert.strictEqual(missing.code, 1)
      assert.include(missing.out, "messaging.backend is embedded")
    }).pipe(Effect.scoped),
  )
})

describe("dandori snapshot list", () => {
  it.live("lists the snapshots of a place, and those that were never finished as such", () =>
    Effect.gen(function* () {
      const { folder, location } = yield* withSnapshot
      yield* Effect.promise(() => Fs.mkdir(join(location, "unfinished_one/objects/ab"), { recursive: true }))
      yield* Effect.promise(() => Fs.writeFile(join(location, "unfinished_one/objects/ab/cd"), "x"))
      const { code, out } = yield* dandori(folder, "snapshot", "list", "my backups")
      assert.strictEqual(code, 0)
      assert.match(out, new RegExp(`^${id} +2025-05-05T03:14:00.000Z +2 files +2.9 KiB +a-tree$`, "m"))
      assert.match(out, /^unfinished_one +UNFINISHED +it has no manifest/m)
      const json = yield* dandori("/", "snapshot", "list", location, "--json")
      const [complete, unfinished] = ndjson(json.out)
      assert.deepInclude(complete, { v: 1, kind: "snapshot", snapshot: id, state: "complete", objects: 2 })
      assert.deepInclude(unfinished, { snapshot: "unfinished_one", state: "unfinished" })
    }).pipe(Effect.scoped),
  )

  it.live("exits with 66 for a place that is not there", () =>
    Effect.gen(function* () {
      const folder = yield* project
      const { code, err } = yield* dandori(folder, "snapshot", "list", "nowhere")
      assert.strictEqual(code, 66)
      assert.include(err, "There is no folder")
    }).pipe(Effect.scoped),
  )
})

describe("dandori snapshot verify", () => {
  it.live("proves a snapshot in each mode and leaves nothing in the scratch folder", () =>
    Effect.gen(function* () {
      const { folder, location } = yield* withSnapshot
      for (const mode of ["digest", "sample-restore", "full-restore"]) {
        const args = [
          "snapshot",
          "verify",
          location,
          id,
          "--mode",
          mode,
          "--scratch",
          join(folder, "scratch"),
          "--json",
        ]
        const { code, out } = yield* dandori("/", ...args)
        assert.strictEqual(code, 0, out)
        const [proof] = ndjson(out)
        assert.deepInclude(proof, {
          v: 1,
          kind: "snapshot-verify",
          proven: true,
          mode,
          objects: 2,
          of: 2,
          bytes: 3004,
        })
        assert.strictEqual("restoreMillis" in proof, mode !== "digest")
      }
      assert.deepStrictEqual(yield* Effect.promise(() => Fs.readdir(join(folder, "scratch"))), [])
    }).pipe(Effect.scoped),
  )

  it.live("names an altered and a missing object each and exits with 10", () =>
    Effect.gen(function* () {
      const { folder, location } = yield* withSnapshot
      yield* replace(objectOf(location, "one\n"), "two\n")
      yield* Effect.promise(() => Fs.rm(objectOf(location, new Uint8Array(3000))))
      const { code, out } = yield* dandori(folder, "snapshot", "verify", location, id)
      assert.strictEqual(code, 10)
      assert.match(out, /^DAMAGED/)
      assert.include(out, "the object of a-tree/one.txt has the digest")
      assert.include(out, "the object of a-tree/deep/two.bin is missing")
    }).pipe(Effect.scoped),
  )

  it.live("suggests the id that was meant", () =>
    Effect.gen(function* () {
      const { location } = yield* withSnapshot
      const { code, err } = yield* dandori("/", "snapshot", "verify", location, `${id}x`)
      assert.strictEqual(code, 66)
      assert.include(err, id)
    }).pipe(Effect.scoped),
  )
})

describe("dandori snapshot restore", () => {
  it.live("brings a snapshot back into a new folder, equal, and says how much and how long", () =>
    Effect.gen(function* () {
      const { folder, location } = yield* withSnapshot
      const { code, out, err } = yield* dandori(folder, "snapshot", "restore", location, id, "brought back")
      assert.strictEqual(code, 0, err)
      assert.match(
        out,
        /^restored and equal .*brought back {2}2 files, 2.9 KiB, in \d+\.\d\d s\ndigest {2}[0-9a-f]{64}\n$/,
      )
      const into = join(folder, "brought back/a-tree")
      assert.strictEqual(yield* Effect.promise(() => Fs.readFile(join(into, "one.txt"), "utf8")), "one\n")
      assert.strictEqual((yield* Effect.promise(() => Fs.stat(join(into, "one.txt")))).mode & 0o777, 0o640)
      assert.strictEqual(yield* Effect.promise(() => Fs.readlink(join(into, "link"))), "one.txt")
      assert.isTrue((yield* Effect.promise(() => Fs.stat(join(into, "deep/empty")))).isDirectory())
    }).pipe(Effect.scoped),
  )

  it.live("refuses a folder that is not empty and leaves it as it was", () =>
    Effect.gen(function* () {
      const { folder, location } = yield* withSnapshot
      const { code, err } = yield* dandori(folder, "snapshot", "restore", location, id, "a tree")
      assert.strictEqual(code, 73)
      assert.include(err, "is not empty; restore into an empty or a new folder")
      assert.deepStrictEqual((yield* Effect.promise(() => Fs.readdir(join(folder, "a tree")))).toSorted(), [
        "deep",
        "link",
        "one.txt",
      ])
    }).pipe(Effect.scoped),
  )

  it.live("exits with 10 when a restored file is not what the manifest says", () =>
    Effect.gen(function* () {
      const { folder, location } = yield* withSnapshot
      yield* replace(objectOf(location, "one\n"), "two\n")
      const { code, out } = yield* dandori(folder, "snapshot", "restore", location, id, "back", "--json")
      assert.strictEqual(code, 10)
      const [said] = ndjson(out)
      assert.strictEqual(said.proven, false)
      assert.match(String((said.problems as ReadonlyArray<string>)[0]), /one\.txt has the digest/)
    }).pipe(Effect.scoped),
  )
})
