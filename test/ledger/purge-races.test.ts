import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Result from "effect/Result"
import type * as Scope from "effect/Scope"
import { assert, describe, layer } from "@effect/vitest"
import { Ledger } from "../../src/ledger/ledger.ts"
import * as Export from "../../src/ledger/export.ts"
import * as LedgerCopy from "../../src/ledger/ledger-copy.ts"
import * as Purge from "../../src/ledger/purge.ts"
import * as StreamName from "../../src/ledger/stream-name.ts"
import * as Verify from "../../src/ledger/verify.ts"
import { Holds } from "../../src/services/holds.ts"
import { ModelRegistry } from "../../src/services/model-registry.ts"
import * as Place from "./fixtures/purge-place.ts"
import * as Project from "./fixtures/project.ts"

const [a, b, c] = [1, 2, 3].map(Project.runId) as [string, string, string]
const because = { reason: "a secret got into it" }
const asked = (...runs: ReadonlyArray<string>) => runs.map((run) => ({ run, because }))
const hold = { id: "hold 1", who: "auditor", reason: "the audit of 2025", until: null }

describe.each([
  ["of segment files", Place.segments],
  ["in PostgreSQL", Place.postgres],
] as const)("a purge of a ledger %s, while others use it", (_, places) => {
  layer(places, { excludeTestServices: true })((test) => {
    type Services = Effect.Success<ReturnType<Place.Place["open"]>> extends Context.Context<infer R> ? R : never
    const within = <A, E>(use: (place: Place.Place) => Effect.Effect<A, E, Services | Scope.Scope>) =>
      Effect.scoped(
        Effect.gen(function* () {
          const place = yield* (yield* Place.Places).make
          return yield* Effect.provide(use(place), yield* place.open())
        }),
      )
    const left = Effect.flatMap(Ledger, ({ runs }) => runs)

    test.effect("lets two purges at the same time say it once, and both be done", () =>
      within((place) =>
        Effect.gen(function* () {
          const runs = [1, 2, 3, 4, 5].map(Project.runId)
          for (const run of runs) yield* Project.writeRun(run, Project.attempts(2))
          const other = yield* place.open()
          const both = yield* Effect.all(
            [Purge.runs(asked(...runs)), Effect.provide(Purge.runs(asked(...runs)), other)],
            { concurrency: 2 },
          )
          for (const { left: still } of both) {
            for (const { why } of still) assert.match(why, /no such run|another time/)
          }
          yield* Purge.applyRules()
          assert.deepStrictEqual(yield* left, [])
          assert.deepStrictEqual(
            new Set((yield* Place.purges).map(({ data }) => (data as { run: string }).run)),
            new Set(runs),
          )
          assert.lengthOf(yield* Place.purges, runs.length)
          assert.strictEqual((yield* Place.verified).exitCode, 0)
        }),
      ),
    )

    test.effect("is not overtaken by a hold: of the two, one comes first", () =>
      within((place) =>
        Effect.gen(function* () {
          const other = yield* place.open()
          for (let n = 1; n <= 8; n++) {
            const run = Project.runId(n)
            yield* Project.writeRun(run, Project.attempts(2))
            const holding = Effect.gen(function* () {
              const holds = yield* Holds
              const ledger = yield* Ledger
              const add = Effect.gen(function* () {
                const root = yield* ledger.read("root")
                if (root.entries.some(({ data }) => (data as { run?: string }).run === run)) return false
                yield* holds.add({ ...hold, id: `hold ${n}`, subject: `run/${run}` })
                return true
              })
              return yield* (yield* ModelRegistry).atomically(add)
            })
            const [{ purged }, held] = yield* Effect.all([Purge.runs(asked(run)), Effect.provide(holding, other)], {
              concurrency: 2,
            })
            assert.strictEqual(purged.length, held ? 0 : 1)
          }
        }),
      ),
    )

    test.effect("lets an export at the same time be whole, or fail and say that the run is not there", () =>
      within((place) =>
        Effect.gen(function* () {
          const other = yield* place.open()
          const into = yield* Project.folder
          for (let n = 1; n <= 6; n++) {
            const run = Project.runId(n)
            yield* Project.writeGatedRun(place.home, run, `model ${n}`)
            const exporting = Effect.result(Export.exportRun(run, `${into}/${n}`))
            const purging = Effect.andThen(
              Effect.forEach(Array.from({ length: n }), () => Effect.yieldNow),
              Purge.runs(asked(run)),
            )
            const [exported] = yield* Effect.all([exporting, Effect.provide(purging, other)], { concurrency: 2 })
            if (Result.isSuccess(exported)) {
              assert.strictEqual((yield* Verify.verify(`${into}/${n}`)).exitCode, 0)
            } else assert.match(exported.failure.message, /has no run|was not exported/)
          }
          assert.strictEqual((yield* Place.verified).exitCode, 0)
        }),
      ),
    )

    test.effect("is no fault for who verifies or lists meanwhile", () =>
      within((place) =>
        Effect.gen(function* () {
          const ledger = yield* Ledger
          const other = yield* place.open()
          const runs = Array.from({ length: 12 }, (__, n) => Project.runId(n + 1))
          for (const run of runs) yield* Project.writeRun(run, Project.attempts(2))
          let over = false
          const looking = Effect.gen(function* () {
            while (!over) {
              const report = yield* Place.verified
              assert.include([0, 11], report.exitCode)
              assert.deepStrictEqual(report.faults, [])
              for (const run of yield* ledger.runs) {
                const chain = yield* ledger
                  .read(StreamName.ofRun(run))
                  .pipe(Effect.catchTag("StreamMissing", () => Effect.undefined))
                assert.isTrue(chain === undefined || chain.entries.length > 0)
              }
            }
          })
          const purging = Effect.gen(function* () {
            for (const run of runs) yield* Purge.runs(asked(run))
            over = true
          })
          yield* Effect.all([looking, Effect.provide(purging, other)], { concurrency: 2 })
          assert.deepStrictEqual(yield* left, [])
        }),
      ),
    )

    test.effect("is copied whole: a copy that is made meanwhile misses no run", () =>
      within((place) =>
        Effect.gen(function* () {
          const ledger = yield* Ledger
          for (const run of [a, b, c]) yield* Project.writeRun(run, Project.attempts(2))
          const other = yield* place.open()
          let purges = 0
          // Another process purges a run after the root was copied, twice.
          const meanwhile = Ledger.of({
            ...ledger,
            bytes: (stream, from) =>
              Effect.tap(ledger.bytes(stream, from), () =>
                stream === "root" && purges < 2
                  ? Effect.provide(Purge.runs(asked([a, b][purges++] ?? "")), other).pipe(Effect.orDie)
                  : Effect.void,
              ),
          })
          const folder = `${yield* Project.folder}/copy`
          yield* Effect.provideService(LedgerCopy.copyTo(folder), Ledger, meanwhile)
          const report = yield* Verify.verify(folder)
          assert.strictEqual(report.exitCode, 0)
          assert.lengthOf(report.purged, 2)
        }),
      ),
    )
  })
})
