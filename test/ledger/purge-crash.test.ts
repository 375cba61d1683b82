import * as Fs from "node:fs"
import * as Effect from "effect/Effect"
import * as FileSystem from "effect/FileSystem"
import { assert, describe, layer } from "@effect/vitest"
import fc from "fast-check"
import type { Event } from "../../src/domain/event.ts"
import * as Sha256 from "../../src/domain/sha256.ts"
import * as ArtifactRetention from "../../src/ledger/artifact-retention.ts"
import { Ledger } from "../../src/ledger/ledger.ts"
import * as Purge from "../../src/ledger/purge.ts"
import * as StreamName from "../../src/ledger/stream-name.ts"
import { Artifacts } from "../../src/services/artifacts.ts"
import { Holds } from "../../src/services/holds.ts"
import { ModelRegistry } from "../../src/services/model-registry.ts"
import { shifted } from "../cli/evidence-project.ts"
import * as Place from "./fixtures/purge-place.ts"
import * as Project from "./fixtures/project.ts"

class Crash extends Error {}

/** Lets the process die before or after its `at`-th change of what is durable. */
const dyingAt = (at: number) => {
  let count = 0
  const moment = Effect.suspend(() => (count++ === at ? Effect.die(new Crash()) : Effect.void))
  const around = <A, E, R>(step: Effect.Effect<A, E, R>) =>
    Effect.andThen(
      moment,
      Effect.tap(step, () => moment),
    )
  return <A, E, R>(effect: Effect.Effect<A, E, R>) =>
    Effect.gen(function* () {
      const ledger = yield* Ledger
      const fs = yield* FileSystem.FileSystem
      const watched = Ledger.of({
        ...ledger,
        record: (stream, events) => around(ledger.record(stream, events)),
        remove: (stream) => around(ledger.remove(stream)),
      })
      const files: FileSystem.FileSystem = { ...fs, remove: (path, options) => around(fs.remove(path, options)) }
      return yield* effect.pipe(
        Effect.provideService(Ledger, watched),
        Effect.provideService(FileSystem.FileSystem, files),
      )
    })
}

const [run, second] = [1, 2].map(Project.runId) as [string, string]

/** What makes a run be kept, or not. Subjects are bytes that gates judge and models are of. */
interface Trait {
  readonly open: boolean
  readonly held: boolean
  readonly judges: number | undefined
  readonly names: number | undefined
  readonly artifacts: ReadonlyArray<number>
}

const traits = fc.array(
  fc.record<Trait>({
    open: fc.boolean(),
    held: fc.boolean(),
    judges: fc.option(fc.nat(2), { nil: undefined }),
    names: fc.option(fc.nat(5), { nil: undefined }),
    artifacts: fc.subarray([0, 1, 2]),
  }),
  { minLength: 1, maxLength: 6 },
)
const mix = fc.record({ traits, models: fc.subarray([0, 1, 2]) })

const subject = (n: number) => `bytes ${n}`

const artifact = (n: number) => `artifact ${n}`

const eventsOf = ({ artifacts, judges, names }: Trait): ReadonlyArray<Event> => [
  ...artifacts.flatMap((n) => Place.says({ sha256: Sha256.of(artifact(n)) })),
  ...(judges === undefined ? [] : [Project.gateEvent(subject(judges))]),
  ...(names === undefined ? [] : Place.says({ from: Project.runId(names + 1) })),
]

/** Whether a run must stay, as the documentation says. */
const stays = (all: ReadonlyArray<Trait>, models: ReadonlyArray<number>, n: number, holding: boolean): boolean => {
  const { held, judges, open } = all[n] as Trait
  const named = all.some((other) => other.open && other.names === n)
  const judged = judges !== undefined && models.includes(judges)
  const alike = judges !== undefined && all.some((other) => other.open && other.judges === judges)
  return open || (held && holding) || named || judged || alike
}

