import * as Fs from "node:fs/promises"
import { join } from "node:path"
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import { taskType } from "../../src/authoring/task-type.ts"
import { Artifact } from "../../src/domain/artifact.ts"
import { GateResult } from "../../src/domain/gate.ts"
import { InputFile } from "../../src/domain/names.ts"
import * as Sha256 from "../../src/domain/sha256.ts"
import * as Run from "../../src/engine/run.ts"
import { taskOf } from "../../src/engine/run-state.ts"
import * as StreamName from "../../src/ledger/stream-name.ts"
import { Artifacts } from "../../src/services/artifacts.ts"
import { plan, task } from "../support/engine-plan.ts"
import * as Project from "../support/engine-project.ts"

/** A pure type that reads files by every shape of input, stores an artifact, and judges. */
const makeType = () => {
  const calls = { count: 0 }
  const type = taskType({
    type: "reads",
    version: 1,
    description: "reads",
    input: Schema.Struct({
      file: InputFile,
      named: Schema.optionalKey(Schema.Record(Schema.String, InputFile)),
      pair: Schema.optionalKey(Schema.Tuple([InputFile, Schema.Int])),
      salt: Schema.optionalKey(Schema.Int),
    }),
    output: Schema.Struct({ artifact: Artifact, gate: GateResult }),
    effects: "pure",
    config: ["training"],
    gate: (output) => output.gate,
    run: () =>
      Effect.gen(function* () {
        calls.count++
        const artifact = yield* (yield* Artifacts).put("text", "text/plain", "the bytes")
        const gate: GateResult = {
          verdict: "PASSED",
          subjects: [{ name: "text", sha256: artifact.sha256 }],
          policy: { name: "training", sha256: Sha256.of("policy") },
          reasons: [],
          reports: [],
        }
        return { artifact, gate }
      }),
  })
  return { calls, type }
}

const workshop = Effect.gen(function* () {
  const place = yield* Project.temporary
  for (const name of ["data.csv", "other.csv", "third.csv"]) {
    yield* Effect.promise(() => Fs.writeFile(join(place.project, name), `${name} 1`))
  }
  const { calls, type } = makeType()
  const settings = yield* Project.configuration
  const input = { file: "data.csv", named: { other: "other.csv" }, pair: ["third.csv", 1] }
  const run = (given: object = input, changed: Partial<Project.Options> = {}) =>
    Effect.gen(function* () {
      const started = yield* Run.start(Project.request(plan([task("one", type, { cache: true, with: { ...given } })])))
      const [succeeded] = Project.dataOf(yield* Project.entriesOf(started.run), "attempt.succeeded")
      return { ...started, succeeded, calls: calls.count }
    }).pipe(Effect.provide(Project.services(place, { types: [type], settings, ...changed })))
  return { place, run, input, settings }
})

describe("the cache", () => {
  it.live("gives the output of an earlier run, names that run and carries its receipts", () =>
    Effect.gen(function* () {
      const { run } = yield* workshop
      const first = yield* run()
      const second = yield* run()
      assert.strictEqual(second.calls, 1)
      assert.deepStrictEqual(taskOf(second.state, "one").output, taskOf(first.state, "one").output)
      assert.deepInclude(second.succeeded.cached, { run: first.run, task: "one" })
      assert.deepStrictEqual(second.succeeded.receipts, first.succeeded.receipts)
      assert.lengthOf(second.succeeded.receipts as ReadonlyArray<unknown>, 1)
    }),
  )

  it.live("misses when the input, a file that it names, the configuration or the code has changed", () =>
    Effect.gen(function* () {
      const { place, run, input, settings } = yield* workshop
      yield* run()
      const training = { ...settings.sections.training, splits: undefined, other: 1 }
      const changed = { ...settings, sections: { ...settings.sections, training } } as unknown as typeof settings
      assert.strictEqual((yield* run({ ...input, salt: 1 })).calls, 2)
      assert.strictEqual((yield* run(input, { settings: changed })).calls, 3)
      assert.strictEqual((yield* run(input, { code: "other code" })).calls, 4)
      for (const [index, name] of ["data.csv", "other.csv", "third.csv"].entries()) {
        yield* Effect.promise(() => Fs.writeFile(join(place.project, name), `${name} 2`))
        assert.strictEqual((yield* run()).calls, 5 + index, name)
        assert.strictEqual((yield* run()).calls, 5 + index, name)
      }
    }),
  )

  it.live("misses when the bytes of the output are gone or are others", () =>
    Effect.gen(function* () {
      const { place, run } = yield* workshop
      const first = yield* run()
      const { artifact } = taskOf(first.state, "one").output as { readonly artifact: Artifact }
      const { sha256 } = artifact
      yield* Effect.promise(() => Fs.rm(join(place.home, "artifacts", "sha256", sha256.slice(0, 2), sha256.slice(2))))
      assert.strictEqual((yield* run()).calls, 2)
      assert.strictEqual((yield* run()).calls, 2)
    }),
  )

  it.live("misses when the ledger no longer holds the entry", () =>
    Effect.gen(function* () {
      const { place, run } = yield* workshop
      const first = yield* run()
      const file = join(place.home, "ledger", StreamName.segmentPath(StreamName.ofRun(first.run)))
      yield* Effect.promise(() => Fs.rm(file))
      assert.strictEqual((yield* run()).calls, 2)
    }),
  )

  it.live("misses where its index was deleted, and where a record of it is no record", () =>
    Effect.gen(function* () {
      const { place, run } = yield* workshop
      yield* run()
      const folder = join(place.home, "cache")
      const [name] = yield* Effect.promise(() => Fs.readdir(folder))
      yield* Effect.promise(() => Fs.writeFile(join(folder, name), "{"))
      assert.strictEqual((yield* run()).calls, 2)
      yield* Effect.promise(() => Fs.rm(folder, { recursive: true }))
      assert.strictEqual((yield* run()).calls, 3)
    }),
  )

  it.live("misses when its index names an entry that answers another key", () =>
    Effect.gen(function* () {
      const { place, run, input } = yield* workshop
      yield* run({ ...input, salt: 1 })
      const folder = join(place.home, "cache")
      const [one] = yield* Effect.promise(() => Fs.readdir(folder))
      yield* run({ ...input, salt: 2 })
      const names = yield* Effect.promise(() => Fs.readdir(folder))
      const two = names.find((name) => name !== one) ?? ""
      yield* Effect.promise(() => Fs.copyFile(join(folder, one), join(folder, two)))
      assert.strictEqual((yield* run({ ...input, salt: 1 })).calls, 2)
      assert.strictEqual((yield* run({ ...input, salt: 2 })).calls, 3)
    }),
  )
})
