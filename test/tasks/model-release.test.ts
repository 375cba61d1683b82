import * as Fs from "node:fs"
import { join } from "node:path"
import { assert, describe } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import type { ModelVersion } from "../../src/domain/model.ts"
import * as Sha256 from "../../src/domain/sha256.ts"
import { ModelRegistry } from "../../src/services/model-registry.ts"
import * as ObjectStoreDirectory from "../../src/services/object-store-directory.ts"
import { Progress } from "../../src/services/progress.ts"
import deployType from "../../tasks/model-deploy/index.ts"
import type { Input } from "../../tasks/model-deploy/schema.ts"
import distributeType from "../../tasks/model-distribute/index.ts"
import findType from "../../tasks/model-find/index.ts"
import verifyType from "../../tasks/model-verify/index.ts"
import * as Publishing from "./publish/publishing.ts"
import * as Stage from "./publish/stage.ts"

const { folder, slot, test } = Publishing
const slotName = "EURUSD-GBPUSD/1h"
const deploy = (model: ModelVersion, over: Partial<Input> = {}, run = "release") =>
  Effect.provide(deployType.run({ model, reason: "released", ...over }), Stage.attempt(run))
const probe = (model: ModelVersion, run: string) =>
  Effect.provide(deployType.probe?.({ model, reason: "released" }) ?? Effect.die("no probe"), Stage.attempt(run))
const champion = Effect.gen(function* () {
  return Option.getOrUndefined(yield* (yield* ModelRegistry).champion(slot))?.version
})

/** Publishes a version with all its receipts, as a candidate or as champion. */
const publish = (root: string, version: string, asChampion: boolean) =>
  Effect.gen(function* () {
    const model = yield* Stage.passed(root, version)
    yield* Publishing.run({ model, deploy: asChampion }, `publish ${version}`)
    return { version, digest: model.digest }
  })

const alter = (root: string, version: string, file: string, text: string) =>
  Effect.sync(() => {
    const path = join(folder(root, version), file)
    Fs.chmodSync(path, 0o644)
    Fs.writeFileSync(path, text)
  })