describe.each([
  ["of segment files", Place.segments, 25],
  ["in PostgreSQL", Place.postgres, 4],
] as const)("a purge of a ledger %s", (_, places, numRuns) => {
  layer(places, { excludeTestServices: true })((test) => {
    test.effect("is taken up by the next one, wherever its process died, and verified at each point", () =>
      Effect.gen(function* () {
        const { make } = yield* Place.Places
        let died = 0
        for (let at = 0, over = false; !over; at++) {
          yield* Effect.scoped(
            Effect.gen(function* () {
              const place = yield* make
              yield* Effect.scoped(
                Effect.gen(function* () {
                  const services = yield* place.open()
                  yield* Effect.provide(Project.writeGatedRun(place.home, run, "model"), services)
                  yield* Effect.provide(Project.writeRun(second, Project.attempts(2)), services)
                  for (const id of [run, second]) Place.leave(place.home, id)
                  const asked = [run, second].map((id) => ({ run: id, because: { reason: "why" } }))
                  const exit = yield* Effect.exit(Effect.provide(dyingAt(at)(Purge.runs(asked)), services))
                  over = exit._tag === "Success"
                  if (!over) died++
                }),
              )
              yield* Effect.gen(function* () {
                const report = yield* Place.verified
                assert.deepStrictEqual(report.faults, [])
                if ((yield* (yield* Ledger).runs).length < 2) assert.lengthOf(report.purged, 2)
                yield* Purge.applyRules()
                assert.deepStrictEqual(yield* (yield* Ledger).runs, [])
                for (const id of [run, second]) assert.deepStrictEqual(Place.leftOf(place.home, id), [])
                assert.lengthOf(yield* Place.purges, 2)
                const after = yield* Place.verified
                assert.strictEqual(after.exitCode, 0)
                assert.lengthOf(after.purged, 2)
              }).pipe(Effect.provide(yield* place.open()))
            }),
          )
        }
        // Around the root's entries, the four folders and the stream of each run, and a receipt.
        assert.strictEqual(died, 2 * (1 + 2 * 5 + 1))
      }),
    )

    test.effect("takes whatever nothing keeps, and nothing else, in any mix of runs, holds and models", () =>
      Effect.gen(function* () {
        const { make } = yield* Place.Places
        const services = yield* Effect.context<never>()
        const once = ({
          models,
          traits: all,
        }: {
          readonly models: ReadonlyArray<number>
          readonly traits: ReadonlyArray<Trait>
        }) =>
          Effect.scoped(
            Effect.gen(function* () {
              const place = yield* make
              yield* Effect.gen(function* () {
                const holds = yield* Holds
                const registry = yield* ModelRegistry
                const ledger = yield* Ledger
                const store = yield* Artifacts
                for (const n of [0, 1, 2]) {
                  const { sha256 } = yield* store.put(artifact(n), "text/plain", artifact(n))
                  Fs.utimesSync(store.pathOf(sha256), 1, 1)
                }
                for (const [n, trait] of all.entries()) {
                  const id = Project.runId(n + 1)
                  yield* Project.writeRun(id, eventsOf(trait), { open: trait.open })
                  if (!trait.held) continue
                  yield* holds.add({
                    id: `hold ${n}`,
                    subject: `run/${id}`,
                    who: "auditor",
                    reason: "audit",
                    until: null,
                  })
                }
                for (const n of models) {
                  const slot = { legA: "EURUSD", legB: "GBPUSD", timeframe: "1h" } as const
                  const digest = Project.digest(subject(n))
                  const facts = { theta: {}, metrics: {}, datasets: [], receipts: [], synthetic: true }
                  const by = { who: "tester", reason: "why", intent: Sha256.of(""), run: "", task: "t", key: `k${n}` }
                  yield* registry.register({ version: `v${n}`, slot, digest, path: `v${n}`, ...facts }, "candidate", by)
                }
                for (const holding of [true, false]) {
                  if (!holding) {
                    for (const [n, { held }] of all.entries()) {
                      if (held) yield* holds.release(`hold ${n}`, { who: "auditor", reason: "done" })
                    }
                  }
                  yield* Purge.applyRules()
                  const expected = all.flatMap((__, n) =>
                    stays(all, models, n, holding) ? [Project.runId(n + 1)] : [],
                  )
                  assert.deepStrictEqual(yield* ledger.runs, expected)
                  for (const id of expected) {
                    assert.isUndefined((yield* ledger.read(StreamName.ofRun(id))).fault)
                  }
                  const report = yield* Place.verified
                  assert.deepStrictEqual(report.faults, [])
                  assert.lengthOf(report.purged, all.length - expected.length)
                  yield* ArtifactRetention.sweep()
                  yield* ArtifactRetention.sweep().pipe(shifted(4 * 86_400_000))
                  for (const n of [0, 1, 2]) {
                    const named = all.some(
                      (trait, at) => trait.artifacts.includes(n) && expected.includes(Project.runId(at + 1)),
                    )
                    assert.strictEqual(yield* store.has(Sha256.of(artifact(n))), named)
                  }
                }
              }).pipe(Effect.provide(yield* place.open()))
            }),
          )
        yield* Effect.promise(() =>
          fc.assert(
            fc.asyncProperty(mix, (given) => Effect.runPromise(Effect.provide(once(given), services))),
            { numRuns },
          ),
        )
      }),
    )
  })
})
