import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Logger from "effect/Logger"
import * as TestClock from "effect/testing/TestClock"
import * as RatedLog from "../../../src/daemon/api/rated-log.ts"

describe("warnings of which there may be any number", () => {
  it.effect("are logged at once, and then once a minute with how many more there were of a kind", () => {
    const said: Array<string> = []
    const listening = Logger.layer([Logger.make(({ message }) => void said.push(String(message)))])
    return Effect.gen(function* () {
      const { warn } = yield* RatedLog.make
      for (const name of ["a", "b", "c"]) yield* warn("strange", `${name} is strange`)
      yield* warn("late", "d is late")
      assert.deepStrictEqual(said, ["a is strange", "d is late"])
      yield* TestClock.adjust("59 seconds")
      assert.lengthOf(said, 2)
      yield* TestClock.adjust("1 second")
      assert.deepStrictEqual(said.splice(0), [
        "a is strange",
        "d is late",
        "2 more in a minute; the last: c is strange",
      ])
      // One that goes on is told of once a minute, and one that has stopped is new again.
      yield* warn("late", "e is late")
      yield* warn("strange", "f is strange")
      assert.deepStrictEqual(said.splice(0), ["e is late"])
      yield* TestClock.adjust("1 minute")
      assert.deepStrictEqual(said, ["1 more in a minute; the last: f is strange"])
    }).pipe(Effect.provide(listening), Effect.scoped)
  })
})
