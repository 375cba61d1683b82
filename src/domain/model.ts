import * as Option from "effect/Option"
import * as Schema from "effect/Schema"
import { Artifact } from "./artifact.ts"
import { Dataset } from "./dataset.ts"
import { Segment, Symbol, Timeframe } from "./names.ts"
import * as Sha256 from "./sha256.ts"

/** What a model serves: a pair of symbols and a timeframe. */
export const Slot = Schema.Struct({ legA: Symbol, legB: Symbol, timeframe: Timeframe }).annotate({ identifier: "Slot" })
export type Slot = typeof Slot.Type

/** `EURUSD-GBPUSD/1h`: the one text form of a slot. */
export const slotText = (slot: Slot): string => `${slot.legA}-${slot.legB}/${slot.timeframe}`

const fields = {
  version: Segment.annotate({ description: "<yyyyMMdd_HHmm of run.created>_<short digest>" }),
  slot: Slot,
  digest: Sha256.Sha256.annotate({ description: "SHA-256 over the sorted `sha256  path` lines of the files" }),
  files: Schema.Array(Artifact).annotate({ description: "the model's files; `name` is the file name" }),
  data: Dataset.annotate({ description: "the bars that it was trained on" }),
  datasets: Schema.Array(Sha256.Sha256).annotate({ description: "digests of the partitions that it was trained on" }),
  metrics: Schema.Record(Schema.String, Schema.Finite).annotate({ description: "headline metrics, base rates beside" }),
  synthetic: Schema.Boolean,
}

/** A trained model: files in the artifact store. All but them is a claim until it was compared with them (`model-claims.ts`). */
export const Model = Schema.Struct(fields).annotate({ identifier: "Model" })
export type Model = typeof Model.Type

/** A model that a backtest gate has let through. Only a gate's output has this type; it is a claim, not a proof. */
export const GatedModel = Schema.Struct(fields).pipe(Schema.brand("Gated")).annotate({ identifier: "Gated<Model>" })
export type GatedModel = typeof GatedModel.Type

/** A published version, with the bytes that are meant by it. */
export const ModelVersion = Schema.Struct({ version: fields.version, digest: fields.digest }).annotate({
  identifier: "ModelVersion",
})
export type ModelVersion = typeof ModelVersion.Type

/** The slot that a text names; undefined where it names none. */
export const slotOf = (text: string): Slot | undefined => {
  const match = /^([^-/]+)-([^-/]+)\/([^/]+)$/.exec(text)
  if (match === null) return undefined
  const [, legA, legB, timeframe] = match
  return Option.getOrUndefined(Schema.decodeUnknownOption(Slot)({ legA, legB, timeframe }))
}

/** The digest of a model: SHA-256 over its files' `sha256  path` lines in byte order of the path. */
export const digest = (files: ReadonlyArray<{ readonly name: string; readonly sha256: string }>): Sha256.Sha256 =>
  Sha256.of(
    files
      .toSorted((x, y) => (x.name < y.name ? -1 : x.name > y.name ? 1 : 0))
      .map((file) => `${file.sha256}  ${file.name}\n`)
      .join(""),
  )

/** The version of a model that a run made: the minute when the run was created (UTC), and the head of the digest. */
export const versionOf = (created: number, modelDigest: Sha256.Sha256): string => {
  const minute = new Date(created).toISOString().slice(0, 16).replaceAll("-", "").replace("T", "_").replace(":", "")
  return `${minute}_${modelDigest.slice(0, 8)}`
}
