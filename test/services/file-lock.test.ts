import * as Fs from "node:fs/promises"
import { constants, tmpdir } from "node:os"
import { join } from "node:path"
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Scope from "effect/Scope"
import * as FileLock from "../../src/services/file-lock.ts"

const folder = Effect.acquireRelease(
  Effect.promise(() => Fs.mkdtemp(join(tmpdir(), "dandori-lock-"))),
  (path) => Effect.promise(() => Fs.rm(path, { recursive: true, force: true })),
)

const module = join(import.meta.dirname, "../../src/services/file-lock.ts")
/** Takes the lock, says `held` or the error's tag, then runs `after` and waits for its standard input to close. */
const program = (path: string, after: string) => `
  import * as Effect from "effect/Effect"
  import * as FileLock from ${JSON.stringify(module)}
  const main = Effect.scoped(Effect.gen(function* () {
    yield* FileLock.acquire(${JSON.stringify(path)})
    ${after}
    console.log("held")
    yield* Effect.promise(() => Bun.stdin.text())
  }))
  await Effect.runPromise(main).catch((error) => console.log(error._tag + " " + (error.pid ?? "")))
`

const startHolder = (path: string, after = "") =>
  Effect.acquireRelease(
    Effect.promise(async () => {
      const child = Bun.spawn([process.execPath, "-e", program(path, after)], {
        cwd: join(import.meta.dirname, "../.."),
        stdin: "pipe",
        stdout: "pipe",
        stderr: "inherit",
      })
      const reader = child.stdout.getReader()
      const line = new TextDecoder().decode((await reader.read()).value).trim()
      return { child, line }
    }),
    ({ child }) =>
      Effect.promise(async () => {
        child.kill("SIGKILL")
        await child.exited
      }),
  )

