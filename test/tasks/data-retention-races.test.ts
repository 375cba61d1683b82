import * as Fs from "node:fs"
import { join } from "node:path"
import { fileURLToPath } from "node:url"
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import type * as Layer from "effect/Layer"
import type * as Scope from "effect/Scope"
import * as Sha256 from "../../src/domain/sha256.ts"
import * as FileLock from "../../src/services/file-lock.ts"
import type { Output } from "../../tasks/data-purge/index.ts"
import * as Project from "../ledger/fixtures/project.ts"
import * as Place from "./data-place.ts"
import * as Retention from "./retention-place.ts"

const script = (name: string) => fileURLToPath(new URL(name, import.meta.url))
const months = ["2020-01", "2020-02"]
const folderOf = (month: string) => `.dandori/canonical/1h/EURUSD/${month}`
const paths = (all: ReadonlyArray<{ readonly path: string }>) => all.map(({ path }) => path)

type Needs = Layer.Success<ReturnType<typeof Place.services>>

/** Everything of a project at a time, as a process of its own sees it. */
const at = <A, E>(root: string, now: number, use: Effect.Effect<A, E, Needs | Scope.Scope>) =>
  Effect.scoped(Effect.provide(use, Place.services(root, Retention.makeClock(now))))

/** Makes what lies there one that was put long ago. */
const age = (root: string) => {
  for (const month of months) {
    for (const name of Fs.readdirSync(join(root, folderOf(month)))) {
      const then = Date.UTC(2020, 5, 1) / 1_000
      Fs.utimesSync(join(root, folderOf(month), name), then, then)
    }
  }
}

/** So long from now on that what the tests write now is old, whatever time it was given. */
const soon = Date.now() + 4_000 * Place.dayMillis
const later = soon + 3 * Place.dayMillis

/** A project with two old months that `seed` has made, and other data, all marked, whose grace is over `later`. */
const prepared = Effect.gen(function* () {
  const root = yield* Place.project
  Place.bars(root, months)
  yield* at(
    root,
    soon,
    Effect.gen(function* () {
      yield* Project.writeRun(Project.runId(99), [])
      yield* Place.seedMonths("first", months)
      age(root)
      Place.put(root, ".dandori/snapshots/s1/deep/a", "a")
      Place.put(root, ".dandori/snapshots/s1/b", "b")
      Place.put(root, ".dandori/features/deep/x.parquet", "x")
      assert.lengthOf((yield* Place.pass("marks")).due, 4)
    }),
  )
  return root
})

describe("a purge of data", () => {
  it.live("leaves what was seeded between mark and purge, though the bytes are the same", () =>
    Effect.scoped(
      Effect.gen(function* () {
        const root = yield* prepared
        const { kept, purged } = yield* at(
          root,
          later,
          Effect.andThen(Place.seedMonths("again", months), Place.pass("purges")),
        )
        assert.deepStrictEqual(paths(purged).toSorted(), [".dandori/features/deep/x.parquet", ".dandori/snapshots/s1"])
        assert.strictEqual(kept, 2)
        for (const month of months)
          assert.isAtLeast(Fs.statSync(join(root, folderOf(month), "canonical.json")).mtimeMs, soon - 1)
      }),
    ),
  )

  it.live("leaves a partition while somebody holds its folder, and takes it the next time", () =>
    Effect.scoped(
      Effect.gen(function* () {
        const root = yield* prepared
        const held = FileLock.acquireFolder(join(root, folderOf("2020-01")), "exclusive")
        const { left, purged } = yield* at(root, later, Effect.scoped(Effect.andThen(held, Place.pass("busy"))))
        assert.lengthOf(purged, 3)
        assert.deepStrictEqual(left, [
          { class: "canonical", path: folderOf("2020-01"), why: "somebody places it now; it goes another time" },
        ])
        assert.deepStrictEqual(paths((yield* at(root, later, Place.pass("free"))).purged), [folderOf("2020-01")])
      }),
    ),
  )

  it.live("is waited for by seed, which makes again what it has taken away", () =>
    Effect.scoped(
      Effect.gen(function* () {
        const root = yield* prepared
        const folder = join(root, folderOf("2020-01"))
        const seeding = yield* Effect.scoped(
          Effect.gen(function* () {
            yield* FileLock.acquireFolder(folder, "exclusive")
            const fiber = yield* Effect.forkDetach(at(root, later, Place.seedMonths("waits", months)))
            yield* Effect.sleep(300)
            assert.isUndefined(fiber.pollUnsafe())
            Fs.renameSync(folder, `${folder}.away`)
            return fiber
          }),
        )
        const { dataset } = yield* Fiber.join(seeding)
        for (const { path, sha256 } of dataset.partitions) {
          assert.strictEqual(Sha256.of(Fs.readFileSync(join(root, path))), sha256)
        }
      }),
    ),
  )

  it.live("keeps one pass from another, which may be tried again", () =>
    Effect.scoped(
      Effect.gen(function* () {
        const root = yield* prepared
        const held = FileLock.acquire(join(root, ".dandori/retention/lock"))
        const busy = yield* at(root, later, Effect.flip(Effect.scoped(Effect.andThen(held, Place.pass("busy")))))
        assert.deepInclude(busy, { _tag: "LockBusy", transient: true, notApplied: true })
      }),
    ),
  )

  it.live(
    "beside a process that seeds never takes what that has just told of, and neither waits for the other for ever",
    () =>
      Effect.scoped(
        Effect.gen(function* () {
          const root = yield* prepared
          const child = Bun.spawn([process.execPath, script("data-seeding.ts"), root, String(later)], {
            stderr: "pipe",
          })
          const lines = child.stdout.pipeThrough(new TextDecoderStream()).getReader()
          let told = ""
          let taken = 0
          const reading = (async () => {
            for (let part = await lines.read(); !part.done; part = await lines.read()) told += part.value
          })()
          const until = Date.now() + 60_000
          for (let round = 0; Date.now() < until && (taken < 10 || told.split("\n").length < 10); round++) {
            // Old again: the next pass may take it, unless it is seeded before.
            yield* Effect.ignore(Effect.try(() => age(root)))
            yield* at(root, soon, Place.pass(`marks ${round}`))
            const { purged } = yield* at(root, later, Place.pass(`purges ${round}`))
            taken += purged.filter((one) => one.class === "canonical").length
          }
          assert.isAtLeast(taken, 10)
          const before = told.split("\n").length
          yield* Effect.promise(async () => {
            const until = Date.now() + 30_000
            while (told.split("\n").length < before + 2 && Date.now() < until && child.exitCode === null)
              await Bun.sleep(20)
          })
          assert.isNull(
            child.exitCode,
            yield* Effect.promise(async () => (child.exitCode === null ? "" : new Response(child.stderr).text())),
          )
          child.kill("SIGKILL")
          yield* Effect.promise(() => child.exited)
          yield* Effect.promise(() => reading)
          assert.isAbove(told.split("\n").length, before)
          // What the last whole answer names is there: nobody has made it old since.
          const last = JSON.parse(told.split("\n").at(-2) ?? "[]") as ReadonlyArray<{ path: string; sha256: string }>
          assert.lengthOf(last, 2)
          yield* at(root, later, Place.pass("last"))
          for (const { path, sha256 } of last) assert.strictEqual(Sha256.of(Fs.readFileSync(join(root, path))), sha256)
        }),
      ),
    120_000,
  )
})

