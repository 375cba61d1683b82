import * as Fs from "node:fs/promises"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Scope from "effect/Scope"
import * as AppendFile from "../../src/services/append-file.ts"

const folder = Effect.acquireRelease(
  Effect.promise(() => Fs.mkdtemp(join(tmpdir(), "dandori-append-"))),
  (path) => Effect.promise(() => Fs.rm(path, { recursive: true, force: true })),
)
const read = (path: string) => Effect.promise(() => Fs.readFile(path, "utf8"))
const root = join(import.meta.dirname, "../..")
const module = join(root, "src/services/append-file.ts")
const lineOf = (n: number) => `${n} ${"x".repeat((n * 7919) % 700)}\n`

/** Appends lines for ever; after each flush it says how many lines are durable, or the code of the failure. */
const appender = (path: string) => `
  import * as Effect from "effect/Effect"
  import * as AppendFile from ${JSON.stringify(module)}
  const lineOf = (n) => n + " " + "x".repeat((n * 7919) % 700) + "\\n"
  const main = Effect.scoped(Effect.gen(function* () {
    const file = yield* AppendFile.open({ path: ${JSON.stringify(path)}, intervalMillis: 5 })
    for (let n = 0; ; ) {
      for (let k = 0; k < 1 + (n % 40); k++) file.append(lineOf(n++))
      yield* file.flushed(file.end())
      require("node:fs").writeSync(1, n + "\\n")
    }
  }))
  await Effect.runPromise(main).catch((error) => require("node:fs").writeSync(1, error.code + "\\n"))
`

const start = (command: ReadonlyArray<string>) =>
  Effect.acquireRelease(
    Effect.sync(() => Bun.spawn([...command], { cwd: root, stdout: "pipe", stderr: "inherit" })),
    (child) =>
      Effect.promise(async () => {
        child.kill("SIGKILL")
        await child.exited
      }),
  )

/** Every line of the file is the one that was appended there; answers with their number and what is left after them. */
const wholeLines = (text: string) => {
  const lines = text.split("\n")
  const rest = lines.pop() ?? ""
  for (const [n, line] of lines.entries()) assert.strictEqual(`${line}\n`, lineOf(n))
  return { count: lines.length, rest }
}

