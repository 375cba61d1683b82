import * as Fs from "node:fs/promises"
import { join } from "node:path"
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import { dandori } from "./evidence-project.ts"
import { edit, guarded, project, system, write } from "./guarded-project.ts"

describe("dandori deploy", () => {
  it.effect("records the pipeline in the stream system, its bytes in the artifact store, and who did it", () =>
    Effect.gen(function* () {
      const folder = yield* project
      const { code, out } = yield* dandori(folder, "deploy", "guarded")
      assert.strictEqual(code, 0)
      assert.match(out, /^guarded {2}deployed in dev, for the first time {2}sha256:[0-9a-f]{64}\n$/)
      const [entry, ...more] = yield* system(folder)
      assert.lengthOf(more, 0)
      const data = entry?.data as Record<string, any>
      assert.deepInclude(data, { pipeline: "guarded", env: "dev", gates: ["check"] })
      assert.deepStrictEqual(
        data.files.map(({ name }: { name: string }) => name),
        ["bars.yaml"],
      )
      assert.isString(entry?.authid)
      for (const { sha256 } of [data.planArtifact, data.config, ...data.files]) {
        const path = join(folder, ".dandori/artifacts/sha256", sha256.slice(0, 2), sha256.slice(2))
        assert.isTrue(yield* Effect.promise(() => Fs.stat(path).then((found) => found.size > 0)))
      }
      assert.strictEqual((yield* dandori(folder, "ledger", "verify")).code, 0)
    }),
  )

  it.effect("of what is deployed already says so and appends nothing", () =>
    Effect.gen(function* () {
      const folder = yield* project
      yield* dandori(folder, "deploy", "good", "guarded")
      const { code, out } = yield* dandori(folder, "deploy", "guarded", "good")
      assert.strictEqual(code, 0)
      assert.match(out, /^guarded {2}is deployed already, nothing changed.*\ngood {2}is deployed already/)
      assert.lengthOf(yield* system(folder), 2)
    }),
  )

  it.effect("deploys nothing when one of the pipelines does not compile, and shows its mistakes", () =>
    Effect.gen(function* () {
      const folder = yield* project
      yield* write(folder, "pipelines/wrong.yaml", "version: 1\nid: wrong\ntasks: { a: { uses: nothing } }\n")
      const { code, err } = yield* dandori(folder, "deploy", "good", "pipelines/wrong.yaml")
      assert.strictEqual(code, 65)
      assert.match(err, /pipelines\/wrong\.yaml:3:\d+: There is no task type "nothing"/)
      assert.isFalse(yield* Effect.promise(() => Bun.file(join(folder, ".dandori/ledger/system.ndjson")).exists()))
    }),
  )

  it.effect("refuses a weaker safeguard with 3, and takes it with a reason, which is recorded", () =>
    Effect.gen(function* () {
      const folder = yield* project
      yield* dandori(folder, "deploy", "guarded")
      yield* edit(folder, "bars.yaml", "max: 2h", "max: 3h")
      const refused = yield* dandori(folder, "deploy", "guarded", "good")
      assert.strictEqual(refused.code, 3)
      assert.include(refused.err, 'bars.yaml: max_gap.max: "2h" → "3h"')
      assert.include(refused.err, "Nothing was deployed")
      assert.lengthOf(yield* system(folder), 1)
      const blank = yield* dandori(folder, "deploy", "guarded", "--accept-weaker", " ")
      assert.strictEqual(blank.code, 64)
      const taken = yield* dandori(folder, "deploy", "guarded", "--accept-weaker", "the feed has gaps")
      assert.strictEqual(taken.code, 0, taken.err)
      const entries = yield* system(folder)
      const [first, second] = entries.map(({ data }) => data as Record<string, any>)
      assert.deepStrictEqual(second?.weaker, {
        reason: "the feed has gaps",
        accepted: ["expectations: bars.yaml: max_gap.max"],
      })
      assert.strictEqual(second?.previous, first?.plan)
      assert.isUndefined(first?.weaker)
      assert.strictEqual((yield* dandori(folder, "plan", "guarded")).code, 0)
    }),
  )

  it.effect("keeps what is deployed in one environment apart from another", () =>
    Effect.gen(function* () {
      const folder = yield* project
      yield* dandori(folder, "deploy", "good")
      const { code, out } = yield* dandori(folder, "plan", "good", "--env", "prod")
      assert.strictEqual(code, 2)
      assert.include(out, "nothing is deployed in prod")
    }),
  )

  it.effect("started many times at once leaves one line of deployments, each naming the one before", () =>
    Effect.gen(function* () {
      const folder = yield* project
      const versions = [1, 2, 3, 4]
      for (const n of versions) {
        yield* write(folder, `v${n}.yaml`, guarded.replace("timeout: 1m", `timeout: ${n}m`))
      }
      const said = yield* Effect.all(
        versions.map((n) => dandori(folder, "deploy", `v${n}.yaml`)),
        { concurrency: "unbounded" },
      )
      assert.deepStrictEqual(
        said.map(({ code }) => code),
        [0, 0, 0, 0],
        said.map(({ err }) => err).join("\n"),
      )
      const deployed = (yield* system(folder)).map(({ data }) => data as Record<string, any>)
      assert.lengthOf(deployed, 4)
      deployed.forEach(({ previous }, i) => assert.strictEqual(previous, deployed[i - 1]?.plan))
      assert.strictEqual((yield* dandori(folder, "ledger", "verify")).code, 0)
    }),
  )

  it.effect("asks for a reason when what is deployed cannot be read any more, and then replaces it", () =>
    Effect.gen(function* () {
      const folder = yield* project
      yield* dandori(folder, "deploy", "guarded")
      const [sha = ""] = (yield* system(folder)).map(({ data }) => (data as { plan: string }).plan)
      const bytes = join(folder, ".dandori/artifacts/sha256", sha.slice(0, 2), sha.slice(2))
      yield* Effect.promise(() => Fs.rm(bytes, { force: true }))
      const refused = yield* dandori(folder, "deploy", "guarded")
      assert.strictEqual(refused.code, 3)
      assert.match(refused.err, /! what is deployed {2}\(it cannot be compared: Artifact [^)]*does not exist/)
      const { code, err } = yield* dandori(folder, "deploy", "guarded", "--accept-weaker", "the disk lost it")
      assert.strictEqual(code, 0, err)
      assert.strictEqual((yield* dandori(folder, "plan", "guarded")).code, 0)
    }),
  )

  it.effect("of two files with one id asks which is meant", () =>
    Effect.gen(function* () {
      const folder = yield* project
      yield* write(folder, "again.yaml", guarded)
      const { code, err } = yield* dandori(folder, "deploy", "guarded", "again.yaml")
      assert.strictEqual(code, 64)
      assert.include(err, "again.yaml have the same id guarded")
    }),
  )
})
