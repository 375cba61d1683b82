import * as Fs from "node:fs"
import { join } from "node:path"
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as SqlClient from "effect/sql/SqlClient"
import * as RegistryEvidence from "../../src/cli/registry-evidence.ts"
import * as Sha256 from "../../src/domain/sha256.ts"
import { Ledger } from "../../src/ledger/ledger.ts"
import * as StreamName from "../../src/ledger/stream-name.ts"
import { ModelRegistry } from "../../src/services/model-registry.ts"
import * as RegistrySql from "../../src/services/model-registry-sql.ts"
import * as Sqlite from "../../src/services/sqlite.ts"
import * as Project from "../ledger/fixtures/project.ts"

const slot = { legA: "EURUSD", legB: "GBPUSD", timeframe: "1h" } as const
const model = {
  version: "v1",
  slot,
  digest: Sha256.of("v1"),
  path: "models/v1",
  theta: {},
  metrics: {},
  datasets: [],
  receipts: [],
  synthetic: true,
}

/** A run that publishes `v1`, as the ledger and the registry tell of it. */
const publish = Effect.scoped(
  Effect.gen(function* () {
    const ledger = yield* Ledger
    const registry = yield* ModelRegistry
    const run = Project.runId(1)
    const writer = yield* ledger.create(StreamName.ofRun(run))
    writer.append(Project.created())
    const { digest, version } = model
    const input = { model: { version, digest } }
    const { hash } = writer.append({
      type: "dev.dandori.attempt.started.v1",
      data: { task: "publish", attempt: 1, input },
    })
    yield* writer.durable
    const warrant = { who: "tester", reason: "test", intent: hash, run, task: "publish", key: "key" }
    yield* registry.register(model, "candidate", warrant)
    writer.append({
      type: "dev.dandori.attempt.succeeded.v1",
      data: {
        task: "publish",
        attempt: 1,
        output: { version, slot: "EURUSD GBPUSD 1h", deployed: false, alreadyPublished: false },
      },
    })
    writer.append(Project.finished)
    yield* writer.durable
  }),
)

describe("registry and ledger, compared", () => {
  it.live("blame no publication that comes between the two looks", () =>
    Effect.scoped(
      Effect.gen(function* () {
        const home = yield* Project.folder
        const sqlite = Layer.effect(SqlClient.SqlClient, Sqlite.open({ path: join(home, "state.db") }))
        const services = yield* Layer.build(
          Layer.merge(Project.ledgerAt(home), Layer.provide(RegistrySql.layer, sqlite)),
        )
        const compared = yield* Effect.gen(function* () {
          const ledger = yield* Ledger
          const published = Effect.orDie(Effect.provide(publish, services))
          const meanwhile = Ledger.of({ ...ledger, runs: Effect.andThen(published, ledger.runs) })
          return yield* Effect.provideService(RegistryEvidence.compare, Ledger, meanwhile)
        }).pipe(Effect.provide(services))
        assert.deepStrictEqual(compared, { rows: 1, entries: 1, disagreements: [] })
      }),
    ),
  )

  it.live("blame no row whose run was purged, and each row whose run is only gone", () =>
    Effect.scoped(
      Effect.gen(function* () {
        const home = yield* Project.folder
        const sqlite = Layer.effect(SqlClient.SqlClient, Sqlite.open({ path: join(home, "state.db") }))
        const layers = Layer.merge(Project.ledgerAt(home), Layer.provide(RegistrySql.layer, sqlite))
        yield* Effect.gen(function* () {
          const ledger = yield* Ledger
          yield* publish
          const stream = StreamName.ofRun(Project.runId(1))
          const { head } = yield* ledger.read(stream)
          const file = join(home, "ledger", StreamName.segmentPath(stream))
          Fs.renameSync(file, `${file}.away`)
          assert.lengthOf((yield* RegistryEvidence.compare).disagreements, 1)
          Fs.renameSync(`${file}.away`, file)
          const data = { run: Project.runId(1), stream, entries: head.sequence, head: head.hash, rule: "old" }
          yield* ledger.record("root", [{ type: "dev.dandori.run.purged.v1", data }])
          yield* ledger.remove(stream)
          assert.deepStrictEqual(yield* RegistryEvidence.compare, { rows: 1, entries: 0, disagreements: [] })
        }).pipe(Effect.provide(layers))
      }),
    ),
  )
})
