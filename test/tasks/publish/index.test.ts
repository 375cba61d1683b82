import * as Fs from "node:fs"
import { join } from "node:path"
import { assert, describe } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Schema from "effect/Schema"
import { Artifacts } from "../../../src/services/artifacts.ts"
import type { GatedModel } from "../../../src/domain/model.ts"
import * as Sha256 from "../../../src/domain/sha256.ts"
import { ModelFiles } from "../../../src/services/model-files.ts"
import { ModelRegistry } from "../../../src/services/model-registry.ts"
import publish from "../../../tasks/publish/index.ts"
import { folder, nothing, probe, refused, run, slot, test } from "./publishing.ts"
import * as Stage from "./stage.ts"

describe("publish", () => {
  test("places exactly the gated bytes with list and receipts, and makes the version champion", (root) =>
    Effect.gen(function* () {
      const model = yield* Stage.passed(root, "v1")
      const notes: Array<Readonly<Record<string, unknown>>> = []
      const output = yield* Effect.provide(publish.run({ model, reason: "first" }), Stage.attempt("run", notes))
      assert.deepInclude(output, {
        version: "v1",
        digest: model.digest,
        slot: "EURUSD-GBPUSD/1h",
        path: ".dandori/models/v1",
        deployed: true,
        alreadyPublished: false,
      })
      assert.strictEqual(output.receipts.length, 2)
      assert.deepStrictEqual(notes, [output])
      assert.deepStrictEqual(Schema.decodeUnknownSync(publish.output)(JSON.parse(JSON.stringify(output))), output)
      assert.deepStrictEqual(Fs.readdirSync(folder(root, "v1")).toSorted(), [
        "checksums.json",
        "feature_schema.json",
        "metrics.json",
        "model.sig",
        "model_ai1.json",
        "provenance.json",
        "receipts",
        "theta.yaml",
      ])
      assert.strictEqual(Fs.statSync(join(folder(root, "v1"), "theta.yaml")).mode & 0o777, 0o444)
      const checked = yield* (yield* ModelFiles).verify("v1")
      assert.deepStrictEqual(checked.differences, [])
      assert.strictEqual(checked.list?.root_digest, model.digest)
      const registry = yield* ModelRegistry
      const { events, moves, row } = yield* registry.show("v1")
      assert.deepStrictEqual(
        events.map(({ to }) => to),
        ["candidate", "approved", "deployed"],
      )
      assert.deepStrictEqual(row.theta, { theta1: 0.7, theta2: 0.3, history: [{ theta1: 0.68 }] })
      assert.deepInclude(moves[0], {
        version: "v1",
        who: "tester",
        reason: "first",
        intent: Sha256.of("intent of run"),
      })
      assert.include(output.receipts, moves[0].receipt)
      assert.deepStrictEqual(
        (yield* registry.pendingOutbox(9)).map(({ kind }) => kind),
        ["notification", "signal"],
      )
    }))

  test("is a success that says so and changes nothing when the same version is published again", (root) =>
    Effect.gen(function* () {
      const registry = yield* ModelRegistry
      const model = yield* Stage.passed(root, "v1")
      const first = yield* run({ model }, "run 1")
      const before = yield* registry.histories
      yield* Stage.receipt(root, { gate: "backtest", subjects: [model.digest] })
      const second = yield* run({ model }, "run 2")
      assert.isTrue(second.alreadyPublished)
      assert.isTrue(second.deployed)
      assert.isUndefined(second.previous)
      assert.strictEqual(second.digest, first.digest)
      assert.deepStrictEqual(yield* registry.histories, before)
      assert.strictEqual((yield* registry.pendingOutbox(9)).length, 2)
    }))

  test("names the champion that it took the place of", (root) =>
    Effect.gen(function* () {
      yield* run({ model: yield* Stage.passed(root, "v1") }, "run 1")
      const output = yield* run({ model: yield* Stage.passed(root, "v2") }, "run 2")
      assert.strictEqual(output.previous, "v1")
      const deployed = yield* (yield* ModelRegistry).list({ slot, status: "deployed" })
      assert.deepStrictEqual(
        deployed.map(({ version }) => version),
        ["v2"],
      )
    }))

  test("leaves the champion alone with deploy: false, and deploys the candidate when it is published again", (root) =>
    Effect.gen(function* () {
      const registry = yield* ModelRegistry
      const model = yield* Stage.passed(root, "v1")
      const output = yield* run({ model, deploy: false }, "run 1")
      assert.isFalse(output.deployed)
      assert.strictEqual((yield* registry.show("v1")).row.status, "candidate")
      assert.deepStrictEqual(yield* registry.pendingOutbox(9), [])
      const again = yield* run({ model }, "run 2")
      assert.deepInclude(again, { deployed: true, alreadyPublished: true })
    }))

  test("does not put a rolled-back version back behind the operator's back", (root) =>
    Effect.gen(function* () {
      const registry = yield* ModelRegistry
      const model = yield* Stage.passed(root, "v1")
      yield* run({ model }, "run 1")
      const warrant = { who: "ann", reason: "wrong", intent: Sha256.of("x"), run: "r", task: "t", key: "k" }
      yield* registry.transition("v1", "rolled_back", warrant)
      assert.strictEqual((yield* refused({ model }, "run 2"))._tag, "TransitionRefused")
      assert.isTrue(Option.isNone(yield* registry.champion(slot)))
    }))

  test("refuses the same version with other bytes and leaves the first as it was", (root) =>
    Effect.gen(function* () {
      yield* run({ model: yield* Stage.passed(root, "v1") }, "run 1")
      const other = yield* Stage.passed(root, "v1", "other bytes")
      const error = yield* refused({ model: other }, "run 2")
      assert.strictEqual(error._tag, "VersionConflict")
      assert.isTrue("notApplied" in error && error.notApplied)
      assert.deepStrictEqual((yield* (yield* ModelFiles).verify("v1")).differences, [])
    }))

  test("refuses other bytes in a folder that the registry does not know yet", (root) =>
    Effect.gen(function* () {
      yield* run({ model: yield* Stage.passed(root, "v1") }, "run 1")
      Fs.cpSync(join(root, ".dandori/models"), join(root, "kept"), { recursive: true })
      Fs.renameSync(join(root, "kept", "v1"), folder(root, "v2"))
      const error = yield* refused({ model: yield* Stage.passed(root, "v2") }, "run 2")
      assert.strictEqual(error._tag, "VersionDamaged")
      assert.include(error.message, "is of version v1")
    }))

  test("refuses a published folder that was altered, names the file, and keeps it", (root) =>
    Effect.gen(function* () {
      const model = yield* Stage.passed(root, "v1")
      yield* run({ model }, "run 1")
      Fs.chmodSync(join(folder(root, "v1"), "theta.yaml"), 0o644)
      Fs.writeFileSync(join(folder(root, "v1"), "theta.yaml"), "theta1: 0.1\n")
      const error = yield* refused({ model }, "run 2")
      assert.strictEqual(error._tag, "VersionDamaged")
      assert.include(error.message, "altered: theta.yaml")
      assert.isTrue(Fs.existsSync(folder(root, "v1")))
    }))
})

