import * as Fs from "node:fs/promises"
import { join } from "node:path"
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Collector from "../exporters/collector.ts"
import * as Runs from "../exporters/exported-runs.ts"
import * as Project from "../support/engine-project.ts"
import * as EvidenceProject from "./evidence-project.ts"
import { dandori, ndjson, start } from "./evidence-project.ts"
import { project } from "./run-project.ts"

const configure = (folder: string, exporters: ReadonlyArray<object>) =>
  Effect.promise(() =>
    Fs.writeFile(join(folder, "configs/envs/dev/exporters.yaml"), JSON.stringify({ timeout: "250ms", exporters })),
  )

const lineageAt = ({ url }: Collector.Collector) => ({ name: "lineage", kind: "open-lineage", namespace: "n", url })

const types = (received: ReadonlyArray<Collector.Received>) =>
  received.map(({ body }) => {
    const { eventType, job } = JSON.parse(body)
    return `${eventType} ${job.name}`
  })

const good = ["START good", "START good.first", "COMPLETE good.first", "START good.second", "COMPLETE good.second"]

describe("the exporters of a run", () => {
  it.live("get what is new when the run has ended, a failed one too", () =>
    Effect.gen(function* () {
      const folder = yield* project
      const collector = yield* Collector.start
      yield* configure(folder, [lineageAt(collector)])
      const { code, err } = yield* dandori(folder, "run", "good", "--quiet")
      assert.deepStrictEqual([code, err], [0, ""])
      assert.deepStrictEqual(types(collector.received), [...good, "COMPLETE good"])
      assert.strictEqual((yield* dandori(folder, "run", "bad", "--quiet")).code, 1)
      assert.deepStrictEqual(types(collector.received).slice(6), [
        "START bad",
        "START bad.broken",
        "FAIL bad.broken",
        "FAIL bad",
      ])
    }),
  )

  it.live("that are down change nothing of the run, are said, and get all later", () =>
    Effect.gen(function* () {
      const folder = yield* project
      const collector = yield* Collector.start
      yield* configure(folder, [lineageAt(collector)])
      collector.behave("hangs")
      const { code, err, out } = yield* dandori(folder, "run", "good", "--json")
      assert.strictEqual(code, 0)
      assert.deepInclude(ndjson(out).at(-1), { kind: "result", status: "succeeded" })
      assert.match(
        err,
        /^Exporter lineage is behind: .* no answer within 250 ms\. Nothing is lost; dandori ledger send /,
      )

      collector.behave(503)
      const refused = yield* dandori(folder, "ledger", "send")
      assert.strictEqual(refused.code, 69)
      assert.strictEqual(refused.out, "lineage  0 sent\n")
      assert.include(refused.err, "HTTP 503")

      collector.behave(200)
      const sent = yield* dandori(folder, "ledger", "send", "--json")
      assert.strictEqual(sent.code, 0)
      assert.deepInclude(ndjson(sent.out)[0], {
        v: 1,
        kind: "ledger-send",
        exporters: [{ exporter: "lineage", sent: 6 }],
      })
      assert.deepStrictEqual(types(collector.accepted()), [...good, "COMPLETE good"])
      assert.strictEqual((yield* dandori(folder, "ledger", "send")).out, "lineage  0 sent\n")
    }),
  )

  it.live("get the very same bytes again after a kill -9 between sending and moving the cursor", () =>
    Effect.scoped(
      Effect.gen(function* () {
        const folder = yield* EvidenceProject.project
        const place = Project.at(folder)
        yield* Effect.promise(() => Fs.mkdir(place.home))
        const collector = yield* Collector.start
        yield* configure(folder, [{ name: "otlp", kind: "otlp", url: collector.url }])
        const inProject = Effect.provide(Project.services(place, { types: Runs.types }))
        const { run } = yield* Runs.start("unsure").pipe(inProject)

        const child = start(folder, ["ledger", "send"])
        collector.onRequest = () => child.kill("SIGKILL")
        yield* Effect.promise(() => child.exited)
        assert.strictEqual(child.signalCode, "SIGKILL")
        assert.strictEqual(collector.received.length, 1)

        collector.onRequest = () => {}
        yield* Runs.resolve(run).pipe(inProject)
        assert.strictEqual((yield* dandori(folder, "ledger", "send")).code, 0)
        const [killed, again, ...rest] = collector.received
        assert.strictEqual(again.body, killed.body)
        assert.deepStrictEqual(
          rest.map(({ path }) => path),
          ["/v1/metrics", "/v1/traces", "/v1/metrics"],
        )
      }),
    ),
  )

  it.live("are named: an unknown one is an error that says what there is, and none is no error", () =>
    Effect.gen(function* () {
      const folder = yield* EvidenceProject.project
      const nothing = yield* dandori(folder, "ledger", "send")
      assert.deepStrictEqual([nothing.code, nothing.err], [0, ""])
      assert.include(nothing.out, "No exporter is configured for dev")
      yield* configure(folder, [{ name: "lineage", kind: "open-lineage-file", namespace: "n", path: "l.ndjson" }])
      const unknown = yield* dandori(folder, "ledger", "send", "--exporter", "linage")
      assert.strictEqual(unknown.code, 64)
      assert.include(unknown.err, 'Did you mean "lineage"?')
    }),
  )
})
