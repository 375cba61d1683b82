import * as Fs from "node:fs"
import { join } from "node:path"
import { assert, describe, layer } from "@effect/vitest"
import * as Effect from "effect/Effect"
import type { Artifact } from "../../src/domain/artifact.ts"
import type { Event } from "../../src/domain/event.ts"
import * as Sha256 from "../../src/domain/sha256.ts"
import * as ArtifactRetention from "../../src/ledger/artifact-retention.ts"
import * as Deployments from "../../src/ledger/deployments.ts"
import { Ledger } from "../../src/ledger/ledger.ts"
import * as Purge from "../../src/ledger/purge.ts"
import * as Retention from "../../src/ledger/retention.ts"
import * as StreamName from "../../src/ledger/stream-name.ts"
import { Artifacts } from "../../src/services/artifacts.ts"
import { ModelRegistry } from "../../src/services/model-registry.ts"
import { shifted } from "../cli/evidence-project.ts"
import * as Place from "./fixtures/purge-place.ts"
import * as Project from "./fixtures/project.ts"

const day = 86_400_000
const [a, b] = [1, 2].map(Project.runId) as [string, string]

const put = (text: string) =>
  Effect.flatMap(Artifacts, (artifacts) => artifacts.put("some.json", "application/json", text))

/** Puts something long ago. */
const putOld = (text: string) =>
  Effect.gen(function* () {
    const artifact = yield* put(text)
    const then = (Date.now() - 400 * day) / 1_000
    Fs.utimesSync((yield* Artifacts).pathOf(artifact.sha256), then, then)
    return artifact
  })

const naming = (artifact: Artifact): ReadonlyArray<Event> => Place.says({ report: artifact })
const isThere = ({ sha256 }: Pick<Artifact, "sha256">) =>
  Effect.flatMap(Artifacts, (artifacts) => artifacts.has(sha256))

/** Sweeps now, and when all that is marked now has been so for long enough. */
const twice = Effect.andThen(ArtifactRetention.sweep(), ArtifactRetention.sweep().pipe(shifted(4 * day)))

