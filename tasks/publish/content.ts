import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Schema from "effect/Schema"
import * as Checksums from "../../src/domain/checksums.ts"
import type { Model } from "../../src/domain/model.ts"
import { Segment } from "../../src/domain/names.ts"
import * as ModelClaims from "../../src/market/model-claims.ts"
import { ModelFiles, type VersionFolder } from "../../src/services/model-files.ts"
import { ModelRefused } from "./errors.ts"

/** Name of the model's file that holds the chosen thresholds and their history. */
const thetaFile = "theta.yaml"

const isSegment = Schema.is(Segment)
const reserved = [Checksums.fileName, Checksums.signatureName, Checksums.receiptsFolder]
const decodeTheta = Schema.decodeUnknownOption(Schema.Record(Schema.String, Schema.Unknown))

/** What is wrong with the names of a model's files, before anything is written. */
export const nameProblems = ({ files }: Model): ReadonlyArray<string> => {
  const names = files.map(({ name }) => name)
  return [
    ...names.filter((name) => !isSegment(name)).map((name) => `${JSON.stringify(name)} is no plain file name`),
    ...names.filter((name) => reserved.includes(name)).map((name) => `${name} may not be a file of the model`),
    ...names.filter((name, at) => names.indexOf(name) !== at).map((name) => `${name} is listed twice`),
    ...ModelClaims.sources.filter((name) => !names.includes(name)).map((name) => `${name} is missing`),
  ]
}

const parseTheta = Effect.fnUntraced(function* (text: string) {
  const yaml = yield* Effect.promise(() => import("yaml"))
  const document = yaml.parseDocument(text)
  return document.errors.length > 0 ? Option.none() : decodeTheta(document.toJS())
})

/**
 * Reads the model's files back from a folder and compares them with what the input claims: the digest over the bytes
 * that lie there, and slot, synthetic, datasets and metrics as the files say them. Only the metrics that a backtest adds
 * (`bt_*`) are in no file. Answers with the files and the thresholds.
 */
export const examine = Effect.fn("publish.examine")(function* (folder: VersionFolder, model: Model) {
  const store = yield* ModelFiles
  const refuse = (problems: ReadonlyArray<string>) =>
    problems.length === 0 ? Effect.void : Effect.fail(new ModelRefused({ version: model.version, problems }))

  const found = yield* store.inspect(folder)
  const digest = Checksums.rootDigest(found)
  yield* refuse(
    digest === model.digest
      ? []
      : [`its files have the digest ${digest.slice(0, 12)}…, claimed is ${model.digest.slice(0, 12)}…`],
  )
  const texts: Record<string, string> = {}
  for (const name of ModelClaims.sources) texts[name] = yield* store.read(folder, name)
  yield* refuse(ModelClaims.problems(model, texts))
  const theta = yield* parseTheta(texts[thetaFile])
  if (Option.isNone(theta)) {
    return yield* new ModelRefused({ version: model.version, problems: [`${thetaFile} holds no thresholds`] })
  }
  return { found, digest, theta: theta.value }
})
