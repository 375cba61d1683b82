import * as Fs from "node:fs/promises"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as FileLock from "../../src/services/file-lock.ts"
import * as PassingLocks from "../../src/services/passing-locks.ts"

const temporaryFolder = Effect.acquireRelease(
  Effect.promise(() => Fs.mkdtemp(join(tmpdir(), "dandori-passing-"))),
  (path) => Effect.promise(() => Fs.rm(path, { recursive: true, force: true })),
)
const inode = (path: string) => Effect.promise(() => Fs.stat(path).then(({ ino }) => ino))
const names = (folder: string) => Effect.promise(() => Fs.readdir(folder))

/** Holds a lock that has no more use when it is free. */
const pass = (locks: PassingLocks.PassingLocks, path: string) =>
  Effect.scoped(
    Effect.gen(function* () {
      yield* locks.acquire(path)
      yield* locks.retire(path)
      assert.strictEqual((yield* Effect.flip(Effect.scoped(FileLock.acquire(path))))._tag, "LockBusy")
      return yield* inode(path)
    }),
  )

describe("locks of things that come and go", () => {
  it.live("give their file to the next one, which excludes others and names its owner as any lock does", () =>
    Effect.scoped(
      Effect.gen(function* () {
        const folder = yield* temporaryFolder
        const locks = yield* PassingLocks.make
        const first = yield* pass(locks, join(folder, "a"))
        yield* Effect.scoped(FileLock.acquire(join(folder, "a")))
        yield* locks.acquire(join(folder, "b"))
        assert.strictEqual(yield* inode(join(folder, "b")), first)
        assert.deepStrictEqual(yield* names(folder), ["b"])
        const busy = yield* Effect.flip(Effect.scoped(FileLock.acquire(join(folder, "b"))))
        assert.include(busy.message, `process ${process.pid}`)
      }),
    ),
  )

  it.live("leave the lock alone that somebody has under the same name", () =>
    Effect.scoped(
      Effect.gen(function* () {
        const folder = yield* temporaryFolder
        const locks = yield* PassingLocks.make
        yield* pass(locks, join(folder, "a"))
        yield* FileLock.acquire(join(folder, "b"))
        const held = yield* inode(join(folder, "b"))
        const busy = yield* Effect.flip(Effect.scoped(locks.acquire(join(folder, "b"))))
        assert.strictEqual(busy._tag, "LockBusy")
        assert.strictEqual(yield* inode(join(folder, "b")), held)
        assert.deepStrictEqual(yield* names(folder), ["b"])
      }),
    ),
  )

  it.live("are made anew where the spare file is gone, another's, or looked at, or the folder is not there", () =>
    Effect.scoped(
      Effect.gen(function* () {
        const folder = yield* temporaryFolder
        const locks = yield* PassingLocks.make
        const spare = join(folder, "a")
        const next = join(folder, "b")
        yield* pass(locks, spare)
        yield* Effect.promise(() => Fs.rm(spare))
        yield* Effect.scoped(locks.acquire(next))

        const first = yield* pass(locks, spare)
        yield* Effect.promise(() => Fs.rename(spare, `${spare}.old`))
        yield* Effect.promise(() => Fs.writeFile(spare, ""))
        yield* Effect.scoped(
          Effect.andThen(locks.acquire(next), () =>
            Effect.gen(function* () {
              assert.notStrictEqual(yield* inode(next), first)
              assert.strictEqual((yield* Effect.flip(Effect.scoped(FileLock.acquire(next))))._tag, "LockBusy")
            }),
          ),
        )

        yield* pass(locks, spare)
        yield* FileLock.acquire(spare)
        yield* Effect.scoped(locks.acquire(next))

        yield* pass(locks, join(folder, "c"))
        const missing = yield* Effect.flip(Effect.scoped(locks.acquire(join(folder, "none", "d"))))
        assert.deepInclude(missing, { _tag: "LockFailed", code: "ENOENT" })
      }),
    ),
  )

  it.live("leave no spare file behind, and no more than one is kept", () =>
    Effect.gen(function* () {
      const folder = yield* temporaryFolder
      yield* Effect.scoped(
        Effect.gen(function* () {
          const locks = yield* PassingLocks.make
          yield* Effect.scoped(
            Effect.forEach(["a", "b", "c"], (name) =>
              Effect.andThen(locks.acquire(join(folder, name)), locks.retire(join(folder, name))),
            ),
          )
          assert.lengthOf(yield* names(folder), 1)
        }),
      )
      assert.deepStrictEqual(yield* names(folder), [])
    }),
  )
})
