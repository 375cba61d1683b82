import { existsSync } from "node:fs"
import * as Fs from "node:fs/promises"
import { dirname, join } from "node:path"
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Sha256 from "../../src/domain/sha256.ts"
import * as Push from "../../tasks/evacuate/push/run.ts"
import { run } from "../../tasks/evacuate/verify/run.ts"
import * as Place from "../support/evacuation-place.ts"
import { open } from "../support/plain-reading.ts"

const input = { incident: Place.incident }
const files = [
  { path: "models/a", bytes: "a".repeat(100) },
  { path: "models/b", bytes: "b".repeat(50) },
  { path: "logs/x", bytes: "log", to: "evidence", value: 40 },
] as const

/** A project whose files were pushed to a disk, and whose manifests are there. */
const pushed = (options: Place.Options = {}, drill = false) =>
  Effect.gen(function* () {
    const place = yield* Place.make(options, drill)
    const disk = join(place.root, "disk")
    yield* place.plant(files)
    const call = yield* place.call({ destination: disk })
    yield* Push.run(input, open).pipe(Effect.provide(call))
    const put = async (key: string, text: string) => {
      await Fs.mkdir(dirname(join(disk, key)), { recursive: true })
      await Fs.writeFile(join(disk, key), text)
    }
    const note = (own = "") => Place.noteManifests(place.folder, { rung: "given", location: disk, own, put })
    yield* note()
    const verify = Effect.provide(run(input), call)
    const latest = Effect.promise(() =>
      Fs.readFile(join(disk, "latest.json"), "utf8").then(
        (text) => JSON.parse(text) as Record<string, unknown>,
        () => undefined,
      ),
    )
    const setLatest = (change: Record<string, unknown>) =>
      Effect.promise(() =>
        Fs.writeFile(
          join(disk, "latest.json"),
          JSON.stringify({
            format: "dandori-latest/1",
            snapshot: "20250101T000000Z",
            incident: "IR-before",
            objects: 2,
            bytes: 150,
            root: Sha256.of("before"),
            ...change,
          }),
        ),
      )
    return { ...place, another: place.call, disk, call, note, verify, latest, setLatest }
  })

const missing = `${JSON.stringify({ collector: "files", source: "/x", reason: "it is a socket" })}\n`
const whole = { verified: 5, failed: 0, problems: [], complete: true }
const coverage = { seen: 3, taken: 3, notTaken: 0, unstable: 0 }

