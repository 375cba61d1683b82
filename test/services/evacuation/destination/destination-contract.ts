import { assert } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import type * as Scope from "effect/Scope"
import * as Sha256 from "../../../../src/domain/sha256.ts"
import type { Destination, DestinationFailed } from "../../../../src/services/evacuation/destination/destination.ts"
import * as GivenBytes from "../../../../src/services/evacuation/destination/given-bytes.ts"
import { SourceFailed } from "../../../../src/services/evacuation/sources/reading.ts"

const text = (words: string) => new TextEncoder().encode(words)

/** Bytes that are not all the same, and are the same with each call. */
export const pattern = (length: number, seed = 1): Uint8Array => {
  const bytes = new Uint8Array(length)
  for (let at = 0; at < length; at += 4096) bytes[at] = (at / 4096 + seed) % 251
  if (length > 0) bytes[length - 1] = seed
  return bytes
}

/** A source of bytes that says of its first readings that it changed meanwhile. */
const changing = (versions: ReadonlyArray<Uint8Array>, pieceBytes: number, opened: { times: number }) =>
  Effect.sync(() => {
    const at = Math.min(opened.times++, versions.length - 1)
    const reading = GivenBytes.reading(versions[at] ?? new Uint8Array(), pieceBytes)
    return { ...reading, end: Effect.succeed({ changed: at < versions.length - 1 }) }
  })

type Opened = Effect.Effect<Destination, DestinationFailed, Scope.Scope>

/** What every destination has to keep to, by name. Each is given a new, empty place; `open` opens the same one again. */
export const promises: ReadonlyArray<
  readonly [name: string, check: (open: Opened) => Effect.Effect<void, unknown, Scope.Scope>]
