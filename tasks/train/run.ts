import { join } from "node:path"
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import type { Json } from "../../src/domain/canonical-json.ts"
import type { Artifact } from "../../src/domain/artifact.ts"
import type { Dataset } from "../../src/domain/dataset.ts"
import * as Model from "../../src/domain/model.ts"
import * as Sha256 from "../../src/domain/sha256.ts"
import { fileNames, jsonText } from "../../src/market/model-bundle.ts"
import * as Provenance from "../../src/market/model-provenance.ts"
import { choosePair } from "../../src/market/pair-choice.ts"
import { Artifacts } from "../../src/services/artifacts.ts"
import { Attempt } from "../../src/services/attempt.ts"
import { CodeDigest } from "../../src/services/code-digest.ts"
import * as DatasetBars from "../../src/services/dataset-bars.ts"
import * as Durable from "../../src/services/durable-files.ts"
import * as InputFiles from "../../src/services/input-files.ts"
import { Processes } from "../../src/services/processes.ts"
import { Settings } from "../../src/services/settings.ts"
import { Workspace } from "../../src/services/workspace.ts"
import * as Contract from "./contract.ts"
import { TrainerFailed, TrainingBlocked } from "./errors.ts"
import { TrainInput, type Trainer, type TrainOutput } from "./schema.ts"
import { type Program, runTrainer } from "./trainer-process.ts"

const decodeResult = Schema.decodeUnknownEffect(Schema.fromJsonString(Contract.ResultFile))
const encodeInput = Schema.encodeSync(TrainInput)

/** The hidden command of this program that runs the built-in trainer. */
const trainerCommand = "__trainer"

const configSections = ["training", "core_policy", "universe", "cost_table", "backtest_policy", "dq"] as const

/** Checks the partitions' digests and describes the work. */
const manifestOf = Effect.fnUntraced(function* (input: TrainInput, trainer: Trainer) {
  const { sections } = yield* Settings
  const workspace = yield* Workspace
  const { scratch } = yield* Attempt
  const pair = yield* Effect.fromResult(choosePair(sections.universe, input.dataset.symbols, input))
  const slot = {
    legA: pair.leg_A.canonical_symbol,
    legB: pair.leg_B.canonical_symbol,
    timeframe: input.dataset.timeframe,
  }
  const own = input.dataset.partitions.filter(({ symbol }) => symbol === slot.legA || symbol === slot.legB)
  const partitions = yield* Effect.forEach(own, ({ month, path, sha256, symbol }) =>
    Effect.map(workspace.resolve(path), (file) => ({ symbol, month, sha256, path: file })),
  )
  yield* Effect.forEach(partitions, DatasetBars.checkDigest, { discard: true })
  const { backtest_policy, core_policy, cost_table, dq, training } = sections
  const output = join(scratch, "output")
  yield* Durable.makeFolderDurably(output)
  const manifest: Contract.Manifest = {
    contract: 1,
    step: "train",
    slot,
    instruments: pair,
    dataset: { timeframe: input.dataset.timeframe, format: input.dataset.format, partitions },
    config: { training, dq, core_policy, backtest_policy, cost_table },
    trainer,
    seed: input.seed ?? 0,
    threads: 1,
    output,
    samples: join(scratch, Contract.files.samples),
    fitted: join(scratch, Contract.files.fitted),
  }
  return manifest
})

/** Runs one step and answers with `result.json`, where the step has left one. */
const step = Effect.fnUntraced(function* (
  manifest: Contract.Manifest,
  name: Contract.Manifest["step"],
  program: Program,
) {
  const { project } = yield* Workspace
  const { scratch } = yield* Attempt
  const path = join(scratch, `manifest-${name}.json`)
  yield* Durable.writeFileDurably(path, `${JSON.stringify({ ...manifest, step: name })}\n`)
  yield* runTrainer(program, path, project)
  const result = join(manifest.output, Contract.files.result)
  if (!(yield* InputFiles.exists(result))) return undefined
  return yield* Effect.mapError(
    Effect.flatMap(InputFiles.readText(result), decodeResult),
    (error) =>
      new TrainerFailed({ program: program.argv.join(" "), reason: `${Contract.files.result}: ${error.message}` }),
  )
})

