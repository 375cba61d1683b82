import * as Fs from "node:fs/promises"
import { join } from "node:path"
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import type { Exporter } from "../../src/domain/config/exporters.ts"
import * as Delivery from "../../src/exporters/delivery.ts"
import * as OpenLineage from "../../src/exporters/open-lineage.ts"
import { ExportCursors } from "../../src/services/export-cursors.ts"
import * as HttpPost from "../../src/services/http-post.ts"
import * as Secrets from "../../src/services/secrets.ts"
import * as Sqlite from "../../src/services/sqlite.ts"
import type * as Project from "../support/engine-project.ts"
import * as Collector from "./collector.ts"
import * as Runs from "./exported-runs.ts"
import * as Receiver from "./otlp-receiver.ts"

const cursors = ExportCursors.layer.pipe(Layer.provide(Sqlite.layerState), Layer.provideMerge(HttpPost.layer))

const inProject = <A, E, R>(use: (place: Project.Project, collector: Collector.Collector) => Effect.Effect<A, E, R>) =>
  Effect.scoped(
    Runs.inProject((place) =>
      Effect.flatMap(Collector.start, (collector) => use(place, collector).pipe(Effect.provide(Layer.fresh(cursors)))),
    ),
  )

const lineage = (collector: Collector.Collector, name = "lineage"): Exporter => ({
  name,
  kind: "open-lineage",
  namespace: "tests",
  url: `${collector.url}/api/v1/lineage`,
})
const otlp = (collector: Collector.Collector): Exporter => ({ name: "otlp", kind: "otlp", url: `${collector.url}/` })

const deliver = (exporters: ReadonlyArray<Exporter>, changed: Partial<Delivery.Options> = {}) =>
  Delivery.deliver({ env: "dev", exporters, timeoutMillis: 2_000, ...changed })

const allOf = (exported: Runs.Exported) =>
  [...OpenLineage.runEvents(exported.run, exported.entries, "tests")].map(({ event }) => JSON.stringify(event))

const bodies = (received: ReadonlyArray<Collector.Received>) => received.map(({ body }) => body)

