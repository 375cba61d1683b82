import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as PatientCordons from "../../src/daemon/patient-cordons.ts"
import * as CordonsShared from "../../src/services/cordons-shared.ts"

const pipelines = Array.from({ length: 100 }, (_, n) => `p${n}`)

describe("cordons against many pipelines", () => {
  it.live("are looked up once for all, also where that takes longer than a look is good for", () =>
    Effect.gen(function* () {
      let looks = 0
      const standing = [{ id: "ir-1", epoch: 1, owner: "ada", reason: "fire", raised: 0, scope: ["p7"] }]
      const cordons = yield* CordonsShared.make("/no such folder", {
        timeoutMillis: 5_000,
        look: () =>
          Effect.as(
            Effect.delay(
              Effect.sync(() => void looks++),
              600,
            ),
            { standing, lifted: [] },
          ),
        raise: () => Effect.never,
        lift: () => Effect.never,
      })
      const found = yield* PatientCordons.against(cordons, pipelines, Effect.void)
      assert.deepStrictEqual([...found.keys()], ["p7"])
      assert.strictEqual(looks, 1)
    }).pipe(Effect.scoped),
  )
})