describe("file lock", () => {
  it.live("is free at once when it is given back, also while a process that is being started still has its file", () =>
    Effect.gen(function* () {
      const path = join(yield* folder, "a.lock")
      const scope = yield* Scope.make()
      yield* Scope.provide(FileLock.acquire(path), scope)
      const links = yield* Effect.promise(async () => {
        const fds = await Fs.readdir("/proc/self/fd")
        const all = fds.map(async (fd) => ({
          fd: Number(fd),
          to: await Fs.readlink(`/proc/self/fd/${fd}`).catch(() => ""),
        }))
        return Promise.all(all)
      })
      const fd = links.find(({ to }) => to === path)?.fd
      assert.isDefined(fd)
      const child = yield* Effect.acquireRelease(
        Effect.sync(() => Bun.spawn(["sleep", "60"], { stdio: ["ignore", "ignore", "ignore", fd] })),
        (one) => Effect.promise(() => (one.kill("SIGKILL"), one.exited)),
      )
      yield* Scope.close(scope, Exit.void)
      yield* Effect.scoped(FileLock.acquire(path))
      assert.strictEqual(FileLock.look(path), "free")
      yield* Effect.scoped(FileLock.acquire(path))
      assert.isNull(child.exitCode)
    }),
  )

  it.live("is held by one of two processes, names the owner, and is free at once after kill -9", () =>
    Effect.gen(function* () {
      const path = join(yield* folder, "a.lock")
      const first = yield* startHolder(path)
      assert.strictEqual(first.line, "held")
      const second = yield* startHolder(path)
      assert.strictEqual(second.line, `LockBusy ${first.child.pid}`)
      const refused = yield* Effect.flip(Effect.scoped(FileLock.acquire(path)))
      assert.strictEqual(refused._tag, "LockBusy")
      assert.include(refused.message, `process ${first.child.pid}`)

      first.child.kill("SIGKILL")
      yield* Effect.promise(() => first.child.exited)
      const held = yield* Effect.scoped(FileLock.acquire(path))
      assert.strictEqual(held.path, path)
    }),
  )

  it.live("is not inherited by children of the owner", () =>
    Effect.gen(function* () {
      const path = join(yield* folder, "a.lock")
      const owner = yield* startHolder(
        path,
        `const grandchild = Bun.spawn(["sleep", "60"], { stdin: "ignore", stdout: "ignore", stderr: "ignore" })
         require("node:fs").writeFileSync(${JSON.stringify(path)} + ".child", String(grandchild.pid))`,
      )
      assert.strictEqual(owner.line, "held")
      const grandchild = Number(yield* Effect.promise(() => Fs.readFile(`${path}.child`, "utf8")))
      owner.child.kill("SIGKILL")
      yield* Effect.promise(() => owner.child.exited)
      assert.isTrue(process.kill(grandchild, 0))
      const held = yield* Effect.exit(Effect.scoped(FileLock.acquire(path)))
      process.kill(grandchild, "SIGKILL")
      assert.isTrue(Exit.isSuccess(held))
    }),
  )

  it.effect("excludes another holder in the same process, and is free when the scope closes", () =>
    Effect.gen(function* () {
      const path = join(yield* folder, "a.lock")
      const scope = yield* Scope.make()
      yield* FileLock.acquire(path).pipe(Effect.provideService(Scope.Scope, scope))
      const refused = yield* Effect.flip(Effect.scoped(FileLock.acquire(path)))
      assert.strictEqual(refused._tag, "LockBusy")
      yield* Scope.close(scope, Exit.void)
      yield* Effect.scoped(FileLock.acquire(path))
    }),
  )

  it.live("lets those who wait in, one at a time", () =>
    Effect.gen(function* () {
      const path = join(yield* folder, "a.lock")
      let inside = 0
      let most = 0
      yield* Effect.forEach(
        Array.from({ length: 12 }),
        () =>
          Effect.scoped(
            Effect.gen(function* () {
              yield* FileLock.acquireWithin(path, 30_000)
              most = Math.max(most, ++inside)
              yield* Effect.yieldNow
              inside--
            }),
          ),
        { concurrency: "unbounded" },
      )
      assert.strictEqual(most, 1)
    }),
  )

  it.live("gives up after its patience", () =>
    Effect.gen(function* () {
      const path = join(yield* folder, "a.lock")
      yield* FileLock.acquire(path)
      const refused = yield* Effect.flip(Effect.scoped(FileLock.acquireWithin(path, 20)))
      assert.strictEqual(refused._tag, "LockBusy")
    }),
  )

  it.effect("is not fooled when the lock file is removed and made anew", () =>
    Effect.gen(function* () {
      const path = join(yield* folder, "a.lock")
      yield* FileLock.acquire(path)
      yield* Effect.promise(() => Fs.rename(path, `${path}.old`))
      yield* Effect.scoped(FileLock.acquire(path))
      assert.strictEqual((yield* Effect.flip(Effect.scoped(FileLock.acquire(`${path}.old`))))._tag, "LockBusy")
    }),
  )

  it.effect("says what to check when the folder is missing, and does not follow a link", () =>
    Effect.gen(function* () {
      const root = yield* folder
      const missing = yield* Effect.flip(Effect.scoped(FileLock.acquire(join(root, "none", "a.lock"))))
      assert.strictEqual(missing._tag, "LockFailed")
      assert.include(missing.message, "check that its folder exists")
      yield* Effect.promise(() => Fs.symlink(join(root, "elsewhere"), join(root, "link")))
      assert.strictEqual((yield* Effect.flip(Effect.scoped(FileLock.acquire(join(root, "link")))))._tag, "LockFailed")
    }),
  )

  it("is busy only where another has it: any other refusal is named", () => {
    const { EACCES, EAGAIN, EINTR, EIO, EISDIR, ENOLCK, ENOSYS, ENOTSUP, ESTALE, EWOULDBLOCK } = constants.errno
    assert.deepStrictEqual([EAGAIN, EWOULDBLOCK].map(FileLock.refusal), ["busy", "busy"])
    assert.deepStrictEqual([EACCES, EINTR, EIO, EISDIR, ENOLCK, ENOSYS, ENOTSUP, ESTALE, 9_999].map(FileLock.refusal), [
      "EACCES",
      "EINTR",
      "EIO",
      "EISDIR",
      "ENOLCK",
      "ENOSYS",
      "ENOTSUP",
      "ESTALE",
      "errno 9999",
    ])
    assert.strictEqual(FileLock.flock(-1), "EBADF")
  })
})
