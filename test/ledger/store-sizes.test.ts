import * as Fs from "node:fs"
import { join } from "node:path"
import { assert, describe, layer } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Purge from "../../src/ledger/purge.ts"
import { Stores } from "../../src/ledger/stores.ts"
import { Artifacts } from "../../src/services/artifacts.ts"
import { ModelRegistry } from "../../src/services/model-registry.ts"
import { shifted } from "../cli/evidence-project.ts"
import * as Place from "./fixtures/purge-place.ts"
import * as Project from "./fixtures/project.ts"

const run = Project.runId(1)
const fresh = Effect.provide(
  Effect.flatMap(Stores, ({ sizes }) => sizes),
  Stores.layer,
)

describe.each([
  ["in files", Place.segments],
  ["in PostgreSQL", Place.postgres],
] as const)("the sizes of the stores beside a ledger %s", (name, places) => {
  layer(places, { excludeTestServices: true })((test) => {
    test.effect("count what each of them holds, shrink with a purge, and are looked up anew after a while", () =>
      Effect.scoped(
        Effect.gen(function* () {
          const place = yield* (yield* Place.Places).make
          yield* Effect.gen(function* () {
            const { home } = place
            yield* Project.writeRun(run, Project.attempts(20))
            Place.leave(home, run)
            yield* (yield* Artifacts).put("a", "text/plain", "twelve bytes")
            yield* (yield* ModelRegistry).list()
            Fs.mkdirSync(join(home, "models/v1"), { recursive: true })
            Fs.writeFileSync(join(home, "models/v1/theta.yaml"), "12345")
            const first = yield* fresh
            assert.deepStrictEqual(first.logs, { bytes: 5, count: 1 })
            assert.deepStrictEqual(first.artifacts, { bytes: 12 + Project.plan.length, count: 2 })
            assert.deepStrictEqual(first.models, { bytes: 5, count: 1 })
            assert.deepStrictEqual(first.cache, { bytes: 0, count: 0 })
            assert.strictEqual(first.state?.count, 1)
            assert.isAbove(first.state?.bytes ?? 0, 0)
            assert.isAbove(first.ledger?.bytes ?? 0, 1_000)
            if (name === "in PostgreSQL") assert.strictEqual(first.ledger?.count, 3)

            const { sizes } = yield* Effect.provide(Stores, Stores.layer)
            assert.deepStrictEqual((yield* sizes).logs, first.logs)
            yield* Purge.runs([{ run, because: { reason: "why" } }])
            assert.deepStrictEqual((yield* sizes).logs, first.logs)
            const later = yield* sizes.pipe(shifted(600_001))
            assert.deepStrictEqual(later.logs, { bytes: 0, count: 0 })
            if (name === "in files") assert.isBelow(later.ledger?.bytes ?? Infinity, first.ledger?.bytes ?? 0)
          }).pipe(Effect.provide(yield* place.open()))
        }),
      ),
    )
  })
})
