import * as Fs from "node:fs/promises"
import { readFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Logger from "effect/Logger"
import * as Queue from "effect/Queue"
import * as Schema from "effect/Schema"
import { TestClock } from "effect/testing"
import type { Arrival, ListedFile } from "../../src/domain/file-arrival.ts"
import * as FileArrival from "../../src/services/file-arrival.ts"
import * as FileListing from "../../src/services/file-listing.ts"

const folder = Effect.acquireRelease(
  Effect.promise(() => Fs.mkdtemp(join(tmpdir(), "arrival "))),
  (path) => Effect.promise(() => Fs.rm(path, { recursive: true, force: true })),
)

class NoDisk extends Schema.TaggedError<NoDisk>()("NoDisk", { message: Schema.String }) {}

/** What outlives a process: files that were taken, and arrivals in the order in which they were. */
const memory = () => {
  const remembered = new Map<string, ListedFile>()
  const taken: Array<Arrival> = []
  let trouble: "none" | "full" | "broken" = "none"
  /** A process that watches a folder. */
  const watch = (options: Partial<FileArrival.Options<NoDisk, never>> & { readonly folder: string }, isFirst = false) =>
    FileArrival.make<NoDisk, never>({
      pattern: "*.csv",
      complete: { by: "stability", millis: 10_000 },
      everyMillis: 1_000,
      remembered: isFirst ? undefined : [...remembered.values()],
      remember: (files) => Effect.sync(() => files.forEach((file) => remembered.set(file.path, file))),
      forget: (paths) => Effect.sync(() => paths.forEach((path) => remembered.delete(path))),
      take: (arrival) =>
        Effect.suspend(() => {
          if (trouble === "broken") return Effect.fail(new NoDisk({ message: "the database is away" }))
          if (trouble === "full") return Effect.succeed(false)
          remembered.set(arrival.file.path, arrival.file)
          taken.push(arrival)
          return Effect.succeed(true)
        }),
      ...options,
    })
  const names = () => taken.map(({ file }) => file.path)
  return { watch, taken, names, trouble: (next: typeof trouble) => void (trouble = next) }
}

const write = (path: string, text: string) => Effect.promise(() => Fs.writeFile(path, text))
const pathsOf = ({ files }: FileListing.Listing) => files.map(({ path }) => path).toSorted()

describe("listing of files that may arrive", () => {
  it.live("has regular files that the pattern names, whatever is in their names, and follows no link", () =>
    Effect.gen(function* () {
      const place = yield* folder
      const [inside, outside] = [join(place, "in"), join(place, "out")]
      yield* Effect.promise(() => Fs.mkdir(join(inside, "deep", "er"), { recursive: true }))
      yield* Effect.promise(() => Fs.mkdir(outside))
      for (const name of ["a b.csv", "c\nd.csv", "段.csv", ".hidden.csv", "no.txt", "deep/e.csv", "deep/er/f.csv"]) {
        yield* write(join(inside, name), "x")
      }
      yield* write(join(outside, "secret.csv"), "x")
      yield* Effect.promise(() => Fs.mkdir(join(inside, "folder.csv")))
      yield* Effect.promise(() => Fs.symlink(join(outside, "secret.csv"), join(inside, "link.csv")))
      yield* Effect.promise(() => Fs.symlink(outside, join(inside, "linked")))
      assert.strictEqual(Bun.spawnSync(["mkfifo", join(inside, "pipe.csv")]).exitCode, 0)
      const flat = ["a b.csv", "c\nd.csv", "段.csv"].toSorted()
      assert.deepStrictEqual(pathsOf(yield* FileListing.list(inside, "*.csv")), flat)
      const all = [...flat, "deep/e.csv", "deep/er/f.csv"].toSorted()
      assert.deepStrictEqual(pathsOf(yield* FileListing.list(inside, "**/*.csv")), all)
      assert.deepStrictEqual(pathsOf(yield* FileListing.list(inside, "deep/*.csv")), ["deep/e.csv"])
      assert.deepStrictEqual(pathsOf(yield* FileListing.list(inside, ".*.csv")), [".hidden.csv"])
      assert.deepStrictEqual(pathsOf(yield* FileListing.list(inside, "{no,nothing}.*")), ["no.txt"])
      yield* Effect.promise(() => Fs.symlink(inside, join(place, "to in")))
      assert.deepStrictEqual(pathsOf(yield* FileListing.list(join(place, "to in"), "*.csv")), flat)
    }),
  )

  it.live("has the markers of files that the pattern names", () =>
    Effect.gen(function* () {
      const place = yield* folder
      for (const name of ["a.csv", "a.csv.done", "b.txt.done", ".done"]) yield* write(join(place, name), "x")
      assert.deepStrictEqual(pathsOf(yield* FileListing.list(place, "*.csv", ".done")), ["a.csv", "a.csv.done"])
    }),
  )

  it.live("counts files whose names are no text", () =>
    Effect.gen(function* () {
      const place = yield* folder
      const made = Bun.spawnSync(["sh", "-c", String.raw`: > "$(printf 'a\377.csv')" && : > b.csv`], { cwd: place })
      if (process.platform === "darwin") return
      assert.strictEqual(made.exitCode, 0)
      const listing = yield* FileListing.list(place, "*.csv")
      assert.deepStrictEqual([pathsOf(listing), listing.unnamed], [["b.csv"], 1])
    }),
  )
})

describe("arrival of files in a folder", () => {
  it.effect(
    "waits until a file is no longer written, and takes it once, over restarts; written anew, it arrives again",
    () =>
      Effect.gen(function* () {
        const place = yield* folder
        const { names, watch } = memory()
        yield* write(join(place, "before.csv"), "was there")
        let { look } = watch({ folder: place }, true)
        assert.strictEqual(yield* look, 0)
        for (let part = 0; part < 5; part++) {
          yield* Effect.promise(() => Fs.appendFile(join(place, "a.csv"), "part\n"))
          assert.strictEqual(yield* look, 0)
          yield* TestClock.adjust(9_000)
        }
        assert.strictEqual(yield* look, 0)
        yield* TestClock.adjust(1_000)
        assert.strictEqual(yield* look, 1)
        assert.deepStrictEqual(names(), ["a.csv"])
        ;({ look } = watch({ folder: place }))
        for (let more = 0; more < 3; more++) {
          assert.strictEqual(yield* look, 0)
          yield* TestClock.adjust(20_000)
        }
        yield* write(join(place, "a.csv"), "anew")
        yield* Effect.promise(() => Fs.rename(join(place, "before.csv"), join(place, "moved.csv")))
        yield* look
        yield* TestClock.adjust(10_000)
        assert.strictEqual(yield* look, 2)
        assert.deepStrictEqual(names().toSorted(), ["a.csv", "a.csv", "moved.csv"])
        yield* TestClock.adjust(10_000)
        assert.strictEqual(yield* look, 0)
      }),
  )

  it.effect("brings a file again that was not taken, because there was no room or the record failed", () =>
    Effect.gen(function* () {
      const place = yield* folder
      const { names, taken, trouble, watch } = memory()
      const { look } = watch({ folder: place, complete: { by: "rename" } }, true)
      yield* look
      for (const name of ["a.csv", "b.csv"]) yield* write(join(place, name), name)
      trouble("full")
      assert.strictEqual(yield* look, 0)
      trouble("broken")
      assert.strictEqual((yield* Effect.flip(look)).message, "the database is away")
      trouble("none")
      assert.strictEqual(yield* look, 2)
      assert.strictEqual(yield* look, 0)
      assert.deepStrictEqual(names().toSorted(), ["a.csv", "b.csv"])
      assert.strictEqual(new Set(taken.map(({ key }) => key)).size, 2)
    }),
  )

  it.effect("says once that its folder is away, and takes nothing twice when it is back", () =>
    Effect.gen(function* () {
      const place = yield* folder
      const here = join(place, "here")
      const { names, watch } = memory()
      const said: Array<string> = []
      const done = yield* Queue.unbounded<void>()
      const { look, run } = watch({ folder: here, complete: { by: "rename" } }, true)
      assert.strictEqual(yield* look, 0)
      yield* Effect.promise(() => Fs.mkdir(here))
      yield* write(join(here, "a.csv"), "first")
      assert.strictEqual(yield* look, 1)
      yield* Effect.promise(() => Fs.rename(here, join(place, "away")))
      const problem = yield* Effect.flip(look)
      assert.include(problem.message, here)
      const logger = Logger.make(({ message }) => {
        said.push(String(message))
        Queue.offerUnsafe(done, undefined)
      })
      yield* Effect.forkScoped(Effect.provide(run, Logger.layer([logger])))
      yield* Queue.take(done)
      yield* Effect.flip(look)
      yield* Effect.promise(() => Fs.rename(join(place, "away"), here))
      const turns = Effect.andThen(
        TestClock.adjust(1_000),
        Effect.promise(() => new Promise<void>((go) => setImmediate(go))),
      )
      yield* Effect.repeat(turns, { until: () => said.length >= 2 })
      assert.deepStrictEqual(names(), ["a.csv"])
      assert.include(said[0], `Files of ${here} do not arrive`)
      assert.strictEqual(said[1], `Files of ${here} arrive again`)
    }),
  )

  it.effect("holds ten thousand files, each once", () =>
    Effect.gen(function* () {
      const place = yield* folder
      const { names, watch } = memory()
      const { look } = watch({ folder: place }, true)
      yield* look
      const all = Array.from({ length: 10_000 }, (_, nth) => `${nth}.csv`)
      yield* Effect.promise(() => Promise.all(all.map((name) => Fs.writeFile(join(place, name), name))))
      assert.strictEqual(yield* look, 0)
      yield* TestClock.adjust(10_000)
      assert.strictEqual(yield* look, 10_000)
      yield* TestClock.adjust(10_000)
      assert.strictEqual(yield* look, 0)
      assert.deepStrictEqual(names().toSorted(), all.toSorted())
      assert.strictEqual(yield* watch({ folder: place }).look, 0)
    }),
  )

  it.live("takes whole files only, each once, while another process renames hundreds into place", () =>
    Effect.gen(function* () {
      const place = yield* folder
      const writer = `
        const fs = require("node:fs")
        for (let nth = 0; nth < 400; nth++) {
          const name = nth % 100 + ".csv"
          const file = fs.openSync("." + name, "w")
          for (let part = 0; part < 4; part++) fs.writeSync(file, String(nth).padStart(999, "-") + "\\n")
          fs.closeSync(file)
          fs.renameSync("." + name, name)
          if (nth % 100 === 99) fs.readSync(0, Buffer.alloc(1))
        }
      `
      const twice: Array<string> = []
      const rounds: Array<Map<string, string>> = []
      let round = new Map<string, string>()
      const full = yield* Queue.unbounded<void>()
      const { run } = memory().watch({
        folder: place,
        complete: { by: "rename" },
        everyMillis: 1,
        remembered: [],
        take: ({ file }) =>
          Effect.sync(() => {
            if (round.has(file.path)) twice.push(file.path)
            round.set(file.path, readFileSync(join(place, file.path), "utf8"))
            if (round.size === 100) {
              rounds.push(round)
              round = new Map()
              Queue.offerUnsafe(full, undefined)
            }
            return true
          }),
      })
      yield* Effect.forkScoped(run)
      const child = Bun.spawn([process.execPath, "-e", writer], { cwd: place, stdin: "pipe", stderr: "inherit" })
      yield* Effect.addFinalizer(() => Effect.sync(() => child.kill("SIGKILL")))
      for (let nth = 0; nth < 4; nth++) {
        yield* Queue.take(full)
        child.stdin.write("x")
        child.stdin.flush()
      }
      yield* Effect.promise(() => child.exited)
      assert.deepStrictEqual([twice, round.size], [[], 0])
      for (const [nth, files] of rounds.entries()) {
        for (const [name, text] of files) {
          const line = String(nth * 100 + Number.parseInt(name, 10)).padStart(999, "-")
          assert.strictEqual(text, `${line}\n`.repeat(4))
        }
      }
    }),
  )
})
