import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Schema from "effect/Schema"
import type { Artifact } from "../domain/artifact.ts"
import type { ErrorData } from "../domain/event.ts"
import { GateResult } from "../domain/gate.ts"
import type { JsonSchema } from "../domain/json-schema.ts"
import type { Sha256 } from "../domain/sha256.ts"
import * as Receipts from "../ledger/receipts.ts"
import { CacheIndex } from "../services/cache-index.ts"
import { Workspace } from "../services/workspace.ts"
import type { Started } from "./attempt-run.ts"
import type { Shared } from "./attempt-services.ts"
import type * as Cache from "./cache.ts"
import * as Errors from "./errors.ts"
import type { RunContext } from "./run-context.ts"
import * as Failure from "./failure.ts"
import * as KeptValue from "./kept-value.ts"
import * as OutputLimit from "./output-limit.ts"
import type { Recorder } from "./recorder.ts"
import { gateFailed } from "./retrying.ts"

/**
 * Appends the gate's event and issues the receipt of it, whatever the verdict: a later FAILED must not be outvoted by an
 * earlier PASSED.
 */
const judge = Effect.fnUntraced(function* (run: RunContext, recorder: Recorder, started: Started, gate: GateResult) {
  const { task, attempt } = started
  const type = gate.verdict === "FAILED" ? "dev.dandori.gate.failed.v1" : "dev.dandori.gate.passed.v1"
  const entry = recorder.record({ type, data: { task: task.id, attempt, type: task.type, gate } }, task.id)
  yield* recorder.writer.durable.pipe(Effect.mapError(Errors.ledgerLost(run.id)))
  const workspace = yield* Workspace
  return yield* Receipts.issue(workspace.home, {
    gate,
    entry: entry.hash,
    sequence: entry.sequence,
    env: run.env,
    plan: run.plan,
    run: run.id,
    task: task.id,
    type: task.type,
  })
})

/** The output of a gate that said FAILED, without what only a passed gate gives: its `Checked` and `Gated` fields. */
const withoutClaims = (output: unknown, schema: JsonSchema): unknown => {
  if (typeof output !== "object" || output === null || Array.isArray(output)) return output
  return Object.fromEntries(
    Object.entries(output).filter(([key]) => !/^(Checked|Gated)</.test(schema.properties?.[key]?.["x-name"] ?? "")),
  )
}

const isGateResult = Schema.is(GateResult)

/** What is kept of an output and what is said beside it. */
type Kept = ({ readonly output: unknown } | { readonly outputArtifact: Artifact }) & {
  readonly facts?: Readonly<Record<string, unknown>>
  readonly receipts?: ReadonlyArray<Artifact>
}

/** What a task gave, beside its output as an event or an artifact has it. */
export interface Given {
  readonly output: unknown
  readonly probed: boolean
  readonly facts: Readonly<Record<string, unknown>>
  readonly millis: number
  readonly cacheKey: Sha256 | undefined
}

/** Appends what an output amounts to: success, or a failure where it is refused or its gate says FAILED. */
export const succeed = (
  shared: Shared,
  run: RunContext,
  recorder: Recorder,
  started: Started,
  large: Map<string, unknown>,
  given: Given,
) => {
  const { task, prepared } = started
  const { millis } = given
  const fail = (error: ErrorData, stored: object = {}) =>
    Failure.failed(shared, recorder, started, error, { millis, ...stored })
  const encoded = prepared.encodeOutput(given.output)
  if (Exit.isFailure(encoded)) {
    return fail(Errors.decodeFailure("OutputInvalid", `The output of ${task.id}`, encoded))
  }
  const tooLarge = OutputLimit.refuse(task.id, encoded.value, shared.limits)
  if (tooLarge !== undefined) return fail(tooLarge)
  const isSilent = Object.keys(given.facts).length === 0
  const noted = isSilent
    ? {}
    : { facts: KeptValue.redacted(shared.secrets, given.facts).value as Record<string, unknown> }
  const said: unknown = prepared.type.gate === undefined ? undefined : prepared.type.gate(given.output)
  if (said === undefined) {
    const stored = KeptValue.storeOutput(KeptValue.redacted(shared.secrets, encoded.value), large)
    return Effect.flatMap(stored, (output) => recordSuccess(recorder, started, given, { ...noted, ...output }))
  }
  const tooLong = OutputLimit.refuseVerdict(task.id, said)
  if (tooLong !== undefined) return fail(tooLong)
  const gate = KeptValue.redacted(shared.secrets, said).value
  if (!isGateResult(gate)) {
    return fail({ tag: "OutputInvalid", message: `${task.type} gave no well-formed verdict`, settled: true })
  }
  const refused = gate.verdict === "FAILED"
  return Effect.gen(function* () {
    const output = refused ? withoutClaims(encoded.value, prepared.output) : encoded.value
    const stored = yield* KeptValue.storeOutput(KeptValue.redacted(shared.secrets, output), large)
    const receipts = [yield* judge(run, recorder, started, gate)]
    const data = { ...noted, ...stored, receipts }
    if (!refused) return yield* recordSuccess(recorder, started, given, data)
    const message = `The gate says FAILED: ${gate.reasons.join("; ")}`
    return yield* fail({ tag: gateFailed, message, settled: true }, data)
  })
}

const recordSuccess = (
  recorder: Recorder,
  { attempt, task }: Started,
  { cacheKey, millis, probed }: Given,
  kept: Kept,
) => {
  const key = cacheKey === undefined ? {} : { cacheKey }
  const asked = probed ? { probed } : {}
  // In canonical order, so that it is sealed as it is.
  const data = { attempt, ...key, millis, ...kept, ...asked, task: task.id }
  const { hash } = recorder.record({ type: "dev.dandori.attempt.succeeded.v1", data }, task.id)
  if (cacheKey === undefined) return Effect.void
  const record = { run: recorder.run, task: task.id, entry: hash }
  return Effect.flatMap(CacheIndex, (index) => index.put(cacheKey, record))
}

/** Appends what an earlier run produced. */
export const useCached = (
  shared: Shared,
  recorder: Recorder,
  { attempt, task }: Started,
  hit: Cache.Hit,
  large: Map<string, unknown>,
) =>
  Effect.map(KeptValue.storeOutput(KeptValue.redacted(shared.secrets, hit.output), large), (stored) => {
    const cached = { run: hit.run, task: hit.task, entry: hit.entry }
    const receipts = hit.receipts.length === 0 ? {} : { receipts: hit.receipts }
    const data = { task: task.id, attempt, ...stored, cached, ...receipts }
    recorder.record({ type: "dev.dandori.attempt.succeeded.v1", data }, task.id)
  })
