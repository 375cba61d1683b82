/**
 * The files of a model version (05-tasks.md, `train`): their Schemas, how they are written and read, and the one way
 * from bars to signals that backtest, stress and inference share. `provenance.json` is in `model-provenance.ts`.
 */
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import { parse, stringify } from "yaml"
import * as CanonicalJson from "../domain/canonical-json.ts"
import { Slot } from "../domain/model.ts"
import type { PairBars } from "./bars.ts"
import * as Classifier from "./classifier.ts"
import * as Features from "./features.ts"
import { LabelSpec } from "./labels.ts"
import * as Matrix from "./matrix.ts"
import * as Scaling from "./scaling.ts"

/** Names of the files that make a model; all but `provenance` are the same bytes for the same input. */
export const fileNames = {
  ai1: "model_ai1.json",
  ai2: "model_ai2.json",
  theta: "theta.yaml",
  featureSchema: "feature_schema.json",
  metrics: "metrics.json",
  outOfSample: "out_of_sample.json",
  params: "params.json",
  preprocessReport: "preprocess_report.json",
  provenance: "provenance.json",
} as const

/** `theta.yaml`: the thresholds to trade with, and how they were found. `until` is the last bar that was searched. */
export const ThetaFile = Schema.Struct({
  theta1: Schema.Finite,
  theta2: Schema.Finite,
  searched: Schema.Struct({
    from: Schema.String,
    until: Schema.String,
    method: Schema.String,
    seed: Schema.Int,
    trials: Schema.Int,
    previous: Schema.Struct({ theta1: Schema.Finite, theta2: Schema.Finite }),
    best: Schema.Struct({ theta1: Schema.Finite, theta2: Schema.Finite, objective: Schema.NullOr(Schema.Finite) }),
    changed: Schema.Boolean,
    reason: Schema.String,
  }),
})
export type ThetaFile = typeof ThetaFile.Type

/** `feature_schema.json`: what the classifiers read, how it is computed and scaled, and what the labels were. */
export const FeatureSchemaFile = Schema.Struct({
  slot: Slot,
  features: Schema.Array(Schema.String),
  spec: Features.FeatureSpec,
  labels: LabelSpec,
  scaler: Scaling.Scaler,
})
export type FeatureSchemaFile = typeof FeatureSchemaFile.Type

/** A model as it is used: what a slot trades on. */
export interface ModelBundle {
  readonly ai1: Classifier.Classifier
  readonly ai2: Classifier.Classifier
  readonly theta: ThetaFile
  readonly featureSchema: FeatureSchemaFile
}

/** A file of a model version is missing or not what it should be. */
export class BundleInvalid extends Schema.TaggedError<BundleInvalid>()("BundleInvalid", {
  file: Schema.String,
  reason: Schema.String,
}) {
  readonly settled = true
  override get message() {
    return `The model's ${this.file} cannot be used (${this.reason}): take a version that \`verify\` accepts, or train again`
  }
}

const decodeClassifier = Schema.decodeUnknownEffect(Schema.fromJsonString(Classifier.Classifier))
const decodeFeatureSchema = Schema.decodeUnknownEffect(Schema.fromJsonString(FeatureSchemaFile))
const decodeTheta = Schema.decodeUnknownEffect(ThetaFile)

/** The text of a JSON file of a model: canonical (RFC 8785), so that equal values are equal bytes. */
export const jsonText = (value: unknown): string => `${CanonicalJson.encode(value)}\n`

/** The text of `theta.yaml`. */
export const thetaText = (theta: ThetaFile): string => stringify(theta, { lineWidth: 0 })

/** The four files that a bundle is made of, by name. */
export const encode = (bundle: ModelBundle): Readonly<Record<string, string>> => ({
  [fileNames.ai1]: jsonText(bundle.ai1),
  [fileNames.ai2]: jsonText(bundle.ai2),
  [fileNames.theta]: thetaText(bundle.theta),
  [fileNames.featureSchema]: jsonText(bundle.featureSchema),
})

const sameFeatures = (model: Classifier.Model, features: ReadonlyArray<string>) =>
  model.names.length === features.length && model.names.every((name, j) => name === features[j])

/** Reads a bundle from the texts of a version's files by name; other files are left alone. */
export const decode = Effect.fnUntraced(function* (
  texts: Readonly<Record<string, string>>,
): Effect.fn.Return<ModelBundle, BundleInvalid> {
  const read = <A>(file: string, parsed: (text: string) => Effect.Effect<A, { readonly message: string }>) => {
    const text = texts[file]
    if (text === undefined) return Effect.fail(new BundleInvalid({ file, reason: "it is missing" }))
    return Effect.mapError(parsed(text), (error) => new BundleInvalid({ file, reason: error.message }))
  }
  const featureSchema = yield* read(fileNames.featureSchema, decodeFeatureSchema)
  const classifier = (file: string) =>
    Effect.filterOrFail(
      read(file, decodeClassifier),
      ({ model }) => sameFeatures(model, featureSchema.features),
      () => new BundleInvalid({ file, reason: `its features are not those of ${fileNames.featureSchema}` }),
    )
  return {
    featureSchema,
    ai1: yield* classifier(fileNames.ai1),
    ai2: yield* classifier(fileNames.ai2),
    theta: yield* read(fileNames.theta, (text) =>
      Effect.flatMap(
        Effect.try({ try: (): unknown => parse(text), catch: (cause) => ({ message: String(cause) }) }),
        decodeTheta,
      ),
    ),
  }
})

/** What a model knows at each bar's close, parallel to the bars; NaN until all features are there. */
export interface Signals {
  readonly z: Float64Array
  /** Units of B that hedge one unit of A. */
  readonly beta: Float64Array
  /** AI1: calibrated probability that the spread returns. */
  readonly returnProb: Float64Array
  /** AI2: calibrated probability that the next bar is risky. */
  readonly riskScore: Float64Array
}

/** Puts values of some rows into a column of `length`, NaN elsewhere. */
export const scatter = (length: number, rows: Int32Array, values: Float64Array): Float64Array => {
  const column = new Float64Array(length).fill(Number.NaN)
  for (let i = 0; i < rows.length; i++) column[rows[i]] = values[i]
  return column
}

/** Features, scaling and both classifiers over a pair's bars. Row i depends on bars up to i only. */
export const signals = (bundle: Pick<ModelBundle, "ai1" | "ai2" | "featureSchema">, pair: PairBars): Signals => {
  const { features, scaler, spec } = bundle.featureSchema
  const table = Features.features(pair, spec)
  const rows = Features.completeRows(table, features)
  const scaled = Scaling.apply(scaler, table.columns)
  const matrix = Matrix.take(
    Matrix.make(
      features,
      features.map((name) => scaled[name]),
    ),
    rows,
  )
  const length = table.timestamp.length
  return {
    z: table.columns.z,
    beta: table.columns.beta,
    returnProb: scatter(length, rows, Classifier.predict(bundle.ai1, matrix)),
    riskScore: scatter(length, rows, Classifier.predict(bundle.ai2, matrix)),
  }
}
