import * as Fs from "node:fs"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import { assert, describe, layer } from "@effect/vitest"
import type { Sections } from "../../src/domain/config/sections.ts"
import type { Artifact } from "../../src/domain/artifact.ts"
import type { Event } from "../../src/domain/event.ts"
import * as Sha256 from "../../src/domain/sha256.ts"
import { Ledger } from "../../src/ledger/ledger.ts"
import * as Purge from "../../src/ledger/purge.ts"
import * as Sealing from "../../src/ledger/sealing.ts"
import * as StreamName from "../../src/ledger/stream-name.ts"
import { Artifacts } from "../../src/services/artifacts.ts"
import { Cordons } from "../../src/services/cordons.ts"
import { Holds } from "../../src/services/holds.ts"
import { ModelRegistry } from "../../src/services/model-registry.ts"
import { shifted } from "../cli/evidence-project.ts"
import * as Place from "./fixtures/purge-place.ts"
import * as Project from "./fixtures/project.ts"

const [a, b, c] = [1, 2, 3].map(Project.runId) as [string, string, string]
const because = { reason: "a secret got into it" }
const asked = (...runs: ReadonlyArray<string>) => runs.map((run) => ({ run, because }))
const hold = { id: "hold 1", who: "auditor", reason: "the audit of 2025", until: null }

const slot = { legA: "EURUSD", legB: "GBPUSD", timeframe: "1h" } as const
/** Registers a version of the given bytes, by a task of a run. */
const register = (version: string, digest: Sha256.Sha256, run: string, receipts: ReadonlyArray<Sha256.Sha256> = []) =>
  Effect.flatMap(ModelRegistry, (registry) =>
    registry.register(
      {
        version,
        slot,
        digest,
        path: `models/${version}`,
        theta: {},
        metrics: {},
        datasets: [],
        receipts,
        synthetic: true,
      },
      "candidate",
      {
        who: "tester",
        reason: "gates passed",
        intent: Sha256.of("intent"),
        run,
        task: "publish",
        key: `${run}/publish`,
      },
    ),
  )