describe("publish under strain", () => {
  test("says that nothing was published when a file's bytes are damaged in the store", (root) =>
    Effect.gen(function* () {
      const model = yield* Stage.passed(root, "v1")
      const stored = (yield* Artifacts).pathOf(model.files[0].sha256)
      Fs.chmodSync(stored, 0o644)
      Fs.writeFileSync(stored, "damaged")
      const error = yield* refused({ model })
      assert.strictEqual(error._tag, "StagingFailed")
      assert.isTrue("notApplied" in error && error.notApplied)
      yield* nothing(root, "v1")
    }))

  test("publishes once when two runs publish the same version at the same time", (root) =>
    Effect.gen(function* () {
      const model = yield* Stage.passed(root, "v1")
      const outputs = yield* Effect.all([run({ model }, "run 1"), run({ model }, "run 2")], { concurrency: 2 })
      assert.deepStrictEqual(outputs.map(({ alreadyPublished }) => alreadyPublished).toSorted(), [false, true])
      assert.strictEqual((yield* (yield* ModelRegistry).history(slot)).length, 1)
    }))

  test("ends with one champion and its whole bytes when four versions are published at the same time", (root) =>
    Effect.gen(function* () {
      const models = yield* Effect.forEach(["v1", "v2", "v3", "v4"], (version) => Stage.passed(root, version))
      yield* Effect.forEach(models, (model) => run({ model }, model.version), { concurrency: 4 })
      const registry = yield* ModelRegistry
      assert.strictEqual((yield* registry.list({ slot, status: "deployed" })).length, 1)
      assert.strictEqual((yield* registry.list({ slot, status: "archived" })).length, 3)
      assert.deepStrictEqual(yield* registry.verify, [])
      assert.deepStrictEqual(yield* (yield* ModelFiles).list, ["v1", "v2", "v3", "v4"])
    }))

  test("removes what a killed attempt left staged", (root) =>
    Effect.gen(function* () {
      const left = join(root, ".dandori/models/.staging-v0-x/receipts")
      Fs.mkdirSync(left, { recursive: true })
      Fs.writeFileSync(join(left, "half"), "x")
      yield* run({ model: yield* Stage.passed(root, "v1") })
      assert.deepStrictEqual(Fs.readdirSync(join(root, ".dandori/models")).toSorted(), [".publish.lock", "v1"])
    }))
})

