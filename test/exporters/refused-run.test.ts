import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import type { Exporter } from "../../src/domain/config/exporters.ts"
import * as Delivery from "../../src/exporters/delivery.ts"
import { ExportCursors } from "../../src/services/export-cursors.ts"
import * as HttpPost from "../../src/services/http-post.ts"
import * as Sqlite from "../../src/services/sqlite.ts"
import * as Collector from "./collector.ts"
import * as Runs from "./exported-runs.ts"

const cursors = ExportCursors.layer.pipe(Layer.provide(Sqlite.layerState), Layer.provideMerge(HttpPost.layer))

const inProject = <A, E, R>(use: (collector: Collector.Collector) => Effect.Effect<A, E, R>) =>
  Effect.scoped(
    Runs.inProject(() =>
      Effect.flatMap(Collector.start, (collector) => use(collector).pipe(Effect.provide(Layer.fresh(cursors)))),
    ),
  )

const send = (collector: Collector.Collector, skip?: string) => {
  const lineage: Exporter = {
    name: "lineage",
    kind: "open-lineage",
    namespace: "tests",
    url: `${collector.url}/api/v1/lineage`,
  }
  const options = { env: "dev", exporters: [lineage], timeoutMillis: 2_000 } as const
  return Effect.map(Delivery.deliver(skip === undefined ? options : { ...options, skip }), ([delivered]) => delivered)
}

describe("a run that the other side refuses for good", () => {
  it.live("keeps no other run back, is named, and is tried again", () =>
    inProject((collector) =>
      Effect.gen(function* () {
        const bad = yield* Runs.start("failed")
        const good = yield* Runs.start("succeeded")
        collector.behave((body) => (body.includes(bad.run) ? 422 : 200))
        const delivered = yield* send(collector)
        assert.strictEqual(delivered.sent, 6)
        assert.match(delivered.problem ?? "", new RegExp(`run ${bad.run}.* HTTP 422`))
        assert.include(delivered.problem, `dandori ledger send --exporter lineage --skip ${bad.run}`)
        assert.isTrue(collector.accepted().every(({ body }) => body.includes(good.run)))
        collector.behave(200)
        const after = yield* send(collector)
        assert.strictEqual(after.problem, undefined)
        assert.isTrue(collector.accepted().at(-1)?.body.includes(bad.run))
      }),
    ),
  )

  it.live("is left out when a person says so", () =>
    inProject((collector) =>
      Effect.gen(function* () {
        const bad = yield* Runs.start("failed")
        collector.behave(400)
        yield* send(collector)
        const before = collector.received.length
        assert.deepStrictEqual(yield* send(collector, bad.run), { exporter: "lineage", sent: 0, problem: undefined })
        assert.deepStrictEqual(yield* send(collector), { exporter: "lineage", sent: 0, problem: undefined })
        assert.strictEqual(collector.received.length, before)
      }),
    ),
  )

  it.live("does not make every run be tried when everything is refused: then the configuration is wrong", () =>
    inProject((collector) =>
      Effect.gen(function* () {
        for (let n = 0; n < 5; n++) yield* Runs.start("succeeded")
        collector.behave(400)
        const delivered = yield* send(collector)
        assert.strictEqual(delivered.sent, 0)
        assert.strictEqual(collector.received.length, 3)
        assert.match(delivered.problem ?? "", /HTTP 400/)
      }),
    ),
  )

  it.live("is told from a refusal of us: nothing more is tried without a right", () =>
    inProject((collector) =>
      Effect.gen(function* () {
        yield* Runs.start("succeeded")
        yield* Runs.start("succeeded")
        collector.behave(401)
        const delivered = yield* send(collector)
        assert.match(delivered.problem ?? "", /HTTP 401/)
        assert.notMatch(delivered.problem ?? "", /--skip/)
        assert.strictEqual(collector.received.length, 1)
      }),
    ),
  )
})
