import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import { slotText } from "../../src/domain/model.ts"
import type { ModelRow, Warrant } from "../../src/domain/registry.ts"
import { Attempt } from "../../src/services/attempt.ts"
import { Evidence } from "../../src/services/evidence.ts"
import { ModelRegistry } from "../../src/services/model-registry.ts"
import { Settings } from "../../src/services/settings.ts"
import { verifyVersion } from "../model-verify/version.ts"
import { gather } from "../publish/evidence.ts"
import * as Outbox from "../publish/outbox.ts"
import type { Input, Output } from "./schema.ts"

/**
 * The receipt of an earlier deployment of the same bytes, where it still holds and no backtest of them has failed since:
 * a rollback must not need a new backtest because the policy has changed.
 */
const earlier = Effect.fn("model-deploy.earlier")(function* (row: ModelRow) {
  const moves = yield* (yield* ModelRegistry).history(row.slot)
  const named = new Set(
    moves.flatMap(({ digest, receipt }) => (digest === row.digest && receipt !== null ? [receipt] : [])),
  )
  const { env } = yield* Attempt
  const found = yield* (yield* Evidence).receiptsFor(row.digest)
  const backtests = found.filter(({ problem, statement }) => {
    const { env: of, gate } = statement.predicate.dandori
    return problem === undefined && gate === "backtest" && of === env
  })
  const [newest] = backtests
  if (newest?.statement.predicate.result === "FAILED") return Option.none()
  return Option.fromUndefinedOr(backtests.find(({ artifact }) => named.has(artifact.sha256)))
})

/** The backtest's receipt that lets a version be champion: under today's policy, or that of its earlier deployment. */
const receiptOf = Effect.fn("model-deploy.receipt")(function* (row: ModelRow, strict: boolean) {
  const today = Effect.map(gather(row, row.digest, strict), ({ backtest }) => backtest.artifact.sha256)
  return yield* Effect.catchTag(today, "ReceiptMissing", (missing) =>
    Effect.flatMap(earlier(row), (found) =>
      Option.isSome(found) && !strict ? Effect.succeed(found.value.artifact.sha256) : Effect.fail(missing),
    ),
  )
})

/** Makes a published version champion: its bytes and its evidence are checked before anything is changed. */
export const run = Effect.fn("model-deploy.run")(function* (input: Input) {
  const { model } = input
  const registry = yield* ModelRegistry
  const { path, row } = yield* verifyVersion(model)
  const slot = slotText(row.slot)
  const receipt = yield* receiptOf(row, input.strict ?? false)
  const { approvedBy, idempotencyKey, intent, run: id, task, who } = yield* Attempt
  const warrant: Warrant = { who, reason: input.reason.trim(), intent, run: id, task, key: idempotencyKey }
  const { messaging, notifications } = (yield* Settings).sections
  const previous = yield* registry.atomically(
    Effect.gen(function* () {
      const now = Option.getOrElse(yield* registry.find(model.version), () => row)
      if (now.status === "deployed") return undefined
      if (now.status === "draft") yield* registry.transition(model.version, "candidate", warrant)
      if (now.status === "draft" || now.status === "candidate") {
        const reason = `${warrant.reason} (its gates passed)`
        yield* registry.transition(model.version, "approved", { ...warrant, reason })
      }
      // Taken out for cause: its gates alone do not bring it back, a person has to agree.
      if (now.status === "rolled_back" && approvedBy.length > 0) {
        const reason = `${warrant.reason} (approved again by ${approvedBy.join(", ")})`
        yield* registry.transition(model.version, "approved", { ...warrant, reason })
      }
      const champion = Option.getOrUndefined(yield* registry.champion(row.slot))
      const outbox = Outbox.messages(now, champion?.version, warrant, notifications, messaging)
      const how = { previousBecomes: input.previousBecomes ?? "archived", receipt, outbox } as const
      return yield* registry.deploy(model.version, how, warrant)
    }),
  )
  const output: Output = {
    ...model,
    slot,
    path,
    receipt,
    moved: previous !== undefined,
    ...(previous?.from === undefined || previous.from === null ? {} : { previous: previous.from }),
  }
  return output
}, Effect.scoped)

/** Whether this task of this run has moved the alias already: its own move in the history. */
export const probe = Effect.fn("model-deploy.probe")(function* ({ model }: Input) {
  const registry = yield* ModelRegistry
  const { moves } = yield* registry.doneBy((yield* Attempt).idempotencyKey)
  const move = moves.find(({ digest, version }) => version === model.version && digest === model.digest)
  const row = Option.getOrUndefined(yield* registry.find(model.version))
  if (move === undefined || row === undefined) return Option.none<Output>()
  return Option.some<Output>({
    ...model,
    slot: move.slot,
    path: row.path,
    moved: true,
    ...(move.receipt === null ? {} : { receipt: move.receipt }),
    ...(move.from === null ? {} : { previous: move.from }),
  })
})

/** What deploying would do; nothing is changed. */
export const dryRun = Effect.fn("model-deploy.dryRun")(function* (input: Input) {
  const { row } = yield* verifyVersion(input.model)
  yield* receiptOf(row, input.strict ?? false)
  const champion = Option.getOrUndefined(yield* (yield* ModelRegistry).champion(row.slot))
  const slot = slotText(row.slot)
  if (champion?.version === row.version) return `${row.version} is champion of ${slot} already`
  const becomes = champion === undefined ? "" : `, which would be ${input.previousBecomes ?? "archived"}`
  return `${row.version} would become champion of ${slot} in place of ${champion?.version ?? "none"}${becomes}`
}, Effect.scoped)
