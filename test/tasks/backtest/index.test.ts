import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import { TestClock } from "effect/testing"
import backtest from "../../../tasks/backtest/index.ts"
import * as Workplace from "../workplace.ts"
import * as Place from "./place.ts"

describe("backtest", () => {
  it.effect("x", () =>
    Effect.gen(function* () {
      const root = yield* Workplace.project
      const out = yield* Effect.gen(function* () {
        yield* TestClock.setTime(Date.UTC(2025, 0, 1))
        const data = yield* Place.dataset(root)
        return yield* backtest.run({ model: yield* Place.model(data) })
      }).pipe(Effect.provide(Place.services(root)))
      console.log(JSON.stringify({ v: out.verdict, s: out.summary, c: out.criteria, r: out.gate.reasons }, null, 1))
      yield* Effect.promise(() => Bun.$`cp ${root}/.dandori/artifacts/sha256/${out.page.sha256.slice(0,2)}/${out.page.sha256.slice(2)} /tmp/bt/report.html`)
    }),
  )
})
