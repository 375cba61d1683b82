import * as Fs from "node:fs/promises"
import { join } from "node:path"
import { assert, describe, layer } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as CordonPlace from "../support/cordon-place.ts"

const whole = { id: "ir-1", epoch: 1, owner: "ada", reason: "fire", raised: 1 }
const given = { id: "ir-1", owner: "ada", reason: "fire" }
const place = Effect.flatMap(CordonPlace.Places, ({ make }) => make)
const idOf = Option.map(({ id }: { readonly id: string }) => id)

describe.each([
  ["in files", CordonPlace.files],
  ["in files and PostgreSQL", CordonPlace.postgres],
] as const)("cordons %s", (_, places) => {
  layer(places, { excludeTestServices: true })((test) => {
    test.effect("keep what they are about from starting, the oldest first, until they are lifted", () =>
      Effect.gen(function* () {
        const { cordons } = yield* place
        const nightly = cordons.against({ pipeline: "nightly" })
        assert.deepStrictEqual(yield* nightly, Option.none())
        const raised = yield* cordons.raise(given)
        assert.deepInclude(raised, { ...given, epoch: 1 })
        assert.notProperty(raised, "degraded")
        yield* cordons.raise({ ...given, id: "ir-2" })
        assert.deepStrictEqual(idOf(yield* nightly), Option.some("ir-1"))
        assert.deepStrictEqual(yield* cordons.lift("ir-1"), raised)
        assert.deepStrictEqual(idOf(yield* nightly), Option.some("ir-2"))
        yield* cordons.lift("ir-2")
        assert.deepStrictEqual(yield* nightly, Option.none())
        assert.deepStrictEqual(yield* cordons.list, [])
      }),
    )

    test.effect("have epochs that grow, and come back from where they are kept as they were raised", () =>
      Effect.gen(function* () {
        const { cordons } = yield* place
        const scoped = yield* cordons.raise({ ...given, scope: ["nightly", "weekly"], expires: 4_102_444_800_123 })
        const other = yield* cordons.raise({ ...given, id: "ir-2" })
        assert.deepStrictEqual([scoped.epoch, other.epoch], [1, 2])
        assert.deepStrictEqual(yield* cordons.list, [scoped, other])
      }),
    )

    test.effect("of another pipeline, or that have expired, keep nothing; a rollback and the incident's run pass", () =>
      Effect.gen(function* () {
        const { cordons } = yield* place
        yield* cordons.raise({ ...given, id: "other", scope: ["another"] })
        yield* cordons.raise({ ...given, id: "old", expires: 1 })
        assert.deepStrictEqual(yield* cordons.against({ pipeline: "nightly" }), Option.none())
        yield* cordons.raise(given)
        const found = yield* Effect.forEach(
          [
            { pipeline: "nightly" },
            { pipeline: "rollback" },
            { pipeline: "nightly", incident: "ir-1" },
            { pipeline: "nightly", incident: "ir-2" },
          ],
          (starter) => Effect.map(cordons.against(starter), idOf),
        )
        assert.deepStrictEqual(found, [Option.some("ir-1"), Option.none(), Option.none(), Option.some("ir-1")])
      }),
    )

    test.effect("are refused under a name that is taken, which is free again when that is lifted", () =>
      Effect.gen(function* () {
        const { cordons } = yield* place
        const first = yield* cordons.raise(given)
        const error = yield* Effect.flip(cordons.raise({ ...given, reason: "flood" }))
        assert.deepInclude(error, { _tag: "CordonTaken", id: "ir-1", epoch: 1 })
        assert.deepStrictEqual(yield* cordons.list, [first])
        yield* cordons.lift("ir-1")
        const second = yield* cordons.raise({ ...given, reason: "flood" })
        assert.strictEqual(second.reason, "flood")
        assert.deepStrictEqual(yield* cordons.list, [second])
      }),
    )

    test.effect("that are not there cannot be lifted, and whoever tries is told which are", () =>
      Effect.gen(function* () {
        const { cordons } = yield* place
        yield* cordons.raise(given)
        const error = yield* Effect.flip(cordons.lift("ir"))
        assert.strictEqual(error._tag, "CordonMissing")
        assert.match(error.message, /no cordon ir; raised are ir-1/)
      }),
    )

    for (const [what, text] of [
      ["is empty", ""],
      ["is cut off", JSON.stringify(whole).slice(0, -3)],
      ["is of another form", JSON.stringify({ ...whole, epoch: "first" })],
      ["names a pipeline that cannot be", JSON.stringify({ ...whole, scope: ["No Pipeline"] })],
      ["has an empty scope", JSON.stringify({ ...whole, scope: [] })],
      ["says that it is another", JSON.stringify({ ...whole, id: "../../ir-2" })],
    ] as const) {
      test.effect(`with a file that ${what} count as raised for everything, and are lifted by its name`, () =>
        Effect.gen(function* () {
          const { cordons, folder } = yield* place
          yield* Effect.promise(async () => {
            await Fs.mkdir(folder)
            await Fs.writeFile(join(folder, "ir-1.json"), text)
          })
          const found = yield* cordons.against({ pipeline: "nightly" })
          assert.strictEqual(Option.getOrThrow(found).id, "ir-1")
          assert.match(Option.getOrThrow(found).reason, /cannot be read, which counts as raised/)
          assert.strictEqual((yield* Effect.flip(cordons.raise(given)))._tag, "CordonTaken")
          yield* cordons.lift("ir-1")
          assert.deepStrictEqual(yield* Effect.promise(() => Fs.readdir(folder)), [])
        }),
      )
    }

    test.effect("lead to no file beyond their folder, whatever one says that it is", () =>
      Effect.gen(function* () {
        const { cordons, folder } = yield* place
        const precious = join(folder, "../precious.json")
        yield* Effect.promise(async () => {
          await Fs.mkdir(folder)
          await Fs.writeFile(precious, "{}")
          await Fs.writeFile(join(folder, "ir-1.json"), JSON.stringify({ ...whole, id: "../precious" }))
        })
        const error = yield* Effect.flip(cordons.lift("../precious"))
        assert.strictEqual(error._tag, "CordonMissing")
        assert.strictEqual(yield* Effect.promise(() => Fs.readFile(precious, "utf8")), "{}")
      }),
    )
  })
})
