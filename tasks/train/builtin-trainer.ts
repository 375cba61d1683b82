/**
 * The built-in trainer, in a process of its own: reads a manifest, computes, leaves `result.json` and the model's files
 * in the output folder. One thread; the same manifest gives the same bytes, whatever the process did before: nothing of a
 * job stays in it but loaded code.
 */
import { join } from "node:path"
import * as Console from "effect/Console"
import * as Effect from "effect/Effect"
import * as Result from "effect/Result"
import * as Schema from "effect/Schema"
import packageFile from "../../package.json" with { type: "json" }
import * as Sha256 from "../../src/domain/sha256.ts"
import { Model } from "../../src/market/classifier.ts"
import * as Fit from "../../src/market/training-fit.ts"
import * as Samples from "../../src/market/training-samples.ts"
import * as Training from "../../src/market/training.ts"
import * as DatasetBars from "../../src/services/dataset-bars.ts"
import * as DuckDb from "../../src/services/duckdb-embedded.ts"
import * as Durable from "../../src/services/durable-files.ts"
import * as InputFiles from "../../src/services/input-files.ts"
import * as Job from "../../src/services/process-job.ts"
import * as Contract from "./contract.ts"
import type { FoldSummary } from "./schema.ts"

/** A program's `fitted.json` does not fit the samples that it was given. */
class FittedInvalid extends Schema.TaggedError<FittedInvalid>()("FittedInvalid", { reason: Schema.String }) {
  override get message() {
    return `${Contract.files.fitted} cannot be used: ${this.reason}`
  }
}

const decodeManifest = Schema.decodeUnknownEffect(Schema.fromJsonString(Contract.Manifest))
const decodeFitted = Schema.decodeUnknownEffect(Schema.fromJsonString(Contract.FittedFile))
const decodeModel = Schema.decodeUnknownEffect(Model)

const environment = {
  bun: Bun.version,
  platform: `${process.platform}-${process.arch}`,
  dandori: packageFile.version,
  effect: packageFile.dependencies.effect,
  "ml-matrix": packageFile.dependencies["ml-matrix"],
  "@duckdb/node-api": packageFile.dependencies["@duckdb/node-api"],
}

const report = (done: number, total: number, note: string) =>
  Effect.andThen(
    Console.log(JSON.stringify({ progress: { done, total, unit: "steps", note } } satisfies Contract.ProgressLine)),
    Effect.yieldNow,
  )

const write = (manifest: Contract.Manifest, name: string, text: string) =>
  Durable.writeFileDurably(join(manifest.output, name), text)

const result = (manifest: Contract.Manifest, value: Contract.ResultFile) =>
  write(manifest, Contract.files.result, JSON.stringify(value))

const writeSamples = (manifest: Contract.Manifest, samples: Samples.Samples) => {
  const { columns, names } = Samples.scaled(samples, Samples.scalerOf(samples, Samples.every(samples)))
  const label = (values: Float64Array) => Array.from(values, (value) => (Number.isNaN(value) ? null : value))
  const folds = (list: Samples.Samples["kFold"]) =>
    list.map(({ test, train }) => ({ train: [...train], test: [...test] }))
  const file: Contract.SamplesFile = {
    timestamp: Array.from(samples.rows, (row) => new Date(samples.table.timestamp[row]).toISOString()),
    names: [...names],
    features: Object.fromEntries(names.map((name, j) => [name, Array.from(columns[j])])),
    labels: { ai1: label(samples.labels.ai1), ai2: label(samples.labels.ai2) },
    kFold: folds(samples.kFold),
    walkForward: folds(samples.walkForward),
  }
  return Durable.writeFileDurably(manifest.samples, JSON.stringify(file))
}

const kindOf = ({ trainer }: Contract.Manifest) => (trainer.kind === "builtin" ? trainer.model : undefined)

const fitBuiltin = Effect.fnUntraced(function* (manifest: Contract.Manifest, samples: Samples.Samples) {
  const using = Fit.trainers(kindOf(manifest), {
    seed: manifest.seed,
    classRatio: manifest.config.training.max_class_weight,
  })
  const { kFold, walkForward } = samples
  const total = kFold.length + walkForward.length + 2
  const scores: Array<Samples.PerClassifier<Float64Array>> = []
  for (const fold of [...kFold, ...walkForward]) {
    scores.push(Fit.fitFold(samples, fold, using))
    yield* report(scores.length, total, scores.length <= kFold.length ? "purged K-fold" : "walk-forward")
  }
  const models = Fit.refit(samples, Samples.scalerOf(samples, Samples.every(samples)), using)
  yield* report(total - 1, total, "final models")
  const fitted = (name: Samples.ClassifierName) =>
    Effect.map(Effect.fromNullishOr(models[name]), (model) => {
      const columns = scores.map((each) => each[name])
      return {
        model,
        kFold: Fit.assemble(samples, kFold, columns.slice(0, kFold.length)),
        walkForward: Fit.assemble(samples, walkForward, columns.slice(kFold.length)),
      }
    })
  return { fitted: { ai1: yield* fitted("ai1"), ai2: yield* fitted("ai2") }, using, environment }
})

