import * as Fs from "node:fs/promises"
import { join } from "node:path"
import { assert, describe, it } from "@effect/vitest"
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as Sha256 from "../../src/domain/sha256.ts"
import { type OpenReading, SourceFailed } from "../../src/services/evacuation/sources/reading.ts"
import { run } from "../../tasks/evacuate/push/run.ts"
import * as Place from "../support/evacuation-place.ts"
import { open } from "../support/plain-reading.ts"

const input = { incident: Place.incident }

/** A reader that notes what it opens. */
const noting =
  (opened: Array<string>): OpenReading =>
  (file, pieceBytes) => {
    opened.push(file.path)
    return open(file, pieceBytes)
  }
const small = ["c", "a", "b"].map((name, index) => ({
  path: `models/${name}`,
  bytes: name.repeat(100),
  value: 50 + index,
}))

describe("evacuate/push", () => {
  it.live("sends the captures' tars first, then files by their value, and a second time nothing", () =>
    Effect.gen(function* () {
      const place = yield* Place.make({ evacuation: { parallel: 1 } })
      const disk = join(place.root, "disk")
      yield* place.plant([...small, { path: "log", bytes: "", to: "evidence", value: 40 }])
      yield* Effect.promise(async () => {
        await Fs.mkdir(join(place.folder, "bundles"))
        await Fs.writeFile(join(place.folder, "bundles", "evidence-2.tar"), "second")
        await Fs.writeFile(join(place.folder, "bundles", "evidence.tar"), "first tar")
      })
      const opened: Array<string> = []
      const call = yield* place.call({ destination: disk })
      const first = yield* run(input, noting(opened)).pipe(Effect.provide(call))
      assert.deepStrictEqual(opened, ["evidence.tar", "evidence-2.tar", "log", "models/c", "models/a", "models/b"])
      assert.deepInclude(first, { rung: "given", location: disk, away: true, objects: 6, bytes: 315, sent: 315 })
      assert.deepInclude(first, { complete: true, notTaken: 0, refusals: [] })
      assert.isAtLeast(first.firstByteMillis ?? -1, 0)
      const at = join(disk, Place.evidence, "evidence.tar")
      assert.strictEqual(yield* Effect.promise(() => Fs.readFile(at, "utf8")), "first tar")

      const journal = yield* place.lines("pushed.ndjson")
      assert.deepStrictEqual(journal.map(({ key, rung, sha256 }) => ({ key, rung, sha256 })).slice(3, 4), [
        { key: `${Place.snapshot}/models/c`, rung: "given", sha256: Sha256.of("c".repeat(100)) },
      ])
      const progress = JSON.parse(
        yield* Effect.promise(() => Fs.readFile(join(place.folder, "bundles/progress.json"), "utf8")),
      )
      assert.deepInclude(progress, { objects: { done: 6, total: 6 }, sent: 315, notTaken: 0 })

      opened.length = 0
      const again = yield* place.call({ destination: disk })
      const second = yield* run(input, noting(opened)).pipe(Effect.provide(again))
      assert.deepStrictEqual(opened, [])
      assert.deepInclude(second, { objects: 6, bytes: 315, sent: 0, complete: true })
      assert.isUndefined(second.firstByteMillis)
      assert.deepStrictEqual(yield* place.lines("pushed.ndjson"), journal)
    }),
  )

  it.live("lists what could not be read with its reason, takes the rest, and takes it when it can be read", () =>
    Effect.gen(function* () {
      const place = yield* Place.make()
      yield* place.plant(small)
      yield* Effect.promise(() =>
        Fs.writeFile(
          join(place.folder, "not-taken.ndjson"),
          `${JSON.stringify({ collector: "files", source: "/elsewhere", reason: "it is a socket" })}\n`,
        ),
      )
      const broken: OpenReading = (file, pieceBytes) =>
        file.path === "models/a"
          ? Effect.fail(new SourceFailed({ source: file.source, reason: "permission denied" }))
          : open(file, pieceBytes)
      const first = yield* run(input, broken).pipe(Effect.provide(yield* place.call()))
      assert.deepInclude(first, { rung: "sealed", away: false, objects: 2, notTaken: 1, complete: false })
      const listed = yield* place.lines("not-taken.ndjson")
      assert.deepStrictEqual(
        listed.map(({ reason }) => reason),
        ["it is a socket", "permission denied"],
      )
      const second = yield* run(input, open).pipe(Effect.provide(yield* place.call()))
      assert.deepInclude(second, { objects: 3, sent: 100, notTaken: 0, complete: true })
      assert.strictEqual((yield* place.lines("not-taken.ndjson")).length, 1)
    }),
  )

  it.live("goes down the ladder past what is not set or does not answer, and says so", () =>
    Effect.gen(function* () {
      const offsite = { bucket: "${env:S3_BUCKET}", worm_location: "s3://x/y", storage_class: "STANDARD" } as const
      const place = yield* Place.make({
        storage: { offsite },
        evacuation: {
          destinations: [
            { name: "file", location: "file-in-the-way/below" },
            { name: "ftp", location: "ftp://somewhere" },
            { name: "locked", location: "disk2", lock: { mode: "COMPLIANCE", days: 1, required: true } },
            { name: "disk", location: "disk" },
          ],
        },
      })
      yield* Effect.promise(() => Fs.writeFile(join(place.root, "file-in-the-way"), ""))
      yield* place.plant(small)
      const pushed = yield* run(input, open).pipe(
        Effect.provide(yield* place.call({ destination: "s3://Not/a bucket" })),
      )
      assert.deepInclude(pushed, { rung: "disk", location: join(place.root, "disk"), objects: 3, complete: true })
      assert.deepStrictEqual(
        pushed.refusals.map(({ refused, rung }) => ({ refused, rung })),
        [
          { rung: "given", refused: false },
          { rung: "offsite", refused: false },
          { rung: "file", refused: false },
          { rung: "ftp", refused: false },
          { rung: "locked", refused: true },
        ],
      )
      const reasons = pushed.refusals.map(({ reason }) => reason)
      const words = [
        "s3://bucket/prefix",
        "set the environment variable S3_BUCKET",
        "ENOTDIR",
        "neither",
        "cannot lock",
      ]
      for (const [index, word] of words.entries()) assert.include(reasons[index], word)
    }),
  )

  it.live("tells when nothing takes anything, with every reason", () =>
    Effect.gen(function* () {
      const place = yield* Place.make({ evacuation: { sealed: "in-the-way/sealed" } })
      yield* Effect.promise(() => Fs.writeFile(join(place.root, "in-the-way"), ""))
      yield* place.plant(small)
      const call = yield* place.call({ destination: join(place.root, "in-the-way") })
      const error = yield* Effect.flip(run(input, open).pipe(Effect.provide(call)))
      assert.strictEqual(error._tag, "LadderExhausted")
      assert.include(error.message, "given: ")
      assert.include(error.message, "sealed: ")
    }),
  )

  it.live("goes on with the next rung from the beginning when one breaks, and back to it when it answers again", () =>
    Effect.gen(function* () {
      const place = yield* Place.make({
        evacuation: { parallel: 1, destinations: [{ name: "disk", location: "disk" }] },
      })
      yield* place.plant(small)
      const disk = join(place.root, "disk")
      let opened = 0
      const breaking: OpenReading = (file, pieceBytes) =>
        Effect.andThen(
          Effect.promise(async () => {
            if (++opened !== 2) return
            await Fs.rename(disk, `${disk}-unplugged`)
            await Fs.writeFile(disk, "")
          }),
          open(file, pieceBytes),
        )
      const first = yield* run(input, breaking).pipe(Effect.provide(yield* place.call()))
      assert.deepInclude(first, { rung: "sealed", away: false, objects: 3, complete: true, sent: 400 })
      assert.deepStrictEqual(
        first.refusals.map(({ rung }) => rung),
        ["disk"],
      )
      yield* Effect.promise(async () => {
        await Fs.rm(disk)
        await Fs.rename(`${disk}-unplugged`, disk)
      })
      const second = yield* run(input, open).pipe(Effect.provide(yield* place.call()))
      assert.deepInclude(second, { rung: "disk", away: true, objects: 3, complete: true, sent: 200, refusals: [] })
    }),
  )

  it.live("stops in time for the deadline, with the most valuable taken, and lists the rest", () =>
    Effect.gen(function* () {
      const place = yield* Place.make({ evacuation: { parallel: 2 } })
      yield* place.plant([...small, { path: "late", bytes: "x", value: 99 }])
      const slow: OpenReading = (file, pieceBytes) => (file.path === "models/a" ? Effect.never : open(file, pieceBytes))
      const began = yield* Clock.currentTimeMillis
      const deadline = began + 4000
      const pushed = yield* run(input, slow).pipe(Effect.provide(yield* place.call({ began, deadline })))
      assert.deepInclude(pushed, { objects: 3, notTaken: 1, complete: false })
      assert.deepStrictEqual(
        (yield* place.lines("not-taken.ndjson")).map(({ reason, source }) => ({ reason, source })),
        [{ reason: "deadline", source: join(place.root, "models/a") }],
      )
      const past = yield* run(input, open).pipe(Effect.provide(yield* place.call({ began, deadline: began })))
      assert.deepInclude(past, { objects: 0, notTaken: 4, complete: false })
    }),
  )

  it.live("marks what changed after it was confirmed, and takes what an earlier try left as it is", () =>
    Effect.gen(function* () {
      const place = yield* Place.make()
      yield* place.plant(small)
      const sealed = join(place.root, ".dandori/sealed")
      const key = `${Place.snapshot}/models/b`
      // An earlier call stored it and was killed before it could note that.
      yield* Effect.promise(async () => {
        await Fs.mkdir(join(sealed, key, ".."), { recursive: true })
        await Fs.writeFile(join(sealed, key), "as it was")
      })
      const first = yield* run(input, open).pipe(Effect.provide(yield* place.call()))
      assert.deepInclude(first, { objects: 3, complete: true })
      const noted = (yield* place.lines("pushed.ndjson")).find((line) => line.path === "models/b")
      assert.deepInclude(noted, { sha256: Sha256.of("as it was"), bytes: 9, unstable: true })

      yield* Effect.promise(() => Fs.appendFile(join(place.root, "models/a"), "more"))
      const second = yield* run(input, open).pipe(Effect.provide(yield* place.call()))
      assert.deepInclude(second, { objects: 3, sent: 0, complete: true })
      const last = (yield* place.lines("pushed.ndjson")).findLast((line) => line.path === "models/a")
      assert.deepInclude(last, { sha256: Sha256.of("a".repeat(100)), unstable: true })
    }),
  )
})
