import * as Effect from "effect/Effect"
import * as GatePolicy from "../../src/domain/gate-policy.ts"
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
  /** What the bytes have to be called, if the name matters. */
  readonly name?: string
  readonly strict: boolean
}

/** Receipts that let a version pass: the backtest's, and all of them, each once, by digest. */
export interface Passed {
  readonly backtest: FoundReceipt
  readonly receipts: ReadonlyArray<FoundReceipt>
}

const short = (sha256: string) => `${sha256.slice(0, 12)}…`

const about = ({ artifact }: FoundReceipt, { gate, subject }: Demand) =>
  `${gate} receipt ${short(artifact.sha256)} for ${short(subject)}`

/** Why a receipt does not count at all; undefined when it counts, whatever its verdict. */
const objection = (found: FoundReceipt, demand: Demand): string | undefined => {
  const { problem, statement } = found
  const { env } = statement.predicate.dandori
  if (problem !== undefined) return `${about(found, demand)} does not hold (${problem})`
  if (!statement.subject.some(({ digest }) => digest.sha256 === demand.subject)) {
    return `${about(found, demand)} names other bytes`
  }
  if (env !== demand.env) return `${about(found, demand)} is of the environment ${env}, not ${demand.env}`
  return undefined
}

/** Why a receipt that counts lets nothing pass, whatever its verdict; it may stop all the same. */
const shortcoming = (found: FoundReceipt, demand: Demand): string | undefined => {
  const { predicate, subject } = found.statement
  const { name, policy } = demand
  if (policy !== undefined && !predicate.configuration.some(({ digest }) => digest.sha256 === policy)) {
    return `${about(found, demand)} was given under another policy than ${short(policy)}`
  }
  if (name !== undefined && !subject.some((each) => each.name === name && each.digest.sha256 === demand.subject)) {
    return `${about(found, demand)} names no version ${name}`
  }
  return undefined
}

/** The receipt that meets a demand, or why there is none. */
type Judgement = { readonly receipt: FoundReceipt } | { readonly problems: ReadonlyArray<string> }

/**
 * The receipt that meets the demand, or what is missing. Of the receipts that count the newest decides that says FAILED,
 * under any policy, or that could let pass: a later FAILED is not outvoted by an earlier PASSED, nor by naming a policy
 * that it was not given under.
 */
const judge = (found: ReadonlyArray<FoundReceipt>, unreadable: ReadonlyArray<string>, demand: Demand): Judgement => {
  const ofGate = found.filter(({ statement }) => statement.predicate.dandori.gate === demand.gate)
  if (ofGate.length === 0) {
    return { problems: [`there is no ${demand.gate} receipt for ${short(demand.subject)}`, ...unreadable] }
  }
  const decisive = ofGate.find(
    (receipt) =>
      objection(receipt, demand) === undefined &&
      (receipt.statement.predicate.result === "FAILED" || shortcoming(receipt, demand) === undefined),
  )
  if (decisive === undefined) {
    const objections = ofGate.flatMap((receipt) => objection(receipt, demand) ?? shortcoming(receipt, demand) ?? [])
    return { problems: [...objections, ...unreadable] }
  }
  const { result } = decisive.statement.predicate
  if (result === "PASSED" || (result === "WARNED" && !demand.strict)) return { receipt: decisive }
  const strictly = result === "WARNED" ? " and the policy is strict" : ""
  return { problems: [`${about(decisive, demand)} says ${result}${strictly}`] }
}

/**
 * Gathers the receipts for the bytes of a model and for each of its datasets: a `backtest` receipt under this
 * environment's policy (`gate-policy.ts`) that names the version, and a `dq` receipt per dataset. Fails naming everything
 * that is missing.
 */
export const gather = Effect.fn("publish.evidence")(function* (
  model: Pick<Model, "version" | "datasets">,
  digest: Sha256,
  strict: boolean,
) {
  const evidence = yield* Evidence
  const { env } = yield* Attempt
  const policy = GatePolicy.backtest((yield* Settings).digest).sha256
  const demands: ReadonlyArray<Demand> = [
    { gate: "backtest", subject: digest, name: model.version, env, policy, strict },
    ...[...new Set(model.datasets)].map((subject) => ({ gate: "dq", subject, env, strict })),
  ]
  const judged = yield* Effect.forEach(demands, (demand) =>
    Effect.zipWith(evidence.receiptsFor(demand.subject), evidence.unreadable(demand.subject), (found, unreadable) =>
      judge(found, unreadable, demand),
    ),
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