describe("publish refuses names that could leave the root", () => {
  for (const version of ["../../evil", "/etc/evil", "..", ".hidden", "a/b", "", "a\0b"]) {
    test(`version ${JSON.stringify(version)}`, (root) =>
      Effect.gen(function* () {
        const model = yield* Stage.passed(root, "v1")
        const forced = { ...model, version } as GatedModel
        assert.isTrue(Option.isNone(Schema.decodeUnknownOption(publish.input)({ model: { ...model, version } })))
        const before = Fs.readdirSync(root, { recursive: true }).length
        assert.strictEqual((yield* refused({ model: forced }))._tag, "VersionRefused")
        assert.strictEqual(Fs.readdirSync(root, { recursive: true }).length, before)
      }))
  }

  for (const name of ["../evil.json", "checksums.json", "model.sig", "receipts", ".x"]) {
    test(`file ${name}`, (root) =>
      Effect.gen(function* () {
        const model = yield* Stage.passed(root, "v1")
        const files = [{ ...model.files[0], name }, ...model.files]
        const error = yield* refused({ model: { ...model, files } as GatedModel })
        assert.strictEqual(error._tag, "ModelRefused")
        yield* nothing(root, "v1")
      }))
  }
})

describe("publish.probe and publish.dryRun", () => {
  test("the probe knows what this task did, and nothing of another's", (root) =>
    Effect.gen(function* () {
      const model = yield* Stage.passed(root, "v1")
      assert.isTrue(Option.isNone(yield* probe({ model }, "run 1")))
      const output = yield* run({ model }, "run 1")
      assert.deepStrictEqual(yield* probe({ model }, "run 1"), Option.some(output))
      assert.isTrue(Option.isNone(yield* probe({ model }, "run 2")))
    }))

  test("the dry run says what would happen and writes nothing", (root) =>
    Effect.gen(function* () {
      const model = yield* Stage.passed(root, "v1")
      const dry = Effect.provide(
        publish.dryRun?.({ model }) ?? Effect.die("publish has no dry run"),
        Stage.attempt("run"),
      )
      // The registry's tables are made at the first look.
      yield* (yield* ModelRegistry).list()
      const before = Fs.readdirSync(root, { recursive: true }).length
      assert.include(yield* dry, "would place 5 files with 2 receipts; would become champion")
      assert.strictEqual(Fs.readdirSync(root, { recursive: true }).length, before)
      yield* nothing(root, "v1")
      yield* run({ model })
      assert.include(yield* dry, "published already")
    }))
})

describe("ModelFiles.verify", () => {
  test("names extra, missing, swapped and altered files, links and a missing list", (root) =>
    Effect.gen(function* () {
      yield* run({ model: yield* Stage.passed(root, "v1") })
      const at = (name: string) => join(folder(root, "v1"), name)
      const differences = Effect.flatMap(ModelFiles, (files) => files.verify("v1")).pipe(
        Effect.map((checked) => checked.differences),
      )
      Fs.writeFileSync(at("evil.pkl"), "x")
      assert.deepStrictEqual(yield* differences, [{ kind: "extra", path: "evil.pkl" }])
      Fs.rmSync(at("evil.pkl"))
      const receipt = `receipts/${Fs.readdirSync(at("receipts"))[0]}`
      Fs.renameSync(at(receipt), join(root, "kept"))
      assert.deepStrictEqual(yield* differences, [{ kind: "missing", path: receipt }])
      Fs.symlinkSync(join(root, "kept"), at(receipt))
      assert.deepStrictEqual(yield* differences, [{ kind: "altered", path: receipt }])
      Fs.rmSync(at(receipt))
      Fs.renameSync(join(root, "kept"), at(receipt))
      Fs.renameSync(at("theta.yaml"), at("x"))
      Fs.renameSync(at("model_ai1.json"), at("theta.yaml"))
      Fs.renameSync(at("x"), at("model_ai1.json"))
      assert.deepStrictEqual(yield* differences, [
        { kind: "swapped", path: "model_ai1.json", with: "theta.yaml" },
        { kind: "swapped", path: "theta.yaml", with: "model_ai1.json" },
      ])
      Fs.rmSync(at("checksums.json"))
      assert.deepStrictEqual(yield* differences, [
        { kind: "missing", path: "checksums.json" },
        { kind: "swapped", path: "model_ai1.json", with: "theta.yaml" },
        { kind: "swapped", path: "theta.yaml", with: "model_ai1.json" },
      ])
      Fs.symlinkSync(at("theta.yaml"), at("checksums.json"))
      assert.deepInclude(yield* differences, { kind: "altered", path: "checksums.json" })
      assert.strictEqual((yield* Effect.flip((yield* ModelFiles).verify("../v1")))._tag, "VersionRefused")
    }))
})
