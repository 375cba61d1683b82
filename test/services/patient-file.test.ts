import * as Fs from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { assert, describe, it } from "@effect/vitest"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as TestClock from "effect/testing/TestClock"
import * as PatientFile from "../../src/services/patient-file.ts"
import { away, back, swap } from "../support/open-file.ts"

const folder = Effect.acquireRelease(
  Effect.sync(() => Fs.mkdtempSync(join(tmpdir(), "dandori patient "))),
  (path) => Effect.sync(() => Fs.rmSync(path, { recursive: true, force: true })),
)

/** A patient file with its first line durable, and the news of it. */
const begun = Effect.fnUntraced(function* (limit?: number) {
  const path = join(yield* folder, "a.ndjson")
  let time = 0
  const given = limit === undefined ? {} : { limit }
  const file = yield* PatientFile.open({ path, intervalMillis: 60_000, now: () => ++time, ...given })
  const news: Array<PatientFile.News> = []
  const recovered = yield* Deferred.make<void>()
  file.watch((what) => {
    news.push(what)
    if (what._tag === "Recovered") Deferred.doneUnsafe(recovered, Effect.void)
  })
  yield* file.flushed(file.append("one\n"))
  return { path, file, news, recovered: Deferred.await(recovered) }
})

const read = (path: string) => Fs.readFileSync(path, "utf8")

describe("a patient file", () => {
  it.live("is as strict as any before its first flush", () =>
    Effect.gen(function* () {
      const path = join(yield* folder, "a.ndjson")
      const file = yield* PatientFile.open({ path, intervalMillis: 60_000, now: () => 1 })
      swap(path, "/dev/full")
      file.append("one\n")
      assert.strictEqual((yield* Effect.flip(file.flushed(file.end()))).code, "ENOSPC")
      assert.strictEqual((yield* file.broken).code, "ENOSPC")
      assert.strictEqual((yield* Effect.flip(file.settled)).code, "ENOSPC")
    }).pipe(Effect.scoped),
  )

  it.live("goes on when it cannot be written, says so once, and says what is missing", () =>
    Effect.gen(function* () {
      const { file, news, path } = yield* begun()
      swap(path, "/dev/full")
      away(path)
      for (const line of ["two\n", "three\n"]) yield* file.flushed(file.append(line))
      const behind = yield* file.settled
      assert.deepInclude(behind, { lines: 2, since: 1 })
      assert.strictEqual(behind?.error.code, "ENOENT")
      assert.deepStrictEqual(
        news.map((what) => (what._tag === "Stalled" ? [what.behind.lines, what.behind.error.code] : [])),
        [[1, "ENOSPC"]],
      )
      assert.strictEqual(read(`${path}.away`), "one\n")
      back(path)
      assert.isUndefined(yield* file.settled)
      assert.strictEqual(read(path), "one\ntwo\nthree\n")
      assert.deepStrictEqual(news.at(-1), { _tag: "Recovered", lines: 2, since: 1 })
      yield* file.flushed(file.append("four\n"))
      assert.strictEqual(read(path), "one\ntwo\nthree\nfour\n")
      assert.lengthOf(news, 2)
    }).pipe(Effect.scoped),
  )

  it.live("leaves in the file what was written there, and goes on after it", () =>
    Effect.gen(function* () {
      const { file, path } = yield* begun()
      file.append("two\n")
      while (read(path) !== "one\ntwo\n") yield* Effect.promise(() => new Promise((resolve) => setImmediate(resolve)))
      swap(path, "/dev/full")
      file.append("three\n")
      file.append("four\n")
      away(path)
      assert.deepInclude(yield* file.settled, { lines: 3 })
      assert.strictEqual(read(`${path}.away`), "one\ntwo\n")
      back(path)
      assert.isUndefined(yield* file.settled)
      assert.strictEqual(read(path), "one\ntwo\nthree\nfour\n")
    }).pipe(Effect.scoped),
  )

  it.live("tries again with the next line, though nobody waits for it", () =>
    Effect.gen(function* () {
      const { file, news, path, recovered } = yield* begun()
      swap(path, "/dev/full")
      away(path)
      yield* file.flushed(file.append("two\n"))
      back(path)
      for (let n = 0; n < 1_000; n++) file.append(`${n} 段取り\n`)
      yield* recovered
      assert.isUndefined(yield* file.settled)
      assert.strictEqual(read(path), `one\ntwo\n${Array.from({ length: 1_000 }, (_, n) => `${n} 段取り\n`).join("")}`)
      assert.lengthOf(news, 2)
    }).pipe(Effect.scoped),
  )

  it.live(
    "writes again all that came after the last good flush when one fails, since nobody knows what became of it",
    () =>
      Effect.gen(function* () {
        const { file, news, path } = yield* begun()
        swap(path, "/dev/null")
        yield* file.flushed(file.append("two\n"))
        assert.deepStrictEqual(
          news.map((what) => what._tag),
          ["Stalled", "Recovered"],
        )
        assert.strictEqual(read(path), "one\ntwo\n")
      }).pipe(Effect.scoped),
  )

  it.effect("tries again after a while, though nothing comes", () =>
    Effect.gen(function* () {
      const { file, path, recovered } = yield* begun()
      swap(path, "/dev/full")
      away(path)
      yield* file.flushed(file.append("two\n"))
      back(path)
      const turn = Effect.promise(() => new Promise((resolve) => setImmediate(resolve)))
      yield* Effect.raceFirst(recovered, Effect.forever(Effect.andThen(TestClock.adjust("10 seconds"), turn)))
      assert.strictEqual(read(path), "one\ntwo\n")
    }).pipe(Effect.scoped),
  )

  it.live("does not go on with a file that somebody has cut", () =>
    Effect.gen(function* () {
      const { file, path } = yield* begun()
      swap(path, "/dev/full")
      Fs.truncateSync(path, 2)
      file.append("two\n")
      assert.strictEqual((yield* file.settled)?.error.code, "CUT")
      assert.strictEqual(read(path), "on")
    }).pipe(Effect.scoped),
  )

  it.live("is broken for good when it has more to keep than its limit, and tries once more when it is closed", () =>
    Effect.gen(function* () {
      const at = join(yield* folder, "a.ndjson")
      yield* Effect.gen(function* () {
        const { file, path } = yield* begun(20)
        swap(path, "/dev/full")
        away(path)
        yield* file.flushed(file.append("0123456789\n"))
        file.append("0123456789\n")
        assert.strictEqual((yield* file.broken).code, "ENOENT")
        assert.strictEqual((yield* Effect.flip(file.flushed(file.end()))).code, "ENOENT")
        Fs.linkSync(`${path}.away`, at)
        back(path)
      }).pipe(Effect.scoped)
      assert.strictEqual(read(at), "one\n0123456789\n0123456789\n")
    }).pipe(Effect.scoped),
  )
})