describe.each([
  ["of segment files", Place.segments],
  ["in PostgreSQL", Place.postgres],
] as const)("purging runs of a ledger %s", (name, places) => {
  layer(places, { excludeTestServices: true })((test) => {
    type Services = Effect.Success<ReturnType<Place.Place["open"]>> extends Context.Context<infer R> ? R : never
    const within = <A, E>(use: (place: Place.Place) => Effect.Effect<A, E, Services | Scope.Scope>, given?: Sections) =>
      Effect.scoped(
        Effect.gen(function* () {
          const place = yield* (yield* Place.Places).make
          return yield* Effect.provide(use(place), yield* place.open(given))
        }),
      )
    const left = Effect.flatMap(Ledger, ({ runs }) => runs)

    test.effect("says in the root who purged what and why, removes all that the run has left, and nothing else", () =>
      within(({ home }) =>
        Effect.gen(function* () {
          const ledger = yield* Ledger
          const { receipt } = yield* Project.writeGatedRun(home, a, "model one")
          yield* Project.writeGatedRun(home, b, "model one")
          for (const run of [a, b]) Place.leave(home, run)
          const before = yield* ledger.read(StreamName.ofRun(a))
          const index = `${home}/receipts/${Project.digest("model one")}`
          assert.lengthOf(Fs.readdirSync(index), 2)

          assert.deepStrictEqual(yield* Purge.runs(asked(a)), {
            purged: [{ run: a, bytes: before.validBytes + 3 * "said\n".length }],
            left: [],
          })
          assert.deepStrictEqual(yield* left, [b])
          assert.deepStrictEqual(Place.leftOf(home, a), [])
          assert.isNotEmpty(Place.leftOf(home, b))
          assert.notInclude(Fs.readdirSync(index), `${receipt.sha256}.json`)
          assert.lengthOf(Fs.readdirSync(index), 1)
          const [entry] = yield* Place.purges
          assert.strictEqual(entry?.authid, "tester")
          const { hash: head, sequence: entries } = before.head
          assert.deepStrictEqual(entry?.data, { run: a, stream: StreamName.ofRun(a), entries, head, ...because })

          const report = yield* Place.verified
          assert.strictEqual(report.exitCode, 0)
          assert.lengthOf(report.purged, 1)
          assert.deepInclude(report.purged[0], { stream: StreamName.ofRun(a), head, who: "tester", there: false })
          assert.strictEqual((yield* Effect.flip(ledger.read(StreamName.ofRun(a))))._tag, "StreamMissing")
          const again = yield* Effect.flip(Effect.scoped(ledger.create(StreamName.ofRun(a))))
          assert.match(again.message, /was purged; a run of this id is not made again/)
          assert.strictEqual(
            (yield* Effect.flip(Effect.scoped(ledger.reopen(StreamName.ofRun(a)))))._tag,
            "StreamMissing",
          )
        }),
      ),
    )

    test.effect("keeps a run that has not ended, one that does not verify, and one of another environment", () =>
      within((place) =>
        Effect.gen(function* () {
          yield* Project.writeRun(a, Project.attempts(2), { open: true })
          const other: Event = { ...Project.created(), data: { ...Project.created().data, env: "stg" } } as Event
          yield* Project.writeRun(b, Project.attempts(2), { first: other })
          const outcome = yield* Purge.runs(asked(a, b, c))
          assert.deepStrictEqual(outcome.purged, [])
          assert.deepStrictEqual(
            outcome.left.map(({ why }) => why),
            ["it has not ended", "it is a run of stg; say --env stg", "the ledger has no such run"],
          )
          assert.deepStrictEqual(yield* left, [a, b])
          if (name !== "of segment files") return
          yield* Project.writeRun(c, Project.attempts(4))
          const file = Place.segmentOf(place.home, c)
          Fs.chmodSync(file, 0o644)
          Fs.writeFileSync(file, Fs.readFileSync(file, "utf8").replace("段取り", "別の"))
          const [damaged] = (yield* Purge.runs(asked(c))).left
          assert.match(damaged?.why ?? "", /does not verify/)
          assert.deepStrictEqual(yield* Place.purges, [])
        }),
      ),
    )

    test.effect("keeps what is held, by the run's id or by the model or snapshot that its record names", () =>
      within(() =>
        Effect.gen(function* () {
          const holds = yield* Holds
          yield* Project.writeRun(a, Place.says({ snapshot: "snap_1" }))
          yield* Project.writeRun(b, Place.says({ model: { version: "v1" } }))
          yield* Project.writeRun(c, Place.says({ model: { version: "v12" } }))
          yield* holds.add({ ...hold, subject: "model/v1" })
          yield* holds.add({ ...hold, id: "hold 2", subject: `run/${a}` })
          const { left, purged } = yield* Purge.runs(asked(a, b, c))
          assert.deepStrictEqual(
            purged.map(({ run }) => run),
            [c],
          )
          assert.deepStrictEqual(
            left.map(({ why }) => why),
            [`run/${a} is held by auditor: the audit of 2025`, "model/v1 is held by auditor: the audit of 2025"],
          )
          yield* holds.release("hold 2", { who: "auditor", reason: "done" })
          yield* holds.add({ ...hold, id: "hold 3", subject: "snapshot/snap_1" })
          assert.match((yield* Purge.runs(asked(a))).left[0]?.why ?? "", /^snapshot\/snap_1 is held/)
          yield* holds.release("hold 3", { who: "auditor", reason: "done" })
          assert.lengthOf((yield* Purge.runs(asked(a))).purged, 1)
        }),
      ),
    )

    test.effect("keeps the runs by which a registered version came to be and whose receipts let it pass", () =>
      within(({ home }) =>
        Effect.gen(function* () {
          const { receipt } = yield* Project.writeGatedRun(home, a, "other bytes")
          yield* Project.writeGatedRun(home, b, "model")
          yield* Project.writeRun(c, Project.attempts(2))
          yield* register("v1", Project.digest("model"), c, [receipt.sha256])
          const { left, purged } = yield* Purge.runs(asked(a, b, c))
          assert.deepStrictEqual(purged, [])
          assert.deepStrictEqual(
            left.map(({ why }) => why),
            [
              "it has a receipt of version v1",
              "it has a receipt of version v1",
              "the registry names it for version v1",
            ],
          )
        }),
      ),
    )

    test.effect("keeps what a run that has not ended names, a write-once record's run, and what a cordon holds", () =>
      within(({ home }) =>
        Effect.gen(function* () {
          yield* Project.writeRun(a, Project.attempts(2))
          yield* Project.writeGatedRun(home, b, "judged bytes")
          const record = {
            path: "worm/run/x.json",
            sha256: Project.digest("x"),
            sequence: 1,
            prevSha256: Project.digest(""),
          }
          yield* Project.writeRun(c, Place.says(record))
          const hit = { run: a, task: "task_0", entry: Project.digest("entry") }
          const open = Project.runId(9)
          yield* Project.writeRun(
            open,
            [
              {
                type: "dev.dandori.attempt.started.v1",
                data: { task: "x", attempt: 1, input: { sha256: Project.digest("judged bytes") } },
              },
              { type: "dev.dandori.attempt.succeeded.v1", data: { task: "y", attempt: 1, cached: hit } },
            ],
            { open: true },
          )
          const first = yield* Purge.runs(asked(a, b, c))
          assert.deepStrictEqual(first.purged, [])
          const names = `run ${open} of demo names it and has not ended`
          assert.deepStrictEqual(
            first.left.slice(0, 2).map(({ why }) => why),
            [names, names],
          )
          assert.match(first.left[2]?.why ?? "", /write-once record, which stays until/)

          const later = Project.runId(10)
          yield* Project.writeRun(later, Project.attempts(2))
          const cordons = yield* Cordons
          yield* cordons.raise({ id: "incident-1", owner: "responder", reason: "fire" })
          assert.deepStrictEqual((yield* Purge.runs(asked(later))).left, [
            { run: later, why: "cordon incident-1 stands: fire" },
          ])
          yield* cordons.lift("incident-1")
          assert.lengthOf((yield* Purge.runs(asked(later))).purged, 1)
        }),
      ),
    )

    test.effect("keeps the run of a tick until its schedule has taken note of its end", () =>
      within(() =>
        Effect.gen(function* () {
          const ledger = yield* Ledger
          const data = { ...Project.created().data, tick: "2025-01-01T00:00:00Z" }
          yield* Project.writeRun(a, Project.attempts(2), { first: { ...Project.created(), data } as Event })
          const ended = { pipeline: "demo", tick: "2025-01-01T00:00:00Z", status: "succeeded" } as const
          const stream = StreamName.ofSchedules("dev")
          const note = (run: string, after: Sealing.Head) =>
            Effect.map(
              ledger.extend(stream, after, [{ type: "dev.dandori.schedule.run.ended.v1", data: { ...ended, run } }]),
              (heads) => heads[0] ?? after,
            )
          const head = yield* note(b, Sealing.genesis(stream))
          assert.match((yield* Purge.runs(asked(a))).left[0]?.why ?? "", /its schedule has not taken note of its end/)
          // It takes note of several, and one is purged c than the others.
          yield* Project.writeRun(c, Project.attempts(2), { first: { ...Project.created(), data } as Event })
          yield* note(c, yield* note(a, head))
          assert.lengthOf((yield* Purge.runs(asked(a))).purged, 1)
          assert.lengthOf((yield* Purge.runs(asked(c))).purged, 1)
          assert.strictEqual((yield* Place.verified).exitCode, 0)
        }),
      ),
    )

    const exporting = {
      ...Place.sections,
      exporters: { timeout: "5s", exporters: [{ name: "file", kind: "open-lineage-file", namespace: "x", path: "x" }] },
    } as Sections
    test.effect("keeps a run that an exporter has not sent to its end", () =>
      within(
        () =>
          Effect.gen(function* () {
            yield* Project.writeRun(a, Project.attempts(2))
            assert.match((yield* Purge.runs(asked(a))).left[0]?.why ?? "", /^exporter file has not sent all of it/)
          }),
        exporting,
      ),
    )

    test.effect("goes by the rules: the oldest first, at most so many, and the rest at the next call", () =>
      within(({ home }) =>
        Effect.gen(function* () {
          for (const run of [a, b, c]) yield* Project.writeRun(run, Project.attempts(2))
          const { all } = yield* Purge.survey({ succeeded: "0s", others: "0s", at_least: 1 })
          assert.deepStrictEqual(
            all.map(({ run, verdict }) => [run, verdict.is]),
            [
              [a, "due"],
              [b, "due"],
              [c, "kept"],
            ],
          )
          assert.deepStrictEqual(yield* left, [a, b, c])
          const outcome = yield* Purge.applyRules(2)
          assert.deepStrictEqual(
            outcome.purged.map(({ run }) => run),
            [a, b],
          )
          const [entry] = yield* Place.purges
          assert.deepInclude(entry?.data, { rule: "succeeded runs are kept 0s, and at least 0 of a pipeline" })
          // Logs of a run that another machine has purged.
          Place.leave(home, a)
          assert.lengthOf((yield* Purge.applyRules()).purged, 1)
          assert.deepStrictEqual(Place.leftOf(home, a), [])
          assert.deepStrictEqual(yield* left, [])
          assert.strictEqual((yield* Place.verified).exitCode, 0)
        }),
      ),
    )

    const withReports = {
      ...Place.sections,
      retention: { ...Place.sections.retention, reports_months: 2 },
    } as Sections

    test.effect("keeps a run that made a report for as long as its own rule says, unless somebody names it", () =>
      within(
        ({ home }) =>
          Effect.gen(function* () {
            const artifacts = yield* Artifacts
            const report = yield* artifacts.put("dq_report.json", "application/json", "{}")
            const large = yield* artifacts.put("output.json", "application/json", JSON.stringify({ report }))
            const lost = { ...large, sha256: Sha256.of("lost") }
            const stored = (outputArtifact: Artifact): ReadonlyArray<Event> => [
              { type: "dev.dandori.attempt.succeeded.v1", data: { task: "dq", attempt: 1, outputArtifact } },
            ]
            const gated = { ...Project.gate("model"), reports: [report] }
            const judged = { task: "backtest", attempt: 1, type: "backtest", gate: gated }
            const runs: ReadonlyArray<readonly [string, ReadonlyArray<Event>, boolean]> = [
              ["01", Place.says({ report }), true],
              ["02", Place.says({ reports: [report] }), true],
              ["03", stored(large), true],
              ["04", stored(lost), true],
              ["05", [{ type: "dev.dandori.gate.failed.v1", data: judged }], true],
              ["06", Place.says({ report: "in words", reports: [] }), false],
              ["07", Project.attempts(2), false],
            ]
            for (const [n, events] of runs) yield* Project.writeRun(Project.runId(Number(n)), events)
            const ids = (isReported: boolean) =>
              runs.filter((one) => one[2] === isReported).map(([n]) => Project.runId(Number(n)))
            const { all } = yield* Purge.survey(yield* Purge.rules)
            const kept = all.flatMap(({ run, verdict }) => (verdict.is === "kept" ? [[run, verdict.why] as const] : []))
            assert.deepStrictEqual(
              kept.map(([run]) => run),
              ids(true),
            )
            for (const [, why] of kept) {
              assert.match(why, /^it made a report and ended 0s ago, and runs that made one are kept 2 months$/)
            }
            const { purged } = yield* Purge.applyRules()
            assert.deepStrictEqual(
              purged.map(({ run }) => run),
              ids(false),
            )
            // A person's own age goes by no report, and a secret in one goes at once.
            const { all: older } = yield* Purge.survey({ succeeded: "0s", others: "0s", at_least: 0 })
            assert.isTrue(older.every(({ verdict }) => verdict.is === "due"))
            assert.lengthOf((yield* Purge.runs(asked(Project.runId(1)))).purged, 1)
            const later = yield* Purge.applyRules().pipe(shifted(63 * 86_400_000))
            assert.lengthOf(later.purged, 4)
            assert.deepStrictEqual(Place.leftOf(home, Project.runId(2)), [])
          }),
        withReports,
      ),
    )

    test.effect("removes no stream that the root does not say was purged, and none that is written", () =>
      within(() =>
        Effect.gen(function* () {
          const ledger = yield* Ledger
          yield* Project.writeRun(a, Project.attempts(2))
          const refused = yield* Effect.flip(ledger.remove(StreamName.ofRun(a)))
          assert.match(refused.message, /the root does not say that it was purged/)
          yield* ledger.remove(StreamName.ofRun(b))
          yield* Effect.scoped(
            Effect.gen(function* () {
              const writer = yield* ledger.create(StreamName.ofRun(b))
              writer.append(Project.created())
              yield* writer.durable
              const data = { run: b, stream: StreamName.ofRun(b), entries: 1, head: Sha256.of(""), rule: "x" }
              yield* ledger.record("root", [{ type: "dev.dandori.run.purged.v1", data }])
              assert.strictEqual((yield* Effect.flip(ledger.remove(StreamName.ofRun(b))))._tag, "StreamBusy")
            }),
          )
          assert.deepStrictEqual(yield* left, [a, b])
        }),
      ),
    )

    test.effect("is verified for what the root says of it: a purge of other entries than it closed is no purge", () =>
      within(() =>
        Effect.gen(function* () {
          const ledger = yield* Ledger
          yield* Project.writeRun(a, Project.attempts(2))
          const { head } = yield* ledger.read(StreamName.ofRun(a))
          const data = { run: a, stream: StreamName.ofRun(a), entries: head.sequence, head: Sha256.of("x"), rule: "x" }
          yield* ledger.record("root", [{ type: "dev.dandori.run.purged.v1", data }])
          const there = yield* Place.verified
          assert.strictEqual(there.exitCode, 10)
          assert.deepInclude(there.faults[0], { stream: "root", kind: "altered" })
          assert.deepInclude(there.purged[0], { stream: StreamName.ofRun(a), there: true })
          yield* ledger.remove(StreamName.ofRun(a))
          assert.strictEqual((yield* Place.verified).exitCode, 10)
        }),
      ),
    )
  })
})