describe("a file that only grows", () => {
  it.live("shares one flush among all appends that come while another is under way", () =>
    Effect.scoped(
      Effect.gen(function* () {
        const path = join(yield* folder, "a.ndjson")
        const file = yield* AppendFile.open({ path, intervalMillis: 60_000 })
        const append = (n: number) => Effect.suspend(() => file.flushed(file.append(lineOf(n))))
        yield* Effect.forEach(
          Array.from({ length: 1000 }, (_, n) => n),
          append,
          { concurrency: "unbounded" },
        )
        assert.isAtMost(file.flushes(), 3)
        assert.strictEqual(wholeLines(yield* read(path)).count, 1000)
        assert.strictEqual(file.end(), Buffer.byteLength(yield* read(path)))
        const before = file.flushes()
        for (const n of [1000, 1001, 1002]) yield* append(n)
        assert.strictEqual(file.flushes(), before + 3)
        yield* file.flushed(file.end())
        assert.strictEqual(file.flushes(), before + 3)
      }),
    ),
  )

  it.live("is flushed every interval while lines never stop coming and nobody waits", () =>
    Effect.scoped(
      Effect.gen(function* () {
        const file = yield* AppendFile.open({ path: join(yield* folder, "a.ndjson"), intervalMillis: 2 })
        const line = `${"x".repeat(30_000)}\n`
        const append = Effect.promise<void>(() => new Promise((next) => (file.append(line), setImmediate(next))))
        yield* Effect.repeat(append, { until: () => file.flushes() >= 5 })
      }),
    ),
  )

  it.live("counts bytes, not characters, and has nothing left to flush when its scope has closed", () =>
    Effect.gen(function* () {
      const path = join(yield* folder, "new/folder/a.ndjson")
      const scope = yield* Scope.make()
      const open = AppendFile.open({ path, intervalMillis: 60_000 })
      const file = yield* Effect.provideService(open, Scope.Scope, scope)
      assert.strictEqual(file.append("段取り\n"), 10)
      yield* file.flushed(10)
      file.append("é\n")
      file.append("z\n")
      yield* Scope.close(scope, Exit.void)
      assert.strictEqual(yield* read(path), "段取り\né\nz\n")
      assert.strictEqual((yield* Effect.promise(() => Fs.stat(path))).mode & 0o777, 0o600)
      const again = yield* Effect.scoped(
        Effect.map(AppendFile.open({ path, keepBytes: 13, intervalMillis: 1 }), (kept) => kept.append("y\n")),
      )
      assert.strictEqual(again, 15)
      assert.strictEqual(yield* read(path), "段取り\né\ny\n")
    }),
  )

  it.live("flushes what nobody waits for when the interval is over", () =>
    Effect.scoped(
      Effect.gen(function* () {
        const path = join(yield* folder, "a.ndjson")
        const file = yield* AppendFile.open({ path, intervalMillis: 1 })
        file.append("a\n")
        while (file.flushes() === 0) yield* Effect.promise(() => new Promise((resolve) => setImmediate(resolve)))
        assert.strictEqual(yield* read(path), "a\n")
      }),
    ),
  )

  it.live("has every acknowledged line after kill -9, and no more than a torn last line", () =>
    Effect.gen(function* () {
      const at = yield* folder
      for (const [i, acknowledgements] of [1, 2, 5, 17, 40, 90].entries()) {
        const path = join(at, `${i}.ndjson`)
        yield* Effect.scoped(
          Effect.gen(function* () {
            const child = yield* start([process.execPath, "-e", appender(path)])
            let said = ""
            yield* Effect.promise(async () => {
              for await (const chunk of child.stdout.pipeThrough(new TextDecoderStream())) {
                said += chunk
                if (said.split("\n").length > acknowledgements) child.kill("SIGKILL")
              }
              await child.exited
            })
            assert.strictEqual(child.signalCode, "SIGKILL")
            const acknowledged = Number(said.split("\n").at(-2))
            assert.isAtLeast(acknowledged, 1)
            const { count, rest } = wholeLines(yield* read(path))
            assert.isAtLeast(count, acknowledged)
            assert.isTrue(lineOf(count).startsWith(rest), rest)
          }),
        )
      }
    }),
  )

  it.live("is cut back to the last whole line, and broken for good, when the disk takes no more", () =>
    Effect.gen(function* () {
      const path = join(yield* folder, "a.ndjson")
      yield* Effect.scoped(
        Effect.gen(function* () {
          const limited = `trap '' XFSZ; ulimit -f 64; exec "$0" -e "$1"`
          const child = yield* start(["sh", "-c", limited, process.execPath, appender(path)])
          const said = (yield* Effect.promise(() => new Response(child.stdout).text())).trimEnd().split("\n")
          assert.strictEqual(said.at(-1), "EFBIG")
          const { count, rest } = wholeLines(yield* read(path))
          assert.strictEqual(rest, "")
          assert.isAtLeast(count, Number(said.at(-2)))
          const { size } = yield* Effect.promise(() => Fs.stat(path))
          assert.isAbove(size + Buffer.byteLength(lineOf(count)), 64 * 512)
        }),
      )
    }),
  )

  it.live("says that it cannot be opened", () =>
    Effect.gen(function* () {
      const path = yield* folder
      const refused = yield* Effect.flip(Effect.scoped(AppendFile.open({ path, intervalMillis: 1 })))
      assert.strictEqual(refused._tag, "FileFailed")
      assert.strictEqual(refused.code, "EISDIR")
    }),
  )
})