describe("model-deploy", () => {
  test("makes a candidate champion, tells others in the same transaction, and does it once", (root) =>
    Effect.gen(function* () {
      const registry = yield* ModelRegistry
      const first = yield* publish(root, "v1", true)
      const second = yield* publish(root, "v2", false)
      const told = (yield* registry.pendingOutbox(9)).length
      const output = yield* deploy(second, { reason: "better in March" })
      assert.deepInclude(output, { ...second, slot: slotName, previous: "v1", moved: true })
      assert.strictEqual(yield* champion, "v2")
      const { events, moves } = yield* registry.show("v2")
      assert.deepStrictEqual(
        events.map(({ to }) => to),
        ["candidate", "approved", "deployed"],
      )
      assert.deepInclude(moves[0], {
        reason: "better in March",
        receipt: output.receipt ?? null,
        key: "release/publish",
      })
      assert.deepStrictEqual(
        (yield* registry.pendingOutbox(9)).slice(told).map(({ kind }) => kind),
        ["notification", "signal"],
      )
      const before = yield* registry.histories
      const again = yield* deploy(second, {}, "again")
      assert.isFalse(again.moved)
      assert.deepStrictEqual(yield* registry.histories, before)
      assert.deepStrictEqual(yield* probe(second, "release"), Option.some(output))
      assert.deepStrictEqual(yield* probe(first, "release"), Option.none())
      assert.deepStrictEqual(yield* probe(second, "another"), Option.none())
    }))

  test("rolls back to the version before, and marks the one that failed", (root) =>
    Effect.gen(function* () {
      const first = yield* publish(root, "v1", true)
      yield* publish(root, "v2", true)
      const output = yield* deploy(first, { previousBecomes: "rolled_back", reason: "v2 loses money" })
      assert.deepInclude(output, { previous: "v2", moved: true })
      const row = Option.getOrThrow(yield* (yield* ModelRegistry).find("v2"))
      assert.deepInclude(row, { status: "rolled_back", reason: "v2 loses money" })
    }))

  test("brings a version that was taken out back only when a person has agreed, who is named in its history", (root) =>
    Effect.gen(function* () {
      const first = yield* publish(root, "v1", true)
      const second = yield* publish(root, "v2", true)
      yield* deploy(first, { previousBecomes: "rolled_back" })
      const refused = yield* Effect.flip(deploy(second, {}, "alone"))
      assert.strictEqual(refused._tag, "TransitionRefused")
      assert.strictEqual(yield* champion, "v1")
      const input = { model: second, reason: "the data was wrong, not the model" }
      yield* Effect.provide(deployType.run(input), Stage.attempt("agreed", [], ["bob"]))
      assert.strictEqual(yield* champion, "v2")
      const { events } = yield* (yield* ModelRegistry).show("v2")
      assert.deepStrictEqual(
        events.slice(-2).map(({ reason, to }) => [to, reason]),
        [
          ["approved", "the data was wrong, not the model (approved again by bob)"],
          ["deployed", "the data was wrong, not the model"],
        ],
      )
    }))

  test("refuses before anything is switched when a byte is changed, a file is gone, there is one more, or no folder", (root) =>
    Effect.gen(function* () {
      const registry = yield* ModelRegistry
      const old = yield* publish(root, "v1", true)
      yield* publish(root, "v2", true)
      const before = yield* registry.histories
      const refused = Effect.fnUntraced(function* (expected: RegExp) {
        const error = yield* Effect.flip(deploy(old, { previousBecomes: "rolled_back" }))
        assert.strictEqual(error._tag, "ModelDamaged")
        assert.match(error.message, expected)
        assert.deepStrictEqual(yield* registry.histories, before)
        assert.strictEqual(yield* champion, "v2")
      })
      const theta = join(folder(root, "v1"), "theta.yaml")
      const whole = Fs.readFileSync(theta, "utf8")
      yield* alter(root, "v1", "theta.yaml", whole.replace("0.7", "0.8"))
      yield* refused(/theta\.yaml/)
      Fs.rmSync(theta)
      yield* refused(/theta\.yaml/)
      Fs.writeFileSync(theta, whole)
      Fs.writeFileSync(join(folder(root, "v1"), "more.json"), "{}")
      yield* refused(/more\.json/)
      Fs.rmSync(folder(root, "v1"), { recursive: true })
      yield* refused(/the folder is gone/)
    }))

  test("refuses bytes that the registry does not know under the version, and versions without a receipt that holds", (root) =>
    Effect.gen(function* () {
      const model = yield* publish(root, "v1", false)
      const other = yield* Effect.flip(deploy({ ...model, digest: Sha256.of("other") }))
      assert.strictEqual(other._tag, "VersionConflict")
      const unknown = yield* Effect.flip(deploy({ ...model, version: "v9" }))
      assert.strictEqual(unknown._tag, "VersionUnknown")
      yield* Stage.receipt(root, { gate: "backtest", subjects: [model.digest], result: "FAILED" })
      const failed = yield* Effect.flip(deploy(model))
      assert.strictEqual(failed._tag, "ReceiptMissing")
      assert.match(failed.message, /says FAILED/)
      assert.isUndefined(yield* champion)
    }))

  test("takes an earlier deployment's receipt under another policy, unless a backtest has failed since", (root) =>
    Effect.gen(function* () {
      const registry = yield* ModelRegistry
      const model = yield* publish(root, "v1", false)
      const policy = Sha256.of("the policy of last year")
      for (const name of Fs.readdirSync(join(root, "evidence"))) {
        const { payload } = JSON.parse(Fs.readFileSync(join(root, "evidence", name), "utf8"))
        if (Buffer.from(payload, "base64").toString().includes('"backtest"')) Fs.rmSync(join(root, "evidence", name))
      }
      const receipt = yield* Stage.receipt(root, { gate: "backtest", subjects: [model.digest], policy })
      assert.strictEqual((yield* Effect.flip(deploy(model)))._tag, "ReceiptMissing")
      const warrant = { who: "ann", reason: "then", intent: Sha256.of("i"), run: "r", task: "t", key: "k" }
      yield* registry.transition("v1", "approved", warrant)
      yield* registry.deploy("v1", { previousBecomes: "archived", receipt: receipt.sha256, outbox: [] }, warrant)
      yield* publish(root, "v2", true)
      assert.deepInclude(yield* deploy(model), { moved: true, receipt: receipt.sha256, previous: "v2" })
      yield* deploy({ version: "v2", digest: Option.getOrThrow(yield* registry.find("v2")).digest }, {}, "back")
      yield* Stage.receipt(root, { gate: "backtest", subjects: [model.digest], policy, result: "FAILED" })
      assert.strictEqual((yield* Effect.flip(deploy(model, {}, "third")))._tag, "ReceiptMissing")
    }))

  test("says in a dry run what it would do, and changes nothing", (root) =>
    Effect.gen(function* () {
      yield* publish(root, "v1", true)
      const second = yield* publish(root, "v2", false)
      const before = yield* (yield* ModelRegistry).histories
      const said = yield* Effect.provide(
        deployType.dryRun?.({ model: second, reason: "x" }) ?? Effect.die("no dry run"),
        Stage.attempt("dry"),
      )
      assert.strictEqual(said, `v2 would become champion of ${slotName} in place of v1, which would be archived`)
      assert.deepStrictEqual(yield* (yield* ModelRegistry).histories, before)
    }))
})

