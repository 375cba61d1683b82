/**
 * What a `Model` says of itself beside its files. Anybody can write such a value into a pipeline, so gates and publishing
 * derive each field from the files' bytes, whose digest is proven, and refuse every difference.
 */
import * as Option from "effect/Option"
import * as Schema from "effect/Schema"
import { parse } from "yaml"
import * as ModelDigest from "../domain/model.ts"
import { Sha256 } from "../domain/sha256.ts"
import { HeadlineFile, headline } from "./headline.ts"
import { fileNames } from "./model-bundle.ts"

type Texts = Readonly<Record<string, string>>

/** The files that the claims are compared with. */
export const sources = [fileNames.featureSchema, fileNames.metrics, fileNames.theta, fileNames.provenance] as const

/** Prefix of the metrics that a backtest adds; no file of the model has them. */
export const backtestPrefix = "bt_"

/** The part of `provenance.json` that the claims are compared with. */
const ProvenanceFile = Schema.Struct({
  predicate: Schema.Struct({
    buildDefinition: Schema.Struct({
      internalParameters: Schema.Struct({ synthetic: Schema.Boolean, created: Schema.String }),
      resolvedDependencies: Schema.Array(
        Schema.Struct({
          name: Schema.optionalKey(Schema.String),
          digest: Schema.Record(Schema.String, Schema.String),
        }),
      ),
    }),
  }),
})

const decodeProvenance = Schema.decodeUnknownOption(Schema.fromJsonString(ProvenanceFile))
const decodeSlot = Schema.decodeUnknownOption(Schema.fromJsonString(Schema.Struct({ slot: ModelDigest.Slot })))
const decodeMetrics = Schema.decodeUnknownOption(Schema.fromJsonString(HeadlineFile))
const decodeTheta = Schema.decodeUnknownOption(Schema.Struct({ theta1: Schema.Finite, theta2: Schema.Finite }))
const isSha256 = Schema.is(Sha256)

const provenanceOf = (texts: Texts) =>
  Option.map(decodeProvenance(texts[fileNames.provenance]), ({ predicate }) => predicate.buildDefinition)

const thetaOf = (texts: Texts) =>
  Option.flatMap(
    Option.liftThrowable((text: string): unknown => parse(text))(texts[fileNames.theta] ?? ""),
    decodeTheta,
  )

const slotProblems = ({ slot }: ModelDigest.Model, texts: Texts): ReadonlyArray<string> => {
  const found = decodeSlot(texts[fileNames.featureSchema])
  if (Option.isNone(found)) return [`slot: it has no ${fileNames.featureSchema} that names one`]
  const [claimed, actual] = [ModelDigest.slotText(slot), ModelDigest.slotText(found.value.slot)]
  return claimed === actual ? [] : [`slot: claimed is ${claimed}, its ${fileNames.featureSchema} says ${actual}`]
}

const syntheticProblems = ({ data, synthetic }: ModelDigest.Model, actual: boolean): ReadonlyArray<string> =>
  Object.entries({ synthetic, "data.synthetic": data.synthetic })
    .filter(([, claimed]) => claimed !== actual)
    .map(([field, claimed]) => `${field}: claimed is ${claimed}, its ${fileNames.provenance} says ${actual}`)

const datasetProblems = (
  { datasets }: ModelDigest.Model,
  dependencies: (typeof ProvenanceFile.Type)["predicate"]["buildDefinition"]["resolvedDependencies"],
): ReadonlyArray<string> => {
  const named = dependencies
    .filter(({ name }) => name?.startsWith("dataset/"))
    .map(({ digest, name }) => ({ name: String(name), sha256: digest.sha256 }))
  if (named.length === 0) return [`datasets: ${fileNames.provenance} names no dataset`]
  const actual = new Set(named.map(({ sha256 }) => sha256))
  const claimed = new Set<string>(datasets)
  return [
    ...named
      .filter(({ sha256 }) => !isSha256(sha256))
      .map(({ name }) => `datasets: ${fileNames.provenance} has no digest for ${name}`),
    ...named
      .filter(({ sha256 }) => isSha256(sha256) && !claimed.has(sha256))
      .map(({ name, sha256 }) => `datasets: they leave out ${name} (${sha256.slice(0, 12)}…) of its provenance`),
    ...[...claimed]
      .filter((sha256) => !actual.has(sha256))
      .map((sha256) => `datasets: ${sha256.slice(0, 12)}… is not in the model's provenance`),
  ]
}

const metricProblems = ({ metrics }: ModelDigest.Model, texts: Texts): ReadonlyArray<string> => {
  const file = decodeMetrics(texts[fileNames.metrics])
  const theta = thetaOf(texts)
  if (Option.isNone(file)) return [`metrics: it has no ${fileNames.metrics} that can be read`]
  if (Option.isNone(theta)) return [`metrics: its ${fileNames.theta} holds no thresholds`]
  const actual = headline(file.value, theta.value)
  const names = new Set([...Object.keys(actual), ...Object.keys(metrics)])
  return [...names]
    .filter((name) => !name.startsWith(backtestPrefix) && metrics[name] !== actual[name])
    .map((name) => `metrics.${name}: claimed is ${metrics[name] ?? "none"}, its files say ${actual[name] ?? "none"}`)
}

/** How slot, synthetic, datasets and metrics of a model differ from its files, each field by name; empty when they agree. */
export const problems = (model: ModelDigest.Model, texts: Texts): ReadonlyArray<string> => {
  const provenance = provenanceOf(texts)
  return [
    ...slotProblems(model, texts),
    ...(Option.isNone(provenance)
      ? [`synthetic, datasets: it has no ${fileNames.provenance} (SLSA v1) that says what it was made from`]
      : [
          ...syntheticProblems(model, provenance.value.internalParameters.synthetic),
          ...datasetProblems(model, provenance.value.resolvedDependencies),
        ]),
    ...metricProblems(model, texts),
  ]
}

/** Whether the version is the one that training gave to these bytes: the minute of its run, and the model's digest. */
export const versionProblems = (
  { digest, version }: Pick<ModelDigest.Model, "digest" | "version">,
  texts: Texts,
): ReadonlyArray<string> => {
  const provenance = provenanceOf(texts)
  if (Option.isNone(provenance)) return []
  const created = Date.parse(provenance.value.internalParameters.created)
  if (Number.isNaN(created)) return [`version: ${fileNames.provenance} names no time of its run`]
  const actual = ModelDigest.versionOf(created, digest)
  return version === actual ? [] : [`version: claimed is ${version}, of these bytes it is ${actual}`]
}
