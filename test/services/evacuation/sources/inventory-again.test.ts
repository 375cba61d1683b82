import * as Fs from "node:fs"
import { join } from "node:path"
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as TestClock from "effect/testing/TestClock"
import * as Inventory from "../../../../src/services/evacuation/sources/inventory.ts"
import * as Place from "../destination/place.ts"
import { pathsOf, take } from "./inventory-place.ts"

const { collector, write } = Place

describe("the inventory", () => {
  it.effect("takes the first files that fit into max_bytes, and lists the others; another call looks again", () =>
    Effect.gen(function* () {
      const project = yield* Place.folder
      for (const [name, size] of [
        ["a", 600],
        ["b", 500],
        ["c", 400],
      ] as const)
        write(join(project, "tree", name), "x".repeat(size))
      const took = yield* take(project, Place.section(collector({ max_bytes: "1kB" })))
      assert.deepStrictEqual(pathsOf(took.files), ["tree/a", "tree/c"])
      assert.deepStrictEqual(took.others, [
        { collector: "tree", source: join(project, "tree/b"), reason: "over the limit of 1kB", bytes: 500 },
      ])
      const [{ outcome, reason, truncated }] = took.endings
      assert.deepStrictEqual([outcome, reason, truncated], ["ok", "1 file is over the limit of 1kB", true])
      const again = yield* take(project, Place.section(collector({ max_bytes: "1kB" })))
      assert.deepStrictEqual([again.files, again.others], [took.files, took.others])
      const whole = yield* take(project, Place.section(collector({ max_bytes: "2kB" })))
      assert.deepStrictEqual(pathsOf(whole.files), ["tree/a", "tree/c", "tree/b"])
      assert.deepStrictEqual(whole.others, [])
      assert.deepStrictEqual([whole.endings[0].files, whole.endings[0].bytes], [3, 1500])
    }),
  )

  it.effect("keeps what is listed of a collector that ended ok, and looks at no file of it again", () =>
    Effect.gen(function* () {
      const project = yield* Place.folder
      write(join(project, "tree/a"), "x")
      const first = yield* take(project, Place.section(collector(), collector({ name: "late", root: "late" })))
      assert.deepStrictEqual(
        first.endings.map(({ outcome }) => outcome),
        ["ok", "skipped"],
      )
      const same = yield* take(project, Place.section(collector(), collector({ name: "late", root: "late" })))
      assert.deepStrictEqual(same.collected, first.collected, "what is skipped for the same reason is not said again")
      write(join(project, "tree/new"), "x")
      write(join(project, "late/file"), "x")
      const second = yield* take(project, Place.section(collector(), collector({ name: "late", root: "late" })))
      assert.deepStrictEqual(pathsOf(second.files), ["tree/a", "late/file"])
      assert.deepStrictEqual(second.endings[0], first.endings[0])
      assert.strictEqual(second.endings[1].outcome, "ok")
      const third = yield* take(project, Place.section(collector(), collector({ name: "late", root: "late" })))
      assert.deepStrictEqual([third.files, third.collected], [second.files, second.collected])
    }),
  )

  it.effect("lists nothing twice after a crash in the middle of its lines", () =>
    Effect.gen(function* () {
      const project = yield* Place.folder
      for (const name of ["a", "b", "c"]) write(join(project, "tree", name), name)
      const first = yield* take(project, Place.section(collector()))
      const [list, ended] = ["inventory.ndjson", "collected.ndjson"].map((name) => join(first.path, name))
      const whole = Fs.readFileSync(list)
      for (let length = 0; length <= whole.length; length += 7) {
        Fs.writeFileSync(list, whole.subarray(0, length))
        Fs.writeFileSync(ended, "")
        yield* Effect.gen(function* () {
          yield* Inventory.take(yield* Place.incident())
        }).pipe(Effect.provide(Place.services(project, Place.section(collector()))))
        const lines = Fs.readFileSync(list, "utf8").split("\n")
        const paths = lines.flatMap((line) => /"path":"([^"]*)".*\}$/.exec(line)?.[1] ?? [])
        assert.deepStrictEqual(paths, ["tree/a", "tree/b", "tree/c"])
      }
    }),
  )

  it.effect("looks at nothing once the deadline is over, and says so", () =>
    Effect.gen(function* () {
      const project = yield* Place.folder
      write(join(project, "tree/a"), "x")
      yield* TestClock.setTime(5_000)
      const late = yield* take(project, Place.section(collector()), 5_000)
      assert.deepStrictEqual(late.files, [])
      assert.deepStrictEqual(late.others, [{ collector: "tree", source: join(project, "tree"), reason: "deadline" }])
      assert.strictEqual(late.endings[0].outcome, "failed")
      const again = yield* take(project, Place.section(collector()))
      assert.deepStrictEqual(pathsOf(again.files), ["tree/a"])
      assert.deepStrictEqual(again.others, [])
    }),
  )

  it.effect(
    "cut by its time limit, it has each file listed or below a folder that is listed; another call takes the rest",
    () =>
      Effect.gen(function* () {
        const project = yield* Place.folder
        const all: Array<string> = []
        for (let folder = 0; folder < 20; folder++)
          for (let file = 0; file < 30; file++) {
            write(join(project, `tree/${folder}/${file}`), "x")
            all.push(join(project, `tree/${folder}/${file}`))
          }
        /** A millisecond goes by with each turn of the event loop, of which a walk takes some for each folder. */
        const ticking = <A, E>(effect: Effect.Effect<A, E>) =>
          Effect.gen(function* () {
            const fiber = yield* Effect.forkChild(effect)
            while (fiber.pollUnsafe() === undefined) {
              yield* TestClock.adjust(1)
              yield* Effect.promise(() => new Promise(setImmediate))
            }
            return yield* Fiber.join(fiber)
          })
        let cuts = 0
        for (const time of [0, 1, 5, 20, 40, 80].map((millis) => `${millis}ms`)) {
          Fs.rmSync(join(project, ".dandori"), { recursive: true, force: true })
          const took = yield* ticking(take(project, Place.section(collector({ time }))))
          const listed = new Set(took.files.map(({ source }) => source))
          const left = took.others.map(({ source }) => source)
          assert.isTrue(took.others.every(({ reason }) => reason === `the time limit of ${time} is over`))
          assert.isTrue(all.every((path) => listed.has(path) || left.some((folder) => path.startsWith(`${folder}/`))))
          assert.strictEqual(took.endings[0].outcome, left.length === 0 ? "ok" : "failed")
          if (left.length > 0) cuts++
          const whole = yield* take(project, Place.section(collector()))
          assert.deepStrictEqual(whole.files.map(({ source }) => source).toSorted(), all.toSorted())
          assert.deepStrictEqual(whole.others, [])
        }
        assert.isAtLeast(cuts, 3)
      }),
  )
})