describe.each([
  ["of segment files", Place.segments],
  ["in PostgreSQL", Place.postgres],
] as const)("the artifacts beside a ledger %s", (_, places) => {
  layer(places, { excludeTestServices: true })((test) => {
    const within = <A, E>(
      use: (
        place: Place.Place,
      ) => Effect.Effect<
        A,
        E,
        Effect.Success<ReturnType<Place.Place["open"]>> extends import("effect/Context").Context<infer R> ? R : never
      >,
    ) =>
      Effect.scoped(
        Effect.gen(function* () {
          const place = yield* (yield* Place.Places).make
          return yield* Effect.provide(use(place), yield* place.open())
        }),
      )

    test.effect(
      "follow their runs, unless another run, a receipt, a deployment, a model or an artifact names them",
      () =>
        within(({ home }) =>
          Effect.gen(function* () {
            const ledger = yield* Ledger
            const [gone, shared, deep, plan, feature, dataset] = yield* Effect.all(
              ["gone", "shared", "deep", "plan of old", "feature", "dataset"].map(putOld),
            )
            if (!gone || !shared || !deep || !plan || !feature || !dataset) return assert.fail("nothing was put")
            const large = yield* putOld(JSON.stringify({ padding: "x".repeat(5 * 2 ** 20), inner: deep }))
            const judged = yield* putOld("judged bytes")
            yield* Project.writeRun(a, [...naming(gone), ...naming(shared)])
            yield* Project.writeRun(b, [...naming(shared), ...naming(large)])
            const gated = Project.runId(3)
            const { receipt } = yield* Project.writeGatedRun(home, gated, "judged bytes")
            yield* Deployments.record([
              {
                pipeline: "demo",
                env: "dev",
                plan: plan.sha256,
                planArtifact: plan,
                config: plan,
                gates: [],
                files: [],
              },
            ])
            const folder = join(home, "models/v1")
            Fs.mkdirSync(folder, { recursive: true })
            Fs.writeFileSync(join(folder, "provenance.json"), JSON.stringify({ features: feature.sha256 }))
            const slot = { legA: "EURUSD", legB: "GBPUSD", timeframe: "1h" } as const
            const facts = { theta: {}, metrics: {}, datasets: [dataset.sha256], receipts: [], synthetic: true }
            yield* (yield* ModelRegistry).register(
              { version: "v1", slot, digest: Project.digest("model"), path: "models/v1", ...facts },
              "candidate",
              { who: "tester", reason: "why", intent: Sha256.of(""), run: b, task: "t", key: "k" },
            )

            yield* twice
            assert.isTrue(yield* isThere(gone))
            assert.lengthOf((yield* Purge.runs([{ run: a, because: { reason: "why" } }])).purged, 1)
            yield* twice
            assert.isFalse(yield* isThere(gone))
            for (const kept of [shared, large, deep, plan, feature, dataset, judged, receipt]) {
              assert.isTrue(yield* isThere(kept), kept.name)
            }
            assert.lengthOf((yield* Purge.runs([{ run: gated, because: { reason: "why" } }])).purged, 1)
            yield* twice
            assert.isFalse(yield* isThere(judged))
            assert.isUndefined((yield* ledger.read(StreamName.ofRun(b))).fault)
          }),
        ),
    )

    test.effect("stay while a run goes on that may have put them and has not named them yet", () =>
      within(({ home }) =>
        Effect.gen(function* () {
          const ledger = yield* Ledger
          const artifact = yield* putOld("made at the beginning")
          const path = join(home, "artifacts/sha256", artifact.sha256.slice(0, 2), artifact.sha256.slice(2))
          // The run was made in 2022, by its id, and has put it since.
          const run = "01800000-0001-7000-8000-000000000001"
          const since = (StreamName.createdAt(run) + day) / 1_000
          Fs.utimesSync(path, since, since)
          yield* Effect.scoped(
            Effect.gen(function* () {
              const writer = yield* ledger.create(StreamName.ofRun(run))
              writer.append(Project.created())
              yield* writer.durable
              yield* twice
              assert.isTrue(yield* isThere(artifact))
            }),
          )
          yield* twice
          assert.isFalse(yield* isThere(artifact))
        }),
      ),
    )

    test.effect("stay where the ledger may not be all that names them", () =>
      within(({ home, open }) =>
        Effect.gen(function* () {
          assert.deepStrictEqual(yield* ArtifactRetention.sweep(), { removed: 0, bytes: 0, marked: 0 })
          const artifact = yield* putOld("of somebody")
          assert.strictEqual((yield* ArtifactRetention.sweep()).why, "the ledger is empty")
          yield* Project.writeRun(a, Project.attempts(2))
          const foreign = Project.runId(7)
          Place.leave(home, foreign)
          yield* twice
          assert.match(
            (yield* ArtifactRetention.sweep()).why ?? "",
            new RegExp(`logs/${foreign} is of a run that this`),
          )
          Fs.rmSync(join(home, "logs", foreign), { recursive: true })
          yield* (yield* Ledger).record("root", [
            { type: "dev.dandori.stream.opened.v1", data: { stream: StreamName.ofRun(b), first: Sha256.of("x") } },
          ])
          yield* twice
          assert.match((yield* Retention.apply()).artifacts?.why ?? "", new RegExp(`run ${b} is missing`))
          assert.match((yield* Retention.apply()).artifacts?.why ?? "", /is missing/)
          assert.isTrue(yield* isThere(artifact))
          yield* Project.writeRun(b, Project.attempts(2))
          Fs.mkdirSync(join(home, "ledger"), { recursive: true })
          if (!Fs.existsSync(join(home, "ledger/root.ndjson"))) Fs.writeFileSync(join(home, "ledger/root.ndjson"), "")
          const given = { ...Place.sections, ledger: { ...Place.sections.ledger, store: "postgres" } } as const
          const beside = Effect.flatMap(open(given), (shared) => Effect.provide(ArtifactRetention.sweep(), shared))
          const { why } = yield* Effect.scoped(beside)
          assert.match(why ?? "", /there is a ledger in files too/)
          yield* twice
          assert.isFalse(yield* isThere(artifact))
        }),
      ),
    )

    test.effect("are swept once a day by who stays, after the runs that the rules let go", () =>
      within(() =>
        Effect.gen(function* () {
          const artifact = yield* putOld("of a run")
          yield* Project.writeRun(a, naming(artifact))
          const first = yield* Retention.apply()
          assert.deepStrictEqual(first.artifacts, { removed: 0, bytes: 0, marked: 1 })
          assert.lengthOf(first.purged, 1)
          assert.isUndefined((yield* Retention.apply()).artifacts)
          assert.isUndefined((yield* Retention.apply().pipe(shifted(0.9 * day))).artifacts)
          const later = yield* Retention.apply().pipe(shifted(4 * day))
          // The plan of the run is marked, which was put by this test just now.
          assert.deepStrictEqual(later.artifacts, { removed: 1, bytes: 8, marked: 1 })
        }),
      ),
    )
  })
})
