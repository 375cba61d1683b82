import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Result from "effect/Result"
import * as Schema from "effect/Schema"
import { pairOf, type UniversePair } from "../../src/domain/config/universe.ts"
import * as ModelDigest from "../../src/domain/model.ts"
import { align, type PairBars } from "../../src/market/bars.ts"
import * as Instrument from "../../src/market/instrument.ts"
import * as Bundle from "../../src/market/model-bundle.ts"
import * as ModelClaims from "../../src/market/model-claims.ts"
import { OutOfSampleFile, place, type Placed } from "../../src/market/out-of-sample.ts"
import { Artifacts } from "../../src/services/artifacts.ts"
import { readSymbol } from "../../src/services/dataset-bars.ts"
import * as QuarantineMarks from "../../src/services/quarantine-marks.ts"
import { Settings } from "../../src/services/settings.ts"
import { Workspace } from "../../src/services/workspace.ts"
import { BacktestRefused } from "./errors.ts"

/** A model that can be backtested: its files decoded, its bars, and what it said of them out of sample. */
export interface Candidate {
  readonly bundle: Bundle.ModelBundle
  readonly pair: PairBars
  readonly instruments: UniversePair
  readonly file: OutOfSampleFile
  readonly placed: Placed
}

const decodeOutOfSample = Schema.decodeUnknownEffect(Schema.fromJsonString(OutOfSampleFile))

/** What the input claims and does not hold, before any file is read. */
const claims = (model: ModelDigest.Model): ReadonlyArray<string> => {
  const problems: Array<string> = []
  const { data, datasets, slot } = model
  if (ModelDigest.digest(model.files) !== model.digest) problems.push("its digest is not the digest of its files")
  if (data.timeframe !== slot.timeframe) problems.push(`its data is ${data.timeframe}, its slot ${slot.timeframe}`)
  for (const symbol of [slot.legA, slot.legB]) {
    if (!data.partitions.some((each) => each.symbol === symbol)) problems.push(`its data has no bars of ${symbol}`)
  }
  const foreign = data.partitions.find(({ sha256 }) => !datasets.includes(sha256))
  if (foreign !== undefined) problems.push(`${foreign.path} is not one of the partitions that it was trained on`)
  const left = datasets.filter((sha256) => !data.partitions.some((each) => each.sha256 === sha256))
  if (left.length > 0) problems.push(`its data leaves out ${left.length} of the partitions that it was trained on`)
  return problems
}

const instrumentsOf = ({ slot }: ModelDigest.Model) =>
  Effect.map(Settings, ({ sections }) => {
    const found = pairOf(sections.universe, slot.legA, slot.legB)
    if (found === undefined) return Result.fail([`add the pair ${slot.legA}-${slot.legB} to universe.yaml`])
    const problems = [...Instrument.problems(found.leg_A), ...Instrument.problems(found.leg_B)]
    return problems.length > 0 ? Result.fail(problems) : Result.succeed(found)
  })

/** Who holds a partition back, by its mark; empty when nobody does. */
const heldBack = Effect.fnUntraced(function* ({ path, sha256 }: { readonly path: string; readonly sha256: string }) {
  const workspace = yield* Workspace
  const place = QuarantineMarks.ofPartition(path)
  const mark = yield* QuarantineMarks.read(place)
  if (Option.isNone(mark) || !QuarantineMarks.holds(mark.value, sha256)) return []
  const [bars, file] = [workspace.display(path), workspace.display(place)]
  return [`${bars} is in quarantine by ${mark.value.who} (see ${file}; remove it when the bars are good after all)`]
})

/**
 * Reads a model from the artifact store and its bars from their partitions, each file checked against its digest. Fails
 * with BacktestRefused where the parts do not belong together, where the model says of itself what its files do not, and
 * where a partition is in quarantine: the first task after `dq` whose answer is never from the cache looks.
 */
export const load = Effect.fn("backtest.load")(function* (model: ModelDigest.Model) {
  const refused = (...problems: ReadonlyArray<string>) => new BacktestRefused({ version: model.version, problems })
  const workspace = yield* Workspace
  const artifacts = yield* Artifacts
  const problems = claims(model)
  if (problems.length > 0) return yield* refused(...problems)
  const instruments = yield* instrumentsOf(model)
  if (Result.isFailure(instruments)) return yield* refused(...instruments.failure)

  const texts: Record<string, string> = {}
  for (const { name, sha256 } of model.files) {
    texts[name] = new TextDecoder().decode(yield* artifacts.get(sha256))
  }
  const lies = [...ModelClaims.problems(model, texts), ...ModelClaims.versionProblems(model, texts)]
  if (lies.length > 0) return yield* refused(...lies)
  const bundle = yield* Bundle.decode(texts)
  const name = Bundle.fileNames.outOfSample
  const text = texts[name]
  if (text === undefined) {
    return yield* refused(`it has no ${name}, and its own signals know the bars that it was fitted to; train it again`)
  }
  const file = yield* Effect.mapError(decodeOutOfSample(text), (error) => refused(`${name}: ${error.message}`))

  const partitions = yield* Effect.forEach(model.data.partitions, (each) =>
    Effect.map(workspace.resolve(each.path), (path) => ({ ...each, path })),
  )
  const held = (yield* Effect.forEach(partitions, heldBack)).flat()
  if (held.length > 0) {
    const more = held.length > 3 ? [`${held.length - 3} more partitions are in quarantine`] : []
    return yield* refused(...held.slice(0, 3), ...more)
  }
  const read = (symbol: string) => readSymbol(symbol, { ...model.data, partitions })
  const pair = align(yield* read(model.slot.legA), yield* read(model.slot.legB))
  const placed = place(file, pair.timestamp)
  if (Result.isFailure(placed)) return yield* refused(`${name} is not of these bars: ${placed.failure}`)
  return { bundle, pair, instruments: instruments.success, file, placed: placed.success } satisfies Candidate
})
