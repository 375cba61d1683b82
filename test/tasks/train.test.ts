import { fileURLToPath } from "node:url"
import { assert, describe, it } from "@effect/vitest"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Schema from "effect/Schema"
import * as SamplePair from "../../samples/sample-pair.ts"
import * as Model from "../../src/domain/model.ts"
import * as Bundle from "../../src/market/model-bundle.ts"
import * as ModelClaims from "../../src/market/model-claims.ts"
import * as ModelDiff from "../../src/market/model-diff.ts"
import { Provenance } from "../../src/market/model-provenance.ts"
import { synthetic } from "../../src/market/synthetic.ts"
import { Artifacts } from "../../src/services/artifacts.ts"
import train from "../../tasks/train/index.ts"
import { type Trainer, TrainOutput } from "../../tasks/train/schema.ts"
import { carrying, records } from "../services/processes-machine.fixture.ts"
import * as Schemas from "../fixtures/schemas/in-toto.ts"
import { problems } from "../support/conforms.ts"
import * as TrainPlace from "./train-place.ts"
import * as Workplace from "./workplace.ts"

const sample = synthetic(SamplePair.spec)

/** Extremes always revert in it, so AI1 has one class. */
const oneClass = synthetic({ ...SamplePair.spec, to: Date.UTC(2025, 5, 1), regime: "breakdown" })

const textsOf = Effect.fnUntraced(function* (model: Model.Model) {
  const artifacts = yield* Artifacts
  const texts: Record<string, string> = {}
  for (const { name, sha256 } of model.files) texts[name] = new TextDecoder().decode(yield* artifacts.get(sha256))
  return texts
})

const trained = (trainer?: Trainer) =>
  Effect.gen(function* () {
    const root = yield* Workplace.project
    const reports: Array<string> = []
    const attempt = Effect.fnUntraced(function* (run: string) {
      return yield* Effect.gen(function* () {
        const dataset = yield* TrainPlace.dataset(root, sample)
        const output = yield* train.run({ dataset, ...(trainer === undefined ? {} : { trainer }) })
        return { output, dataset, texts: yield* textsOf(output.model) }
      }).pipe(
        Effect.provide(
          TrainPlace.services(root, { run, task: run }, (note) => Effect.sync(() => void reports.push(note))),
        ),
      )
    })
    return { root, reports, attempt }
  })

const failing = (trainer: Trainer) =>
  Effect.scoped(
    Effect.gen(function* () {
      const { attempt } = yield* trained(trainer)
      return yield* Effect.flip(attempt("first"))
    }),
  )