> = [
  [
    "takes objects of any size and confirms them",
    (open) =>
      Effect.gen(function* () {
        const destination = yield* open
        const sizes = [0, 1, 1000, destination.pieceBytes, destination.pieceBytes * 2 + 17]
        for (const size of sizes) {
          const bytes = pattern(size)
          const key = `snapshots/s/of ${size} ü+%`
          const took = yield* destination.put({
            key,
            lock: false,
            open: Effect.sync(() => GivenBytes.reading(bytes, destination.pieceBytes)),
          })
          assert.deepInclude(took, { key, bytes: size, sha256: Sha256.of(bytes), sent: size, end: { changed: false } })
          for (const how of ["ask", "read"] as const) {
            assert.deepStrictEqual(yield* destination.confirm(took, how), { confirmed: true })
          }
          const back = Option.getOrThrow(yield* destination.get(key))
          assert.strictEqual(Sha256.of(back), took.sha256)
        }
        assert.deepStrictEqual(
          yield* destination.list("snapshots/"),
          sizes.map((size) => `snapshots/s/of ${size} ü+%`).toSorted(),
        )
        assert.deepStrictEqual(yield* destination.get("snapshots/nothing"), Option.none())
      }),
  ],
  [
    "has no object twice: the same bytes are not sent again, other bytes are refused and change nothing",
    (open) =>
      Effect.gen(function* () {
        const first = yield* open
        for (const size of [10, first.pieceBytes + 10]) {
          const key = `incidents/i/evidence/${size}`
          yield* GivenBytes.putBytes(first, key, pattern(size), false)
          const second = yield* open
          assert.strictEqual((yield* GivenBytes.putBytes(second, key, pattern(size), false)).sent, 0)
          const error = yield* Effect.flip(GivenBytes.putBytes(second, key, pattern(size, 2), false))
          assert.isTrue(error.refused)
          assert.deepStrictEqual(error.there, { bytes: size, sha256: Sha256.of(pattern(size)) })
          const other = { key, bytes: size, sha256: Sha256.of(pattern(size, 2)) }
          const found = yield* second.confirm(other, "ask")
          assert.include(found.confirmed ? "" : found.reason, "other bytes are there")
          assert.strictEqual(Sha256.of(Option.getOrThrow(yield* second.get(key))), Sha256.of(pattern(size)))
        }
      }),
  ],
  [
    "reads a source that changes again, at most three times, and keeps what was read last",
    (open) =>
      Effect.gen(function* () {
        const destination = yield* open
        const { pieceBytes } = destination
        for (const size of [100, pieceBytes + 100]) {
          const put = (key: string, versions: ReadonlyArray<Uint8Array>) => {
            const opened = { times: 0 }
            return destination
              .put({ key, lock: false, open: changing(versions, pieceBytes, opened) })
              .pipe(Effect.map((took) => ({ ...took, times: opened.times })))
          }
          const twice = yield* put(`snapshots/s/twice ${size}`, [pattern(size), pattern(size, 2)])
          assert.deepInclude(twice, { times: 2, sha256: Sha256.of(pattern(size, 2)), end: { changed: false } })
          const always = yield* put(
            `snapshots/s/always ${size}`,
            [1, 2, 3, 4].map((seed) => pattern(size + seed, seed)),
          )
          assert.deepInclude(always, { times: 3, sha256: Sha256.of(pattern(size + 3, 3)), end: { changed: true } })
          assert.deepStrictEqual(yield* destination.confirm(always, "read"), { confirmed: true })
        }
      }),
  ],
  [
    "says of a source that cannot be read that it is the source, and keeps nothing of it",
    (open) =>
      Effect.gen(function* () {
        const destination = yield* open
        const key = "snapshots/s/unreadable"
        const broken = new SourceFailed({ source: "/x", reason: "the disk is broken" })
        const half = GivenBytes.reading(pattern(destination.pieceBytes * 2), destination.pieceBytes)
        let pieces = 0
        const next = Effect.suspend(() => (++pieces === 2 ? Effect.fail(broken) : half.next))
        const error = yield* Effect.flip(destination.put({ key, lock: false, open: Effect.succeed({ ...half, next }) }))
        assert.strictEqual(error._tag, "SourceFailed")
        assert.deepStrictEqual(yield* destination.list("snapshots/"), [])
        assert.deepStrictEqual(yield* destination.confirm({ key, bytes: 1, sha256: Sha256.of("x") }, "ask"), {
          confirmed: false,
          reason: "it is not there",
        })
      }),
  ],
  [
    "refuses keys that lead elsewhere",
    (open) =>
      Effect.gen(function* () {
        const destination = yield* open
        for (const key of ["", "/etc/x", "a/../../x", "a//b", "a/./b", "a\0b"]) {
          const error = yield* Effect.flip(GivenBytes.putBytes(destination, key, text("x"), false))
          assert.include(error.message, "the key", JSON.stringify(key))
        }
      }),
  ],
  [
    "copies an object over another, and says when it is not what it was",
    (open) =>
      Effect.gen(function* () {
        const destination = yield* open
        for (const size of [10, destination.pieceBytes + 10]) {
          const key = `snapshots/s/copied ${size} ü+%`
          const object = { key, bytes: size, sha256: Sha256.of(pattern(size)) }
          yield* GivenBytes.putBytes(destination, key, pattern(size), false)
          yield* GivenBytes.putBytes(destination, `latest/models/${size}`, pattern(3), false)
          yield* destination.copy(object, `latest/models/${size}`)
          assert.strictEqual(
            Sha256.of(Option.getOrThrow(yield* destination.get(`latest/models/${size}`))),
            object.sha256,
          )
          const error = yield* Effect.flip(destination.copy({ ...object, sha256: Sha256.of("x") }, "latest/other"))
          assert.isTrue(error.refused)
        }
      }),
  ],
  [
    "moves the pointer only from what was read",
    (open) =>
      Effect.gen(function* () {
        const destination = yield* open
        assert.deepStrictEqual(yield* destination.pointer, Option.none())
        assert.isTrue(yield* destination.movePointer(text("one"), Option.none()))
        assert.isFalse(yield* destination.movePointer(text("other"), Option.none()))
        const one = Option.getOrThrow(yield* destination.pointer)
        assert.deepStrictEqual(one.bytes, text("one"))
        const moved = yield* Effect.forEach(
          ["two", "three", "four", "five"],
          (word) => destination.movePointer(text(word), Option.some(one.tag)),
          { concurrency: "unbounded" },
        )
        const now = Option.getOrThrow(yield* destination.pointer)
        assert.include(["two", "three", "four", "five"], new TextDecoder().decode(now.bytes))
        assert.strictEqual(moved.filter((each) => each).length, 1)
        assert.isFalse(yield* destination.movePointer(text("late"), Option.some(one.tag)))
        assert.deepStrictEqual(Option.getOrThrow(yield* destination.pointer).bytes, now.bytes)
      }),
  ],
]
