import * as Fs from "node:fs/promises"
import { join } from "node:path"
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import * as Cordons from "../../src/services/cordons.ts"
import * as LeaseProcess from "../support/lease-process.ts"

const whole = { id: "ir-1", epoch: 1, owner: "ada", reason: "fire", raised: 1 }

const inFolder = <A, E>(use: (cordons: Cordons.Cordons["Service"], folder: string) => Effect.Effect<A, E>) =>
  Effect.flatMap(LeaseProcess.home, (home) => {
    const folder = join(home, "cordons")
    return Effect.promise(() => Fs.mkdir(folder)).pipe(
      Effect.andThen(Cordons.Cordons),
      Effect.flatMap((cordons) => use(cordons, folder)),
      Effect.provide(Layer.fresh(Cordons.layer(folder))),
    )
  })

describe("a cordon's file", () => {
  for (const [what, text] of [
    ["is empty", ""],
    ["is cut off", JSON.stringify(whole).slice(0, -3)],
    ["is of another form", JSON.stringify({ ...whole, epoch: "first" })],
    ["names a pipeline that cannot be", JSON.stringify({ ...whole, scope: ["No Pipeline"] })],
    ["has an empty scope", JSON.stringify({ ...whole, scope: [] })],
    ["says that it is another", JSON.stringify({ ...whole, id: "../../ir-2" })],
  ] as const) {
    it.effect(`that ${what} counts as raised for everything, and is lifted by its own name`, () =>
      inFolder((cordons, folder) =>
        Effect.gen(function* () {
          yield* Effect.promise(() => Fs.writeFile(join(folder, "ir-1.json"), text))
          const found = yield* cordons.against({ pipeline: "nightly" })
          assert.strictEqual(Option.getOrThrow(found).id, "ir-1")
          assert.match(Option.getOrThrow(found).reason, /cannot be read, which counts as raised/)
          yield* cordons.lift("ir-1")
          assert.deepStrictEqual(yield* Effect.promise(() => Fs.readdir(folder)), [])
        }),
      ),
    )
  }

  it.effect("leads to no file beyond its folder, whatever it says that it is", () =>
    inFolder((cordons, folder) =>
      Effect.gen(function* () {
        const precious = join(folder, "../precious.json")
        yield* Effect.promise(async () => {
          await Fs.writeFile(precious, "{}")
          await Fs.writeFile(join(folder, "ir-1.json"), JSON.stringify({ ...whole, id: "../precious" }))
        })
        const error = yield* Effect.flip(cordons.lift("../precious"))
        assert.strictEqual(error._tag, "CordonMissing")
        assert.strictEqual(yield* Effect.promise(() => Fs.readFile(precious, "utf8")), "{}")
      }),
    ),
  )
})
