import * as Fs from "node:fs"
import { join } from "node:path"
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import type { Event } from "../../src/domain/event.ts"
import * as Sha256 from "../../src/domain/sha256.ts"
import * as ArtifactRetention from "../../src/ledger/artifact-retention.ts"
import * as NamedBytesLedger from "../../src/ledger/named-bytes-ledger.ts"
import { Artifacts } from "../../src/services/artifacts.ts"
import { ModelRegistry } from "../../src/services/model-registry.ts"
import { NamedBytes } from "../../src/services/named-bytes.ts"
import * as Place from "./fixtures/purge-place.ts"
import * as Project from "./fixtures/project.ts"

const run = Project.runId(1)
const bytes = Sha256.of("some data")
const find = Effect.flatMap(NamedBytes, (named) => named.find(new Set([bytes])))
const isNamed = Effect.map(find, (answer) => answer.known && answer.named.has(bytes))
const doubt = Effect.map(find, (answer) => (answer.known ? undefined : answer.doubt))

const services = (home: string) =>
  NamedBytesLedger.layer.pipe(Layer.provideMerge(Place.servicesOver(home, Project.ledgerAt(home), Place.sections)))

const inHome = <A, E>(body: (home: string) => Effect.Effect<A, E, Layer.Success<ReturnType<typeof services>>>) =>
  Effect.scoped(
    Effect.gen(function* () {
      const home = join(yield* Project.folder, ".dandori")
      Fs.mkdirSync(home)
      return yield* Effect.provide(body(home), services(home))
    }),
  )

const put = (text: string) =>
  Effect.flatMap(Artifacts, (artifacts) => artifacts.put("output.json", "application/json", text))
const remove = (sha256: string) =>
  Effect.map(Artifacts, (artifacts) => Fs.rmSync(artifacts.pathOf(sha256), { force: true }))

const envelope = (digest: string) => ({
  payload: Buffer.from(JSON.stringify({ digest })).toString("base64"),
  payloadType: "application/vnd.in-toto+json",
})

describe("the bytes that are named", () => {
  it.live("are not known where an output, values of a matrix or a plan of a run are not on this machine", () =>
    inHome(() =>
      Effect.gen(function* () {
        const outputArtifact = yield* put(JSON.stringify({ bytes }))
        const valuesArtifact = yield* put(JSON.stringify({ month: [bytes] }))
        const events: ReadonlyArray<Event> = [
          { type: "dev.dandori.matrix.expanded.v1", data: { task: "all", count: 1, valuesArtifact } },
          { type: "dev.dandori.attempt.succeeded.v1", data: { task: "say", attempt: 1, outputArtifact } },
        ]
        yield* Project.writeRun(run, events)
        assert.isTrue(yield* isNamed)
        yield* remove(outputArtifact.sha256)
        assert.match((yield* doubt) ?? "", new RegExp(`^the output of run ${run} is not on this machine: .*[0-9a-f]$`))
        yield* remove(valuesArtifact.sha256)
        assert.match((yield* doubt) ?? "", new RegExp(`^the values of run ${run} .*; and 1 more$`))
        yield* put(JSON.stringify({ bytes }))
        yield* put(JSON.stringify({ month: [bytes] }))
        assert.isTrue(yield* isNamed)
        yield* remove(Project.digest(Project.plan))
        assert.match((yield* doubt) ?? "", new RegExp(`^the plan of run ${run} is not on this machine`))
        // Another machine's plans and outputs do not keep this one from sweeping its own artifacts.
        assert.isUndefined((yield* ArtifactRetention.sweep()).why)
      }),
    ),
  )

  it.live("are not known where the files of a version are not where they should be", () =>
    inHome((home) =>
      Effect.gen(function* () {
        yield* Project.writeRun(run, [])
        const slot = { legA: "EURUSD", legB: "GBPUSD", timeframe: "1h" } as const
        const facts = { theta: {}, metrics: {}, datasets: [], receipts: [], synthetic: true }
        const warrant = { who: "tester", reason: "why", intent: Sha256.of(""), run, task: "t", key: "k" }
        const registry = yield* ModelRegistry
        const model = { version: "v1", slot, digest: Project.digest("model"), path: "models/v1", ...facts }
        yield* registry.register(model, "candidate", warrant)
        const folder = join(home, "models/v1")
        assert.strictEqual(yield* doubt, `the files of version v1 are not at ${folder}: what they name is not known`)
        Fs.mkdirSync(folder, { recursive: true })
        Fs.writeFileSync(join(folder, "provenance.json"), JSON.stringify({ bytes }))
        assert.isTrue(yield* isNamed)
        Fs.rmSync(folder, { recursive: true })
        yield* registry.transition("v1", "rejected", warrant)
        yield* registry.transition("v1", "archived", warrant)
        for (const state of ["due", "purging", "purged"] as const) yield* registry.recordFiles("v1", state, 1, warrant)
        assert.deepStrictEqual(yield* find, { known: true, named: new Set<string>() })
      }),
    ),
  )

  it.live.each([
    ["in capital letters", JSON.stringify({ digest: bytes.toUpperCase() })],
    ["in an envelope that is printed for people", JSON.stringify(envelope(bytes), null, 2)],
    ["in an envelope that is text in JSON", JSON.stringify({ receipt: JSON.stringify(envelope(bytes), null, 2) })],
    ["in capital letters in an envelope", JSON.stringify(envelope(bytes.toUpperCase()))],
  ])("are found %s", ([, text]) =>
    inHome(() =>
      Effect.gen(function* () {
        const outputArtifact = yield* put(text)
        const data = { task: "say", attempt: 1, outputArtifact }
        yield* Project.writeRun(run, [{ type: "dev.dandori.attempt.succeeded.v1", data }])
        assert.isTrue(yield* isNamed)
      }),
    ),
  )
})