describe("evacuate/verify", () => {
  it.live("confirms every object and the bundles' own files, and moves latest, once", () =>
    Effect.gen(function* () {
      const { latest, verify } = yield* pushed()
      assert.deepStrictEqual(yield* verify, { ...whole, latest: { moved: true }, coverage })
      const there = {
        format: "dandori-latest/1",
        snapshot: "20251103T040506Z",
        incident: Place.incident,
        objects: 2,
        bytes: 150,
        root: Sha256.of("snapshot"),
      }
      assert.deepStrictEqual(yield* latest, there)
      assert.deepStrictEqual((yield* verify).latest, { moved: true })
      assert.deepStrictEqual(yield* latest, there)
    }),
  )

  it.live("keeps copies under latest/ where the layout says so, when everything was verified, and not in a drill", () =>
    Effect.gen(function* () {
      const options = { evacuation: { layout: "mirror" } } as const
      const { disk, folder, verify } = yield* pushed(options)
      const read = (path: string) =>
        Effect.promise(() => Fs.readFile(join(disk, "latest", path), "utf8").catch(() => "not there"))
      yield* Effect.promise(() => Fs.writeFile(join(folder, "not-taken.ndjson"), missing))
      yield* verify
      assert.strictEqual(yield* read("models/a"), "not there")
      yield* Effect.promise(async () => {
        await Fs.rm(join(folder, "not-taken.ndjson"))
        await Fs.mkdir(join(disk, "latest/models"), { recursive: true })
        await Fs.writeFile(join(disk, "latest/models/b"), "of an earlier snapshot")
        await Fs.writeFile(join(disk, "latest/models/old"), "it stays")
      })
      assert.deepInclude(yield* verify, { ...whole, latest: { moved: true } })
      assert.strictEqual(yield* read("models/a"), "a".repeat(100))
      assert.strictEqual(yield* read("models/b"), "b".repeat(50))
      assert.strictEqual(yield* read("logs/x"), "log")
      assert.strictEqual(yield* read("models/old"), "it stays")

      const drill = yield* pushed(options, true)
      yield* drill.verify
      assert.isFalse(existsSync(join(drill.disk, "latest")))
    }),
  )

  it.live("does not move latest in a drill", () =>
    Effect.gen(function* () {
      const { latest, verify } = yield* pushed({}, true)
      assert.deepInclude(yield* verify, { ...whole, latest: { moved: false, reason: "this is a drill" } })
      assert.isUndefined(yield* latest)
    }),
  )

  it.live("moves latest from a snapshot that is a little larger, not from one that is much larger or newer", () =>
    Effect.gen(function* () {
      const { latest, setLatest, verify } = yield* pushed()
      const refused = [
        [{ objects: 3 }, "2 objects"],
        [{ bytes: 188 }, "150 bytes"],
        [{ snapshot: "20991231T235959Z" }, "newer"],
        [{ format: "another" }, "cannot be read"],
      ] as const
      for (const [change, word] of refused) {
        yield* setLatest(change)
        const { complete, latest: moved } = yield* verify
        assert.isTrue(complete)
        assert.isFalse(moved.moved)
        assert.include(moved.reason ?? "", word)
        assert.deepInclude(yield* latest, change)
      }
      yield* setLatest({ bytes: 187 })
      assert.deepStrictEqual((yield* verify).latest, { moved: true })
    }),
  )

  it.live("finds what is missing or other, and the next push sends what is missing again", () =>
    Effect.gen(function* () {
      const { call, disk, latest, verify } = yield* pushed()
      const [a, b] = ["a", "b"].map((name) => join(disk, Place.snapshot, "models", name))
      yield* Effect.promise(() => Fs.rm(a ?? ""))
      const first = yield* verify
      assert.deepInclude(first, { verified: 4, failed: 1, complete: false })
      assert.deepStrictEqual(first.problems, [`${Place.snapshot}/models/a: it is not there`])
      assert.deepStrictEqual(first.latest, { moved: false, reason: "the evacuation is not complete" })
      assert.deepInclude(first.coverage, { seen: 3, taken: 2, notTaken: 1 })
      assert.deepInclude(yield* Push.run(input, open).pipe(Effect.provide(call)), { objects: 3, sent: 100 })
      assert.deepInclude(yield* verify, { ...whole, latest: { moved: true } })

      yield* Effect.promise(async () => {
        await Fs.chmod(b ?? "", 0o644)
        await Fs.writeFile(b ?? "", "something else")
      })
      const second = yield* verify
      assert.deepInclude(second, { verified: 4, failed: 1, complete: false })
      assert.include(second.problems[0], "other bytes are there")
      // It is not taken for an earlier version of the source.
      assert.deepInclude(yield* Push.run(input, open).pipe(Effect.provide(call)), { objects: 3, sent: 0 })
      assert.isFalse((yield* verify).complete)
      assert.isDefined(yield* latest)
    }),
  )

  it.live("is not complete while anything is not taken, a collector failed, or the manifests lie apart", () =>
    Effect.gen(function* () {
      const { folder, note, verify } = yield* pushed()
      const line = (value: Record<string, unknown>) => `${JSON.stringify(value)}\n`
      const write = (name: string, text: string) => Effect.promise(() => Fs.writeFile(join(folder, name), text))
      yield* write("not-taken.ndjson", line({ collector: "files", source: "/x", reason: "it is a socket" }))
      const first = yield* verify
      assert.deepInclude(first, {
        verified: 5,
        failed: 0,
        complete: false,
        problems: ["/x was not taken: it is a socket"],
      })
      assert.deepInclude(first.coverage, { seen: 4, taken: 3, notTaken: 1 })
      yield* write("not-taken.ndjson", "")

      const ended = { collector: "gpu", to: "evidence", outcome: "failed", reason: "no answer", began: 0, ended: 1 }
      yield* write("collected.ndjson", line({ ...ended, files: 0, bytes: 0 }))
      assert.deepStrictEqual((yield* verify).problems, ["the collector gpu failed: no answer"])
      yield* write("collected.ndjson", line({ ...ended, outcome: "skipped", files: 0, bytes: 0 }))
      assert.isTrue((yield* verify).complete)

      yield* note("partial-20251103T040506Z")
      const apart = yield* verify
      assert.deepInclude(apart, { verified: 5, failed: 0, complete: false })
      assert.include(apart.problems[0], "the evidence is not complete")
      yield* Effect.promise(() => Fs.rm(join(folder, "bundles", "destination.json")))
      assert.deepStrictEqual((yield* verify).problems, ["the bundles have no manifest yet"])
    }),
  )

  it.live("says that nothing was pushed where nothing was, and stops at the deadline", () =>
    Effect.gen(function* () {
      const place = yield* Place.make()
      yield* place.plant(files)
      const nothing = yield* Effect.provide(run(input), yield* place.call())
      assert.deepInclude(nothing, { verified: 0, failed: 3, complete: false })
      assert.include(nothing.problems[0], "nothing was pushed yet")

      const { another, disk } = yield* pushed()
      const late = yield* Effect.provide(run(input), yield* another({ destination: disk, deadline: 1 }))
      assert.deepInclude(late, { verified: 0, failed: 5, complete: false })
      assert.include(late.problems[0], "before the deadline")
    }),
  )
})