const trained = Effect.fnUntraced(function* (manifest: Contract.Manifest) {
  const { self } = yield* Processes
  const builtin = { argv: [...self, trainerCommand], worker: true }
  const steps =
    manifest.trainer.kind === "builtin"
      ? [{ name: "train" as const, program: builtin }]
      : [
          { name: "samples" as const, program: builtin },
          { name: "fit" as const, program: { argv: manifest.trainer.argv, worker: false } },
          { name: "finish" as const, program: builtin },
        ]
  for (const { name, program } of steps) {
    const result = yield* step(manifest, name, program)
    if (result?.status === "blocked") return yield* new TrainingBlocked({ reasons: result.reasons })
    if (result !== undefined) return result
  }
  return yield* new TrainerFailed({ program: builtin.argv.join(" "), reason: `it left no ${Contract.files.result}` })
})

/** The part of the dataset that the pair needs. */
const usedOf = (dataset: Dataset, { slot }: Contract.Manifest): Dataset => {
  const symbols = dataset.symbols.filter((symbol) => symbol === slot.legA || symbol === slot.legB)
  const partitions = dataset.partitions.filter(({ symbol }) => symbols.includes(symbol))
  return {
    ...dataset,
    symbols,
    partitions,
    rows: partitions.reduce((sum, { rows }) => sum + rows, 0),
    digest: Sha256.of(
      partitions
        .map(({ sha256 }) => `${sha256}\n`)
        .sort()
        .join(""),
    ),
  }
}

const mediaTypeOf = (name: string) => (name.endsWith(".yaml") ? "application/yaml" : "application/json")

/** See the task type. */
export const run = Effect.fn("train")(function* (input: TrainInput) {
  const artifacts = yield* Artifacts
  const attempt = yield* Attempt
  const settings = yield* Settings
  const codeDigest = yield* CodeDigest
  const startedOn = yield* Clock.currentTimeMillis
  const manifest = yield* manifestOf(input, input.trainer ?? { kind: "builtin" })
  const result = yield* trained(manifest)
  const keep = (name: string) =>
    Effect.map(
      artifacts.putFile(name, mediaTypeOf(name), join(manifest.output, name)),
      (artifact): Artifact => artifact,
    )
  const files = yield* Effect.forEach(result.files, ({ name }) => keep(name))
  const report = yield* keep(Contract.files.report)
  const provenance = Provenance.make({
    files,
    input: encodeInput(input) as Json,
    seed: manifest.seed,
    threads: manifest.threads,
    env: settings.env,
    synthetic: input.dataset.synthetic,
    created: attempt.runCreated,
    timeframe: manifest.slot.timeframe,
    partitions: manifest.dataset.partitions,
    code: codeDigest(),
    config: Object.fromEntries(configSections.map((section) => [section, settings.digest(section)])),
    environment: result.environment,
    run: attempt.run,
    task: attempt.task,
    startedOn,
    finishedOn: yield* Clock.currentTimeMillis,
  })
  const all = [...files, yield* artifacts.put(fileNames.provenance, "application/json", jsonText(provenance))]
  const digest = Model.digest(all)
  return {
    model: {
      version: Model.versionOf(attempt.runCreated, digest),
      slot: manifest.slot,
      digest,
      files: all,
      data: usedOf(input.dataset, manifest),
      datasets: manifest.dataset.partitions.map(({ sha256 }) => sha256),
      metrics: result.metrics,
      synthetic: input.dataset.synthetic,
    },
    metrics: result.metrics,
    theta: result.theta,
    folds: result.folds,
    warnings: result.warnings,
    report,
  } satisfies TrainOutput
})