const readFitted = Effect.fnUntraced(function* (manifest: Contract.Manifest, samples: Samples.Samples) {
  const invalid = (error: { readonly message: string }) => new FittedInvalid({ reason: error.message })
  const text = yield* InputFiles.readText(manifest.fitted)
  const file = yield* Effect.mapError(decodeFitted(text), invalid)
  const one = Effect.fnUntraced(function* (name: Samples.ClassifierName) {
    const model = yield* Effect.mapError(decodeModel(file[name].model), invalid)
    if (model.names.join() !== samples.features.names.join()) {
      return yield* new FittedInvalid({
        reason: `the features of ${name} are not ${samples.features.names.join(", ")}`,
      })
    }
    const column = (split: "kFold" | "walkForward") => {
      const values = Float64Array.from(file[name][split], (value) => value ?? Number.NaN)
      return values.length === samples.rows.length
        ? Effect.succeed(values)
        : Effect.fail(
            new FittedInvalid({
              reason: `${name}.${split} has ${values.length} scores for ${samples.rows.length} samples`,
            }),
          )
    }
    return { model, kFold: yield* column("kFold"), walkForward: yield* column("walkForward") }
  })
  return {
    fitted: { ai1: yield* one("ai1"), ai2: yield* one("ai2") },
    using: {},
    environment: { ...environment, ...file.environment },
  }
})

const summaries = (metrics: Training.MetricsFile): ReadonlyArray<FoldSummary> =>
  Samples.classifierNames.flatMap((classifier) =>
    (["kFold", "walkForward"] as const).flatMap((split) =>
      metrics[classifier][split].folds.map(({ from, uncalibrated, until }) => ({
        classifier,
        split,
        from,
        until,
        samples: uncalibrated.rows,
        baseRate: uncalibrated.baseRate,
        auc: uncalibrated.auc,
      })),
    ),
  )

const finish = Effect.fnUntraced(function* (manifest: Contract.Manifest, prepared: Training.Prepared) {
  const { samples } = prepared
  const { environment, fitted, using } = yield* manifest.step === "finish"
    ? readFitted(manifest, samples)
    : fitBuiltin(manifest, samples)
  const scaler = Samples.scalerOf(samples, Samples.every(samples))
  const trained = Training.finish(prepared, scaler, fitted, manifest.config, {
    slot: manifest.slot,
    instruments: manifest.instruments,
    seed: manifest.seed,
    trainer: { ...manifest.trainer, classifiers: using },
  })
  if (Result.isFailure(trained)) return yield* result(manifest, { status: "blocked", reasons: trained.failure })
  const { files, metrics, report, theta, warnings } = trained.success
  yield* Effect.forEach(Object.entries(files), ([name, text]) => write(manifest, name, text), { discard: true })
  yield* write(manifest, Contract.files.report, `${JSON.stringify(report)}\n`)
  yield* result(manifest, {
    status: "trained",
    files: Object.entries(files).map(([name, text]) => ({ name, sha256: Sha256.of(text) })),
    metrics,
    theta,
    folds: summaries(report.metrics),
    warnings,
    environment,
  })
})

const run = Effect.fnUntraced(function* (manifest: Contract.Manifest) {
  const a = yield* DatasetBars.readSymbol(manifest.slot.legA, manifest.dataset)
  const b = yield* DatasetBars.readSymbol(manifest.slot.legB, manifest.dataset)
  const prepared = Training.prepare(a, b, manifest.config)
  if (Result.isFailure(prepared)) return yield* result(manifest, { status: "blocked", reasons: prepared.failure })
  yield* report(0, 1, `${prepared.success.samples.rows.length} samples`)
  if (manifest.step === "samples") return yield* writeSamples(manifest, prepared.success.samples)
  yield* finish(manifest, prepared.success)
})

/** Runs the steps that a manifest asks for. A result that is blocked is written to `result.json` and no failure. */
const work = (manifestPath: string) =>
  InputFiles.readText(manifestPath).pipe(Effect.flatMap(decodeManifest), Effect.flatMap(run))

/** Does the work of one manifest, or, for a project's folder, of all whose paths come as jobs. */
export const main = (path: string) =>
  InputFiles.isFolder(path).pipe(
    Effect.flatMap((isFolder) => (isFolder ? Job.serve(work) : work(path))),
    Effect.provide(DuckDb.layer),
  )
