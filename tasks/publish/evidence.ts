import * as Effect from "effect/Effect"
import type { Model } from "../../src/domain/model.ts"
import type { EnvironmentName } from "../../src/domain/names.ts"
import type { Sha256 } from "../../src/domain/sha256.ts"
import { Attempt } from "../../src/services/attempt.ts"
import { Evidence, type FoundReceipt } from "../../src/services/evidence.ts"
import { Settings } from "../../src/services/settings.ts"
import { ReceiptMissing } from "./errors.ts"

/** What a receipt has to say to let bytes pass. */
interface Demand {
  readonly gate: string
  readonly subject: Sha256
  readonly env: EnvironmentName
  /** Digest of the policy that has to be named, if one has to be. */
  readonly policy?: Sha256
  readonly strict: boolean
}

/** Receipts that let a version pass: the backtest's, and all of them, each once, by digest. */
export interface Passed {
  readonly backtest: FoundReceipt
  readonly receipts: ReadonlyArray<FoundReceipt>
}

const short = (sha256: string) => `${sha256.slice(0, 12)}…`

/** Why a receipt does not count at all; undefined when it counts, whatever its verdict. */
const objection = ({ artifact, problem, statement }: FoundReceipt, demand: Demand): string | undefined => {
  const { configuration, dandori } = statement.predicate
  const receipt = `${demand.gate} receipt ${short(artifact.sha256)} for ${short(demand.subject)}`
  if (problem !== undefined) return `${receipt} does not hold (${problem})`
  if (!statement.subject.some(({ digest }) => digest.sha256 === demand.subject)) return `${receipt} names other bytes`
  if (dandori.env !== demand.env) return `${receipt} is of the environment ${dandori.env}, not ${demand.env}`
  if (demand.policy !== undefined && !configuration.some(({ digest }) => digest.sha256 === demand.policy)) {
    return `${receipt} was given under another policy than ${short(demand.policy)}`
  }
  return undefined
}

/** The receipt that meets a demand, or why there is none. */
type Judgement = { readonly receipt: FoundReceipt } | { readonly problems: ReadonlyArray<string> }

/**
 * The receipt that meets the demand, or what is missing. Of the receipts that count the newest decides: a later FAILED
 * is not outvoted by an earlier PASSED.
 */
const judge = (found: ReadonlyArray<FoundReceipt>, demand: Demand): Judgement => {
  const ofGate = found.filter(({ statement }) => statement.predicate.dandori.gate === demand.gate)
  if (ofGate.length === 0) return { problems: [`there is no ${demand.gate} receipt for ${short(demand.subject)}`] }
  const newest = ofGate.find((receipt) => objection(receipt, demand) === undefined)
  if (newest === undefined) return { problems: ofGate.flatMap((receipt) => objection(receipt, demand) ?? []) }
  const { result } = newest.statement.predicate
  if (result === "PASSED" || (result === "WARNED" && !demand.strict)) return { receipt: newest }
  const strictly = result === "WARNED" ? " and the policy is strict" : ""
  const receipt = `${demand.gate} receipt ${short(newest.artifact.sha256)} for ${short(demand.subject)}`
  return { problems: [`${receipt} says ${result}${strictly}`] }
}

/**
 * Gathers the receipts for the bytes of a model and for each of its datasets: a `backtest` receipt under this
 * environment's `backtest_policy`, and a `dq` receipt per dataset. Fails naming everything that is missing.
 */
export const gather = Effect.fn("publish.evidence")(function* (
  model: Pick<Model, "version" | "datasets">,
  digest: Sha256,
  strict: boolean,
) {
  const evidence = yield* Evidence
  const { env } = yield* Attempt
  const policy = (yield* Settings).digest("backtest_policy")
  const demands: ReadonlyArray<Demand> = [
    { gate: "backtest", subject: digest, env, policy, strict },
    ...[...new Set(model.datasets)].map((subject) => ({ gate: "dq", subject, env, strict })),
  ]
  const judged = yield* Effect.forEach(demands, (demand) =>
    Effect.map(evidence.receiptsFor(demand.subject), (found) => judge(found, demand)),
  )
  const problems = judged.flatMap((one) => ("problems" in one ? one.problems : []))
  if (problems.length > 0) return yield* new ReceiptMissing({ version: model.version, digest, problems })
  const receipts = judged.flatMap((one) => ("receipt" in one ? [one.receipt] : []))
  const unique = [...new Map(receipts.map((receipt) => [receipt.artifact.sha256, receipt])).values()]
  return {
    backtest: receipts[0],
    receipts: unique.toSorted((x, y) => (x.artifact.sha256 < y.artifact.sha256 ? -1 : 1)),
  } satisfies Passed
})