/** Purges in a process of its own that dies at its n-th place (0 lives). */
const purgeAndDie = (root: string, n: number) =>
  Effect.promise(async () => {
    const child = Bun.spawn([process.execPath, script("data-killed.ts"), root, String(n), String(later)], {
      stderr: "pipe",
    })
    const [output, errors] = await Promise.all([new Response(child.stdout).text(), new Response(child.stderr).text()])
    await child.exited
    return { signal: child.signalCode, output, errors }
  })

describe("a purge of data that is killed", () => {
  it.live(
    "leaves each unit whole or gone at every place, the next pass finishes it, and a second attempt has the result of an undisturbed one",
    () =>
      Effect.scoped(
        Effect.gen(function* () {
          const whole = yield* prepared
          const alive = yield* purgeAndDie(whole, 0)
          assert.strictEqual(alive.errors, "")
          const { output, places } = JSON.parse(alive.output) as { places: number; output: Output }
          assert.lengthOf(output.purged, 4)
          assert.isAbove(places, 20)
          const seen = new Set<number>()
          yield* Effect.forEach(
            Array.from({ length: places }, (_, index) => index + 1),
            (n) =>
              Effect.scoped(
                Effect.gen(function* () {
                  const root = yield* prepared
                  const died = yield* purgeAndDie(root, n)
                  assert.strictEqual(died.signal, "SIGKILL", `place ${n}: ${died.errors}`)
                  for (const month of months) {
                    const folder = join(root, folderOf(month))
                    if (Fs.existsSync(folder)) assert.lengthOf(Fs.readdirSync(folder), 3, `place ${n}`)
                  }
                  if (Fs.existsSync(join(root, ".dandori/snapshots/s1"))) {
                    assert.deepStrictEqual(Place.below(root, ".dandori/snapshots/s1"), ["b", "deep", "deep/a"])
                  }
                  const isSame = n % 2 === 1
                  const second = yield* at(root, later, Place.pass(isSame ? "killed" : "the next night's"))
                  const sorted = ({ purged, ...rest }: Output) => ({
                    ...rest,
                    purged: purged.toSorted((a, b) => (a.path < b.path ? -1 : 1)),
                  })
                  if (isSame) assert.deepStrictEqual(sorted(second), sorted(output), `place ${n}`)
                  for (const folder of ["canonical", "features", "snapshots"]) {
                    const left = Place.below(root, `.dandori/${folder}`)
                    // Only the same task knows which folders of features it has emptied.
                    assert.deepStrictEqual(isSame ? left : left.filter((path) => path !== "deep"), [], `place ${n}`)
                  }
                  seen.add(n)
                }),
              ),
            { concurrency: 2 },
          )
          assert.strictEqual(seen.size, places)
        }),
      ),
    400_000,
  )
})