describe("train", () => {
  it.live("makes a model whose files, digest, version and provenance agree, and the same one again", () =>
    Effect.scoped(
      Effect.gen(function* () {
        const { attempt, reports } = yield* trained()
        const { dataset, output, texts } = yield* attempt("first")
        assert.deepStrictEqual(Object.keys(texts).toSorted(), Object.values(Bundle.fileNames).toSorted())
        assert.strictEqual(output.model.digest, Model.digest(output.model.files))
        assert.strictEqual(output.model.version, `20250102_0304_${output.model.digest.slice(0, 8)}`)
        assert.deepStrictEqual(output.model.slot, { legA: "EURUSD", legB: "GBPUSD", timeframe: "1h" })
        assert.isTrue(output.model.synthetic)
        assert.strictEqual(output.model.data.digest, dataset.digest)
        assert.deepStrictEqual(ModelClaims.problems(output.model, texts), [])
        assert.deepStrictEqual(ModelClaims.versionProblems(output.model, texts), [])
        assert.deepStrictEqual(problems(Schemas.provenance, JSON.parse(texts["provenance.json"])), [])
        const provenance = yield* Schema.decodeUnknownEffect(Schema.fromJsonString(Provenance))(
          texts["provenance.json"],
        )
        assert.deepStrictEqual(
          provenance.subject.map(({ digest, name }) => `${digest.sha256}  ${name}`),
          output.model.files
            .filter(({ name }) => name !== "provenance.json")
            .map(({ name, sha256 }) => `${sha256}  ${name}`),
        )
        assert.strictEqual(provenance.predicate.runDetails.metadata.invocationId, "first/first")
        assert.strictEqual(provenance.predicate.runDetails.builder.version["bun"], Bun.version)

        const bundle = yield* Bundle.decode(texts)
        assert.deepInclude(output.theta, { theta1: bundle.theta.theta1, theta2: bundle.theta.theta2 })
        assert.isAbove(output.metrics["ai1_auc"], output.metrics["ai1_base_rate"] - 0.2)
        assert.isAbove(output.metrics["ai1_auc"], 0.65)
        assert.isAbove(output.metrics["ai2_auc"], 0.85)
        assert.strictEqual(output.folds.filter(({ split }) => split === "kFold").length, 10)
        assert.isAbove(output.folds.filter(({ split }) => split === "walkForward").length, 10)
        assert.include(reports, "final models")
        const again = Schema.decodeUnknownSync(TrainOutput)(
          JSON.parse(JSON.stringify(Schema.encodeSync(TrainOutput)(output))),
        )
        assert.deepStrictEqual(again, output)

        const second = yield* attempt("second")
        assert.deepStrictEqual(ModelDiff.compare(texts, second.texts), { verdict: "bit-identical" })
        assert.deepStrictEqual(second.output.report, output.report)
        assert.notStrictEqual(second.output.model.digest, output.model.digest)
      }),
    ),
  )

  it.live("is blocked when the labels have one class", () =>
    Effect.scoped(
      Effect.gen(function* () {
        const root = yield* Workplace.project
        const error = yield* Effect.gen(function* () {
          const dataset = yield* TrainPlace.dataset(root, oneClass)
          return yield* Effect.flip(train.run({ dataset }))
        }).pipe(Effect.provide(TrainPlace.services(root)))
        assert.strictEqual(error._tag, "TrainingBlocked")
        assert.deepInclude(error, { settled: true })
        assert.include(error.message, "ai1: All")
        assert.notInclude(error.message, "ai2:")
      }),
    ),
  )

  it.live("refuses a partition whose bytes are not the dataset's, by name", () =>
    Effect.scoped(
      Effect.gen(function* () {
        const root = yield* Workplace.project
        const error = yield* Effect.gen(function* () {
          const dataset = yield* TrainPlace.dataset(root, sample)
          const [first, second] = dataset.partitions
          yield* Effect.promise(() => Bun.write(`${root}/${first.path}`, Bun.file(`${root}/${second.path}`)))
          return yield* Effect.flip(train.run({ dataset }))
        }).pipe(Effect.provide(TrainPlace.services(root)))
        assert.strictEqual(error._tag, "PartitionUnusable")
        assert.include(error.message, "EURUSD/2024-01/canonical.parquet")
      }),
    ),
  )

  it.live("refuses a pair that the universe does not have", () =>
    Effect.scoped(
      Effect.gen(function* () {
        const root = yield* Workplace.project
        const error = yield* Effect.gen(function* () {
          const dataset = yield* TrainPlace.dataset(root, sample)
          return yield* Effect.flip(train.run({ dataset, legA: "GBPUSD", legB: "EURUSD" }))
        }).pipe(Effect.provide(TrainPlace.services(root)))
        assert.strictEqual(error._tag, "PairUnknown")
        assert.include(error.message, "GBPUSD-EURUSD")
      }),
    ),
  )

  it.live("leaves no process behind when it is interrupted", () =>
    Effect.scoped(
      Effect.gen(function* () {
        const root = yield* Workplace.project
        const fitting = yield* Deferred.make<void>()
        yield* Effect.gen(function* () {
          const dataset = yield* TrainPlace.dataset(root, sample)
          const fiber = yield* Effect.forkChild(train.run({ dataset }))
          yield* Deferred.await(fitting)
          assert.isNotEmpty(carrying(root))
          yield* Fiber.interrupt(fiber)
        }).pipe(
          Effect.provide(
            TrainPlace.services(root, {}, (note) =>
              note === "purged K-fold" ? Effect.asVoid(Deferred.succeed(fitting, undefined)) : Effect.void,
            ),
          ),
        )
        assert.deepStrictEqual(carrying(root), [])
        assert.deepStrictEqual(records(`${root}/.dandori/processes`), [])
      }),
    ),
  )

  it.live("takes the classifiers of a program, and calibrates and measures them itself", () =>
    Effect.scoped(
      Effect.gen(function* () {
        const script = fileURLToPath(new URL("fixtures/plain_trainer.py", import.meta.url))
        const { attempt, reports } = yield* trained({ kind: "command", argv: ["python3", script] })
        const { output, texts } = yield* attempt("first")
        const bundle = yield* Bundle.decode(texts)
        assert.deepInclude(bundle.ai1.model, { kind: "logistic", iterations: 1 })
        assert.isAbove(output.metrics["ai2_auc"], 0.8)
        assert.include(reports, "plain ai2")
        const provenance = Schema.decodeUnknownSync(Schema.fromJsonString(Provenance))(texts["provenance.json"])
        assert.property(provenance.predicate.runDetails.builder.version, "python")
      }),
    ),
  )

  it.live("says what a failing program said", () =>
    Effect.gen(function* () {
      const error = yield* failing({ kind: "command", argv: ["sh", "-c", "echo no such column >&2; exit 3"] })
      assert.strictEqual(error._tag, "TrainerFailed")
      assert.include(error.message, "exit code 3")
      assert.include(error.message, "no such column")
    }),
  )

  it.live("may be tried again when the program was killed, or could not start", () =>
    Effect.gen(function* () {
      const killed = yield* failing({ kind: "command", argv: ["sh", "-c", "kill -9 $$"] })
      assert.deepInclude(killed, { _tag: "TrainerUnavailable", transient: true })
      const absent = yield* failing({ kind: "command", argv: ["no-such-program-here"] })
      assert.deepInclude(absent, { _tag: "TrainerUnavailable", transient: true })
    }),
  )

  it.live("fails when a program leaves scores that do not fit the samples", () =>
    Effect.gen(function* () {
      const write = `import json, sys
manifest = json.load(open(sys.argv[-1]))
names = json.load(open(manifest["samples"]))["names"]
model = {"kind": "logistic", "names": names, "coefficients": [0] * len(names), "intercept": 0, "iterations": 1, "converged": True}
one = {"model": model, "kFold": [0.5], "walkForward": [0.5]}
json.dump({"ai1": one, "ai2": one, "environment": {}}, open(manifest["fitted"], "w"))`
      const error = yield* failing({ kind: "command", argv: ["python3", "-c", write] })
      assert.strictEqual(error._tag, "TrainerFailed")
      assert.include(error.message, "kFold has 1 scores")
    }),
  )
})
