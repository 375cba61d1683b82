import * as Fs from "node:fs"
import { join } from "node:path"
import { assert, describe, it } from "@effect/vitest"
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as TestClock from "effect/testing/TestClock"
import * as Sha256 from "../../../../src/domain/sha256.ts"
import * as Place from "../destination/place.ts"
import { does, openerOf, patterned, piece, rest, source } from "./reading-place.ts"

const { bytes, write } = Place

describe("a reading of a source", () => {
  it.effect("gives its bytes in pieces of the size asked for, and how it looked", () =>
    Effect.gen(function* () {
      const path = join(yield* Place.folder, "file")
      const content = patterned(250_000)
      write(path, content)
      const { ino, mtimeNs } = Fs.statSync(path, { bigint: true })
      const opened = yield* openerOf()(source(path), 100_000)
      assert.deepStrictEqual(opened.seen, { bytes: 250_000, mtimeNs: String(mtimeNs), inode: String(ino) })
      const all = yield* rest(opened)
      assert.deepStrictEqual(all.sizes, [100_000, 100_000, 50_000])
      assert.isTrue(all.content.equals(content))
      assert.isFalse(all.changed)
      assert.isUndefined(yield* opened.next)
    }),
  )

  it.effect("never gives a buffer to two takers", () =>
    Effect.gen(function* () {
      const root = yield* Place.folder
      const open = openerOf()
      for (const name of ["a", "b"]) write(join(root, name), name.repeat(40_000))
      const [a, b] = yield* Effect.forEach(["a", "b"], (name) => open(source(join(root, name)), 16_384))
      const first = yield* a.next
      first?.release()
      first?.release()
      const [second, third] = [yield* a.next, yield* b.next]
      assert.notStrictEqual(second?.bytes.buffer, third?.bytes.buffer)
      assert.isTrue(second?.bytes.every((byte) => byte === 97))
      assert.isTrue(third?.bytes.every((byte) => byte === 98))
    }),
  )

  it.effect("has no piece of an empty file", () =>
    Effect.gen(function* () {
      const path = join(yield* Place.folder, "empty")
      write(path)
      const all = yield* rest(yield* openerOf()(source(path), 4096))
      assert.deepStrictEqual([all.sizes, all.changed], [[], false])
    }),
  )

  it.effect("waits until the last write to a file is so long ago that its time would tell of another", () =>
    Effect.gen(function* () {
      const path = join(yield* Place.folder, "file")
      write(path, "x")
      const written = Math.floor(Fs.statSync(path).mtimeMs)
      yield* TestClock.setTime(written + 5)
      const fiber = yield* Effect.forkChild(openerOf()(source(path), 4096))
      while (fiber.pollUnsafe() === undefined) {
        yield* Effect.promise(() => new Promise(setImmediate))
        yield* TestClock.adjust(1)
      }
      const opened = yield* Clock.currentTimeMillis
      assert.isAtLeast(opened, written + 20)
      assert.strictEqual((yield* rest(yield* Fiber.join(fiber))).content.toString(), "x")
    }),
  )

  const others = {
    gone: ['rm "$1"', "it is gone"],
    "a link": ['rm "$1"; ln -s /etc/passwd "$1"', "it is a link now"],
    "a named pipe": ['rm "$1"; mkfifo "$1"', "it is a named pipe now"],
    "a folder": ['rm "$1"; mkdir "$1"', "it is a folder now"],
  } as const
  for (const [what, [how, reason]] of Object.entries(others))
    it.effect(`refuses what is ${what} since it was listed`, () =>
      Effect.gen(function* () {
        const path = join(yield* Place.folder, "file")
        write(path, "x")
        yield* does(how, path)
        const error = yield* Effect.flip(openerOf()(source(path), 4096))
        assert.strictEqual(error.reason, reason)
        assert.strictEqual(error.message, `${path} cannot be taken: ${reason}`)
      }),
    )

  it.effect("refuses what is a socket since it was listed, and connects to nobody", () =>
    Effect.gen(function* () {
      const path = join(yield* Place.folder, "file")
      let connected = 0
      yield* Effect.acquireRelease(
        Effect.sync(() => Bun.listen({ unix: path, socket: { data: () => {}, open: () => void connected++ } })),
        (server) => Effect.sync(() => server.stop(true)),
      )
      const error = yield* Effect.flip(openerOf()(source(path), 4096))
      assert.strictEqual(error.reason, "it is a socket now")
      assert.strictEqual(connected, 0)
    }),
  )

  it.effect("is not led out of the tree by a folder that was swapped for a link", () =>
    Effect.gen(function* () {
      const root = yield* Place.folder
      write(join(root, "tree/a/b/file"), "mine")
      write(join(root, "outside/b/file"), "not mine")
      yield* does('mv "$1/tree/a" "$1/tree/was"; ln -s ../outside "$1/tree/a"', root)
      const error = yield* Effect.flip(openerOf()(source(join(root, "tree/a/b/file")), 4096))
      assert.strictEqual(error.reason, "a folder on its way is no folder any more, or a link")
    }),
  )

  // Root reads whatever a mode says; a process's own memory, whose first page nobody has, cannot be read even so.
  it.effect("says that a disk reports an error", () =>
    Effect.gen(function* () {
      const error = yield* Effect.flip(openerOf()(source(`/proc/${process.pid}/mem`), 4096))
      assert.strictEqual(error.reason, "the disk reports an error")
    }),
  )

  it.effect("takes what the kernel makes up while it is read", () =>
    Effect.gen(function* () {
      const all = yield* rest(yield* openerOf()(source(`/proc/${process.pid}/limits`), 4096))
      assert.include(all.content.toString(), "Max open files")
      assert.isFalse(all.changed)
    }),
  )

  it.effect("reaches paths of any length and any bytes", () =>
    Effect.gen(function* () {
      const root = yield* Place.folder
      const names = Array.from({ length: 60 }, () => "n".repeat(200))
      Place.writeDeep(root, names, "file", "deep")
      const deep = yield* rest(yield* openerOf()(source(join(root, ...names, "file")), 4096))
      assert.strictEqual(deep.content.toString(), "deep")
      assert.isFalse(deep.changed)
      const odd = bytes(root, "/a\n", 0xff, 0xfe)
      write(odd, "odd")
      const all = yield* rest(yield* openerOf()(source(odd), 4096))
      assert.strictEqual(all.content.toString(), "odd")
      assert.isFalse(all.changed)
    }),
  )

  it.effect("reads holes as the zeros that they stand for", () =>
    Effect.gen(function* () {
      const path = join(yield* Place.folder, "hole")
      write(path, "begin")
      yield* does('truncate -s 8M "$1"; printf end >> "$1"', path)
      const all = yield* rest(yield* openerOf()(source(path), 1 << 20))
      assert.isTrue(all.content.equals(Fs.readFileSync(path)))
      assert.strictEqual(all.content.length, (8 << 20) + 3)
    }),
  )

  it.effect("takes the whole lines of a file that grows by lines, up to a moment, however it grows meanwhile", () =>
    Effect.gen(function* () {
      const path = join(yield* Place.folder, "ledger.ndjson")
      const lines = Array.from({ length: 3_000 }, (_, index) => `{"index":${index}}\n`).join("")
      write(path, `${lines}{"half`)
      const open = openerOf({ lines: true })
      const opened = yield* open(source(path), 10_000)
      const first = yield* piece(opened)
      yield* does('printf \'":1}\\n{"more":1}\\n\' >> "$1"', path)
      const all = yield* rest(opened)
      assert.strictEqual(`${first}${all.content}`, lines)
      assert.isFalse(all.changed)
      write(path, `${"x".repeat(200_000)}`)
      assert.strictEqual((yield* rest(yield* open(source(path), 10_000))).content.length, 0)
      write(path, `first\n${"x".repeat(200_000)}`)
      assert.strictEqual((yield* rest(yield* open(source(path), 10_000))).content.toString(), "first\n")
    }),
  )

  it.effect("tells when a file that grows by lines shrinks, or is replaced by another", () =>
    Effect.gen(function* () {
      const path = join(yield* Place.folder, "ledger.ndjson")
      write(path, "line\n".repeat(10_000))
      const opened = yield* openerOf({ lines: true })(source(path), 10_000)
      yield* piece(opened)
      yield* does('truncate -s 40000 "$1"', path)
      assert.isTrue((yield* rest(opened)).changed)
      const another = yield* openerOf({ lines: true })(source(path), 10_000)
      yield* does('cp "$1" "$1.new"; mv "$1.new" "$1"', path)
      assert.isTrue((yield* rest(another)).changed)
    }),
  )

  it.effect("redacts on the way, and says what the source was", () =>
    Effect.gen(function* () {
      const path = join(yield* Place.folder, "log")
      const content = Array.from({ length: 40_000 }, (_, at) =>
        at % 1_000 === 0 ? `pw hunter${at % 7}` : `line ${at}`,
      ).join("\n")
      write(path, content)
      const all = yield* rest(yield* openerOf()(source(path, { redact: true }), 65_536))
      assert.strictEqual(all.content.toString(), content.replaceAll(/hunter\d/g, "[redacted hunters]"))
      assert.isTrue(all.sizes.slice(0, -1).every((size) => size === 65_536))
      assert.deepStrictEqual(all.original, { bytes: content.length, sha256: Sha256.of(content) })
      assert.deepStrictEqual(all.redactions, [{ rule: "hunters", count: 40 }])
      assert.isFalse(all.changed)
    }),
  )

  it.effect("has the digest of an empty source that is redacted, and tells when a redacted one changes", () =>
    Effect.gen(function* () {
      const path = join(yield* Place.folder, "log")
      write(path)
      const empty = yield* rest(yield* openerOf()(source(path, { redact: true }), 4096))
      assert.deepStrictEqual([empty.sizes, empty.original], [[], { bytes: 0, sha256: Sha256.of("") }])
      write(path, "x\n".repeat(500_000))
      const opened = yield* openerOf()(source(path, { redact: true }), 4096)
      yield* piece(opened)
      yield* does('printf more >> "$1"', path)
      assert.isTrue((yield* rest(opened)).changed)
    }),
  )

  it.effect("reads all files of a collector together no faster than its rate", () =>
    Effect.gen(function* () {
      const root = yield* Place.folder
      for (const name of ["a", "b"]) write(join(root, name), patterned(1 << 20))
      const open = openerOf({ rate: "256KiB" })
      const began = 10_000
      yield* TestClock.setTime(began)
      const fiber = yield* Effect.forkChild(
        Effect.forEach(["a", "b"], (name) => Effect.flatMap(open(source(join(root, name)), 300_000), rest), {
          concurrency: 2,
        }),
      )
      let millis = 0
      while (fiber.pollUnsafe() === undefined) {
        yield* Effect.promise(() => new Promise(setImmediate))
        yield* TestClock.adjust(100)
        millis += 100
      }
      // 2 MiB at 256 KiB a second, less the last slice, after which nobody waits.
      assert.isAtLeast(millis, 7_000)
      for (const { content } of yield* Fiber.join(fiber)) assert.isTrue(content.equals(patterned(1 << 20)))
    }),
  )

  /** The open files below a folder. */
  const heldIn = (root: string) =>
    Fs.readdirSync("/proc/self/fd").filter((fd) => {
      try {
        return Fs.readlinkSync(`/proc/self/fd/${fd}`).startsWith(root)
      } catch {
        return false
      }
    })
  const turn = Effect.promise(() => new Promise(setImmediate))

  it.effect("closes what it has opened", () =>
    Effect.gen(function* () {
      const root = yield* Place.folder
      write(join(root, "file"), patterned(100_000))
      yield* Effect.scoped(Effect.flatMap(openerOf()(source(join(root, "file")), 1_000), (opened) => opened.next))
      assert.deepStrictEqual(heldIn(root), [])
      yield* Effect.flip(Effect.scoped(openerOf()(source(join(root, "file/none")), 1_000)))
      assert.deepStrictEqual(heldIn(root), [])
    }),
  )

  it.effect("is given up at once in the middle of opening or reading, and closes what it has opened even so", () =>
    Effect.gen(function* () {
      const root = yield* Place.folder
      write(join(root, "file"))
      Fs.truncateSync(join(root, "file"), 64 << 20)
      let interrupted = 0
      for (let turns = 1, isDone = false; !isDone; turns *= 2) {
        const opened = Effect.flatMap(openerOf()(source(join(root, "file")), 64 << 20), (reading) => reading.next)
        const fiber = yield* Effect.forkChild(Effect.scoped(opened), { startImmediately: true })
        for (let each = 0; each < turns && fiber.pollUnsafe() === undefined; each++) yield* turn
        isDone = fiber.pollUnsafe() !== undefined
        if (!isDone) interrupted++
        yield* Fiber.interrupt(fiber)
        // What the operating system is still at ends in its own time.
        while (heldIn(root).length > 0) yield* turn
      }
      assert.isAbove(interrupted, 3)
    }),
  )
})