describe("a delivery", () => {
  it.live("sends each event once and in order, and the next one only what is new", () =>
    inProject((_, collector) =>
      Effect.gen(function* () {
        const first = yield* Runs.start("succeeded")
        assert.deepStrictEqual(yield* deliver([lineage(collector)]), [
          { exporter: "lineage", sent: 6, problem: undefined },
        ])
        const second = yield* Runs.start("failed")
        yield* deliver([lineage(collector)])
        yield* deliver([lineage(collector)])
        assert.deepStrictEqual(bodies(collector.received), [...allOf(first), ...allOf(second)])
        assert.deepStrictEqual(new Set(collector.received.map(({ path }) => path)), new Set(["/api/v1/lineage"]))
      }),
    ),
  )

  for (const [behaviour, reason] of [
    [503, "HTTP 503"],
    [400, "HTTP 400"],
    [302, "HTTP 302"],
    ["hangs", "no answer within 150 ms"],
  ] as const) {
    it.live(`goes on with the very same bytes after an answer ${behaviour}`, () =>
      inProject((_, collector) =>
        Effect.gen(function* () {
          const exported = yield* Runs.start("retried")
          let calls = 0
          collector.behave(() => (++calls > 3 ? behaviour : 200))
          const [stopped] = yield* deliver([lineage(collector)], { timeoutMillis: 150 })
          assert.strictEqual(stopped.sent, 3)
          assert.include(stopped.problem, reason)
          collector.behave(200)
          const [went] = yield* deliver([lineage(collector)])
          assert.deepStrictEqual(went, { exporter: "lineage", sent: 5, problem: undefined })
          assert.deepStrictEqual(bodies(collector.accepted()), allOf(exported))
          assert.deepStrictEqual(bodies(collector.refused()), [allOf(exported)[3]])
        }),
      ),
    )
  }

  it.live("loses nothing to a server that is not there", () =>
    inProject((_, collector) =>
      Effect.gen(function* () {
        const exported = yield* Runs.start("broken")
        const away: Exporter = { name: "lineage", kind: "open-lineage", namespace: "tests", url: "http://127.0.0.1:1/" }
        const [stopped] = yield* deliver([away])
        assert.strictEqual(stopped.sent, 0)
        assert.include(stopped.problem, "http://127.0.0.1:1/ did not take it")
        yield* deliver([lineage(collector)])
        assert.deepStrictEqual(bodies(collector.accepted()), allOf(exported))
      }),
    ),
  )

  it.live("is over when its time is, however slow the other side is", () =>
    inProject((_, collector) =>
      Effect.gen(function* () {
        const exported = yield* Runs.start("broken")
        collector.behave("hangs")
        const [stopped] = yield* deliver([lineage(collector)], { timeoutMillis: 600_000, boundMillis: 100 })
        assert.strictEqual(stopped.problem, "there was more to do than fits into 100ms")
        collector.behave(200)
        yield* deliver([lineage(collector)], { boundMillis: 5_000 })
        assert.deepStrictEqual(bodies(collector.accepted()), allOf(exported))
      }),
    ),
  )

  it.live("to one exporter does not wait for another that is down", () =>
    inProject((_, collector) =>
      Effect.gen(function* () {
        const other = yield* Collector.start
        const exported = yield* Runs.start("succeeded")
        other.behave("hangs")
        const both = [lineage(other, "down"), lineage(collector, "up")]
        const [down, up] = yield* deliver(both, { timeoutMillis: 100 })
        assert.include(down.problem, "no answer")
        assert.deepStrictEqual(up, { exporter: "up", sent: 6, problem: undefined })
        other.behave(200)
        yield* deliver(both)
        assert.deepStrictEqual(bodies(other.accepted()), allOf(exported))
        assert.deepStrictEqual(bodies(collector.accepted()), allOf(exported))
      }),
    ),
  )

  it.live("sends a run that has not ended as far as it got, and the rest when it is there", () =>
    inProject((_, collector) =>
      Effect.gen(function* () {
        const waiting = yield* Runs.start("unsure")
        yield* deliver([lineage(collector)])
        assert.deepStrictEqual(bodies(collector.accepted()), allOf(waiting))
        const done = yield* Runs.resolve(waiting.run)
        yield* deliver([lineage(collector)])
        assert.deepStrictEqual(bodies(collector.accepted()), allOf(done))
      }),
    ),
  )

  it.live("by two at once sends nothing twice", () =>
    inProject((_, collector) =>
      Effect.gen(function* () {
        const exported = yield* Runs.start("retried")
        const both = yield* Effect.all([deliver([lineage(collector)]), deliver([lineage(collector)])], {
          concurrency: "unbounded",
        })
        assert.deepStrictEqual(
          both.flat().map(({ problem }) => problem),
          [undefined, undefined],
        )
        assert.deepStrictEqual(bodies(collector.received), allOf(exported))
      }),
    ),
  )

  it.live("sends only the runs of its environment", () =>
    inProject((_, collector) =>
      Effect.gen(function* () {
        const exported = yield* Runs.start("broken")
        yield* deliver([lineage(collector)], { env: "prod" })
        assert.deepStrictEqual(collector.received, [])
        yield* deliver([lineage(collector)])
        assert.deepStrictEqual(bodies(collector.received), allOf(exported))
      }),
    ),
  )

  it.live("says what it sends with secrets from references, and keeps them out of what it says", () =>
    inProject((place, collector) =>
      Effect.gen(function* () {
        yield* Runs.start("broken")
        const withHeader = { ...lineage(collector), headers: { Authorization: "${file:token}" } }
        const [missing] = yield* deliver([withHeader])
        assert.include(missing.problem, "${file:token}")
        assert.deepStrictEqual(collector.received, [])
        yield* Effect.promise(() => Fs.writeFile(join(place.project, "token"), "Bearer tell-nobody\n"))
        collector.behave(401)
        collector.answer = "no such token: Bearer tell-nobody"
        const [refused] = yield* deliver([withHeader]).pipe(
          Effect.provide(Secrets.layer({ project: place.project, environment: {} })),
        )
        assert.strictEqual(collector.received[0].headers.get("authorization"), "Bearer tell-nobody")
        assert.include(refused.problem, "HTTP 401 no such token: [secret token]")
      }),
    ),
  )

  it.live("appends to a file, a line for each event, after what a crash has left of a line", () =>
    inProject((place) =>
      Effect.gen(function* () {
        const exported = yield* Runs.start("succeeded")
        const path = join(place.project, "out/lineage.ndjson")
        yield* Effect.promise(() => Fs.mkdir(join(place.project, "out")))
        yield* Effect.promise(() => Fs.writeFile(path, '{"half":'))
        const file: Exporter = {
          name: "file",
          kind: "open-lineage-file",
          namespace: "tests",
          path: "out/lineage.ndjson",
        }
        yield* deliver([file])
        yield* deliver([file])
        const text = yield* Effect.promise(() => Fs.readFile(path, "utf8"))
        assert.deepStrictEqual(text.split("\n"), ['{"half":', ...allOf(exported), ""])
        const [outside] = yield* deliver([{ ...file, name: "outside", path: "../lineage.ndjson" }])
        assert.include(outside.problem, "is refused")
      }),
    ),
  )

  it.live("posts OTLP traces and metrics that OpenTelemetry decodes, and says what was dropped of them", () =>
    inProject((_, collector) =>
      Effect.gen(function* () {
        const exported = yield* Runs.start("failed")
        collector.answer = ({ path }) =>
          path === "/v1/traces" ? '{"partialSuccess":{"rejectedSpans":"2","errorMessage":"too old"}}' : "{}"
        const [taken] = yield* deliver([otlp(collector)])
        assert.strictEqual(taken.problem, "it was taken without 2 of its parts: too old")
        yield* deliver([otlp(collector)])
        assert.deepStrictEqual(
          collector.received.map(({ headers, path }) => [path, headers.get("content-type")]),
          [
            ["/v1/traces", "application/json"],
            ["/v1/metrics", "application/json"],
          ],
        )
        const [traces, metrics] = bodies(collector.received)
        const { spans } = Receiver.traces(traces).resourceSpans[0].scopeSpans[0]
        assert.strictEqual(spans.at(-1).traceId, exported.run.replaceAll("-", ""))
        assert.strictEqual(Receiver.measures(metrics).resourceMetrics[0].scopeMetrics[0].metrics.length, 4)
      }),
    ),
  )

  it.live("ends with everything accepted in order, whatever is refused on the way", () =>
    inProject((_, collector) =>
      Effect.gen(function* () {
        const exported: Array<Runs.Exported> = []
        for (const name of ["retried", "failed", "succeeded"] as const) exported.push(yield* Runs.start(name))
        let state = 1
        collector.behave(() => ((state = (state * 48_271) % 2_147_483_647) % 3 === 0 ? 503 : 200))
        for (let left = true; left;) left = (yield* deliver([lineage(collector)]))[0].problem !== undefined
        assert.isAbove(collector.refused().length, 3)
        assert.deepStrictEqual(bodies(collector.accepted()), exported.flatMap(allOf))
      }),
    ),
  )

  it.live("sends traces and metrics together again when only one of them was accepted, though the run has grown", () =>
    inProject((_, collector) =>
      Effect.gen(function* () {
        const { run } = yield* Runs.start("unsure")
        let calls = 0
        collector.behave(() => (++calls === 2 ? 503 : 200))
        const [stopped] = yield* deliver([otlp(collector)])
        assert.include(stopped.problem, "/v1/metrics did not take it: HTTP 503")
        yield* Runs.resolve(run)
        yield* deliver([otlp(collector)])
        const [traces, metrics, ...again] = bodies(collector.received)
        assert.deepStrictEqual(again.slice(0, 2), [traces, metrics])
        assert.strictEqual(again.length, 4)
      }),
    ),
  )
})