describe("model-find", () => {
  const find = (input: Omit<Parameters<typeof findType.run>[0], "slot">, name = slotName) =>
    Effect.provide(findType.run({ slot: name, ...input }), Stage.attempt("find"))

  test("finds the champion, the one before it, and one by its name", (root) =>
    Effect.gen(function* () {
      assert.match((yield* Effect.flip(find({}))).message, /no version is deployed/)
      yield* publish(root, "v1", true)
      assert.match((yield* Effect.flip(find({ which: "previous" }))).message, /no version was deployed before/)
      yield* publish(root, "v2", true)
      yield* publish(root, "v3", false)
      assert.deepInclude(yield* find({}), { version: "v2", status: "deployed", champion: "v2" })
      assert.deepInclude(yield* find({ which: "previous" }), { version: "v1", status: "archived", champion: "v2" })
      assert.deepInclude(yield* find({ version: "v3" }), { version: "v3", status: "candidate" })
      assert.strictEqual((yield* Effect.flip(find({ version: "v9" })))._tag, "VersionUnknown")
      assert.match(
        (yield* Effect.flip(find({ version: "v1" }, "EURUSD-GBPUSD/4h"))).message,
        /v1 is of EURUSD-GBPUSD\/1h/,
      )
      for (const name of ["", "EURUSD", "../x/1h", "EURUSD-GBPUSD/2h"]) {
        assert.match((yield* Effect.flip(find({}, name))).message, /this is no slot/)
      }
    }))

  test("goes back to no version that was never deployed, nor to the champion", (root) =>
    Effect.gen(function* () {
      yield* publish(root, "v1", true)
      yield* publish(root, "v2", true)
      yield* publish(root, "v3", false)
      assert.deepInclude(yield* find({ which: "previous", version: "v1" }), { version: "v1", champion: "v2" })
      const candidate = yield* Effect.flip(find({ which: "previous", version: "v3" }))
      assert.match(candidate.message, /v3 is candidate and was never deployed: release it/)
      const itself = yield* Effect.flip(find({ which: "previous", version: "v2" }))
      assert.match(itself.message, /v2 is champion now/)
      assert.deepInclude(yield* find({ which: "previous", version: "" }), { version: "v1" })
    }))

  test("after a rollback goes not back to what was taken out, and names the versions that may be named", (root) =>
    Effect.gen(function* () {
      yield* publish(root, "v1", true)
      const second = yield* publish(root, "v2", true)
      yield* publish(root, "v3", true)
      yield* deploy(second, { previousBecomes: "rolled_back" })
      const error = yield* Effect.flip(find({ which: "previous" }))
      assert.strictEqual(error._tag, "ModelNotFound")
      assert.match(
        error.message,
        /v3 is rolled_back, and so not what to go back to; name another one, --param to=VERSION: v1\./,
      )
      const named = yield* Effect.flip(find({ which: "previous", version: "v3" }))
      assert.match(named.message, /--param to=VERSION: v1\./)
      assert.deepInclude(yield* find({ which: "previous", version: "v1" }), { version: "v1", champion: "v2" })
    }))

  test("finds the version to go back to when the champion was taken out", (root) =>
    Effect.gen(function* () {
      yield* publish(root, "v1", true)
      const warrant = { who: "ann", reason: "bad", intent: Sha256.of("i"), run: "r", task: "t", key: "k" }
      yield* (yield* ModelRegistry).transition("v1", "rolled_back", warrant)
      assert.deepInclude(yield* find({ which: "previous" }), { version: "v1", status: "rolled_back", champion: null })
    }))
})

describe("model-verify and model-distribute", () => {
  const services = Layer.mergeAll(
    Stage.attempt("copy"),
    ObjectStoreDirectory.layer,
    Layer.succeed(Progress, { report: () => Effect.void }),
  )

  test("read the whole version back and copy it, each object once and by its digest", (root) =>
    Effect.gen(function* () {
      const model = yield* publish(root, "v1", false)
      const verified = yield* Effect.provide(verifyType.run({ model }), services)
      assert.deepInclude(verified, { ...model, slot: slotName, status: "candidate", path: ".dandori/models/v1" })
      const to = [join(root, "copy one"), join(root, "copy two")]
      const copied = yield* Effect.provide(distributeType.run({ model, to }), services)
      assert.deepStrictEqual(
        copied.copies.map(({ objects }) => objects),
        [copied.objects.length, copied.objects.length],
      )
      for (const place of to) {
        for (const { path, sha256 } of copied.objects) {
          assert.strictEqual(Sha256.of(Fs.readFileSync(join(place, "v1", path))), sha256)
        }
      }
      assert.deepStrictEqual(yield* Effect.provide(distributeType.run({ model, to }), services), copied)
      Fs.chmodSync(join(to[0], "v1/theta.yaml"), 0o644)
      Fs.writeFileSync(join(to[0], "v1/theta.yaml"), "other")
      const conflict = yield* Effect.flip(Effect.provide(distributeType.run({ model, to }), services))
      assert.strictEqual(conflict._tag, "ObjectExists")
      yield* alter(root, "v1", "metrics.json", "{}")
      for (const effect of [verifyType.run({ model }), Effect.asVoid(distributeType.run({ model, to }))]) {
        const error = yield* Effect.flip(Effect.provide(effect as ReturnType<typeof verifyType.run>, services))
        assert.strictEqual(error._tag, "ModelDamaged")
      }
    }))
})
