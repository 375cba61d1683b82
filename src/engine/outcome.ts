import * as Cause from "effect/Cause"
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Option from "effect/Option"
import * as Schema from "effect/Schema"
import type { Artifact } from "../domain/artifact.ts"
import type { LimitsSection } from "../domain/config/limits.ts"
import type { ErrorData } from "../domain/event.ts"
import { GateResult } from "../domain/gate.ts"
import type { JsonSchema } from "../domain/json-schema.ts"
import type { Sha256 } from "../domain/sha256.ts"
import * as Receipts from "../ledger/receipts.ts"
import type { Ledger } from "../ledger/ledger.ts"
import type { LedgerKey } from "../ledger/keys.ts"
import { type ArtifactError, Artifacts } from "../services/artifacts.ts"
import type { AttemptFiles } from "../services/attempt-files.ts"
import { CacheIndex } from "../services/cache-index.ts"
import type { Cordons } from "../services/cordons.ts"
import type { Inbox } from "../services/inbox.ts"
import { Settings } from "../services/settings.ts"
import { Workspace } from "../services/workspace.ts"
import * as AttemptRun from "./attempt-run.ts"
import * as AttemptServices from "./attempt-services.ts"
import * as Cache from "./cache.ts"
import * as Errors from "./errors.ts"
import type { RunContext } from "./execution.ts"
import * as OutputLimit from "./output-limit.ts"
import type { Recorder } from "./recorder.ts"
import { gateFailed } from "./retrying.ts"
import { isStopping, taskAt } from "./run-state.ts"
import type { TaskServices } from "./task-services.ts"

/** Services that carrying out an attempt needs, besides those of the task types. */
export type Requirements = TaskServices | AttemptFiles | CacheIndex | Cordons | Inbox | Ledger | LedgerKey

/** What the carrying out of attempts needs at every one, looked up once per execution. */
export interface Shared extends AttemptServices.Shared {
  readonly limits: LimitsSection
  /** Milliseconds that pass, whatever happens to the clock meanwhile. */
  readonly millis: () => number
}

export const shared = Effect.gen(function* () {
  const services = yield* AttemptServices.shared
  const { sections } = yield* Settings
  const clock = yield* Clock.clockWith(Effect.succeed)
  const millis = () => Number(clock.monotonicTimeNanosUnsafe()) / 1e6
  return { ...services, limits: sections.limits, millis } satisfies Shared
})

/** A value of more characters than this is an artifact reference in the ledger. */
export const largestValue = 256 * 1024

const lost = (run: RunContext) => (error: { readonly message: string }) =>
  new Errors.LedgerLost({ run: run.id, reason: error.message })

/** Secrets out of a value that goes into the ledger. */
const redacted = ({ secrets }: Shared, value: unknown) => {
  const text = JSON.stringify(value)
  const plain: unknown = JSON.parse(text)
  const safe = secrets.redactValue(plain)
  return { value: safe, text: safe === plain ? text : JSON.stringify(safe) }
}

const storeLarge = Effect.fnUntraced(function* (value: unknown, text: string, large: Map<string, unknown>) {
  const artifacts = yield* Artifacts
  const outputArtifact = yield* artifacts.put("output.json", "application/json", text)
  large.set(outputArtifact.sha256, value)
  return { outputArtifact }
})

/** A value and its text, secrets taken out of both: in the event, or as an artifact where it is large. */
export const storeOutput = (
  { value, text }: { readonly value: unknown; readonly text: string },
  large: Map<string, unknown>,
): Effect.Effect<{ readonly output: unknown } | { readonly outputArtifact: Artifact }, ArtifactError, Artifacts> =>
  text.length <= largestValue ? Effect.succeed({ output: value }) : storeLarge(value, text, large)

/**
 * Appends the gate's event and issues the receipt of it, whatever the verdict: a later FAILED must not be outvoted by an
 * earlier PASSED.
 */
const judge = Effect.fnUntraced(function* (
  run: RunContext,
  recorder: Recorder,
  started: AttemptRun.Started,
  gate: GateResult,
) {
  const { task, attempt } = started
  const type = gate.verdict === "FAILED" ? "dev.dandori.gate.failed.v1" : "dev.dandori.gate.passed.v1"
  const entry = recorder.record({ type, data: { task: task.id, attempt, type: task.type, gate } }, task.id)
  yield* recorder.writer.durable.pipe(Effect.mapError(lost(run)))
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
interface Given {
  readonly output: unknown
  readonly probed: boolean
  readonly facts: Readonly<Record<string, unknown>>
  readonly millis: number
  readonly cacheKey: Sha256 | undefined
}

const succeed = (
  shared: Shared,
  run: RunContext,
  recorder: Recorder,
  started: AttemptRun.Started,
  large: Map<string, unknown>,
  given: Given,
) => {
  const { task, prepared } = started
  const { millis } = given
  const fail = (error: ErrorData, stored: object = {}) =>
    failed(shared, recorder, started, error, { millis, ...stored })
  const encoded = prepared.encodeOutput(given.output)
  if (Exit.isFailure(encoded)) {
    return fail(Errors.decodeFailure("OutputInvalid", `The output of ${task.id}`, encoded))
  }
  const tooLarge = OutputLimit.refuse(task.id, encoded.value, shared.limits)
  if (tooLarge !== undefined) return fail(tooLarge)
  const isSilent = Object.keys(given.facts).length === 0
  const noted = isSilent ? {} : { facts: redacted(shared, given.facts).value as Record<string, unknown> }
  const said: unknown = prepared.type.gate === undefined ? undefined : prepared.type.gate(given.output)
  if (said === undefined) {
    const stored = storeOutput(redacted(shared, encoded.value), large)
    return Effect.flatMap(stored, (output) => recordSuccess(recorder, started, given, { ...noted, ...output }))
  }
  const tooLong = OutputLimit.refuseVerdict(task.id, said)
  if (tooLong !== undefined) return fail(tooLong)
  const gate = redacted(shared, said).value
  if (!isGateResult(gate)) {
    return fail({ tag: "OutputInvalid", message: `${task.type} gave no well-formed verdict`, settled: true })
  }
  const refused = gate.verdict === "FAILED"
  return Effect.gen(function* () {
    const output = refused ? withoutClaims(encoded.value, prepared.output) : encoded.value
    const stored = yield* storeOutput(redacted(shared, output), large)
    const receipts = [yield* judge(run, recorder, started, gate)]
    const data = { ...noted, ...stored, receipts }
    if (!refused) return yield* recordSuccess(recorder, started, given, data)
    const message = `The gate says FAILED: ${gate.reasons.join("; ")}`
    return yield* fail({ tag: gateFailed, message, settled: true }, data)
  })
}

const recordSuccess = (
  recorder: Recorder,
  { attempt, task }: AttemptRun.Started,
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

const useCached = (
  shared: Shared,
  recorder: Recorder,
  { attempt, task }: AttemptRun.Started,
  hit: Cache.Hit,
  large: Map<string, unknown>,
) =>
  Effect.map(storeOutput(redacted(shared, hit.output), large), (stored) => {
    const cached = { run: hit.run, task: hit.task, entry: hit.entry }
    const receipts = hit.receipts.length === 0 ? {} : { receipts: hit.receipts }
    const data = { task: task.id, attempt, ...stored, cached, ...receipts }
    recorder.record({ type: "dev.dandori.attempt.succeeded.v1", data }, task.id)
  })

const failed = (
  shared: Shared,
  recorder: Recorder,
  { task, attempt }: AttemptRun.Started,
  error: ErrorData,
  facts: object = {},
): Effect.Effect<void> =>
  Effect.sync(() => {
    const safe = redacted(shared, { error, ...facts }).value as { readonly error: ErrorData }
    recorder.record({ type: "dev.dandori.attempt.failed.v1", data: { task: task.id, attempt, ...safe } }, task.id)
  })

const unknown = ({ secrets }: Shared, recorder: Recorder, { task, attempt }: AttemptRun.Started, why: string): void => {
  const data = { task: task.id, attempt, reason: secrets.redact(why) }
  recorder.record({ type: "dev.dandori.attempt.unknown.v1", data }, task.id)
}

/** An attempt that ended without a result. */
export const lose = (
  recorder: Recorder,
  { task, attempt }: Pick<AttemptRun.Started, "task" | "attempt">,
  reason: string,
): void =>
  void recorder.record({ type: "dev.dandori.attempt.lost.v1", data: { task: task.id, attempt, reason } }, task.id)

/** True when the task's own block is cancelled, or its matrix stopped; an interruption without that is a shutdown. */
const isCancelled = (recorder: Recorder, { index }: AttemptRun.Started): boolean => isStopping(recorder.state(), index)

/** A stop that a cancel asked for; a shutdown leaves no event. */
const stopped = (recorder: Recorder, started: AttemptRun.Started): void => {
  const { task, attempt } = started
  if (!isCancelled(recorder, started)) return
  recorder.record({ type: "dev.dandori.attempt.cancelled.v1", data: { task: task.id, attempt } }, task.id)
}

/** Appends what a result amounts to. */
const settle = (
  shared: Shared,
  run: RunContext,
  recorder: Recorder,
  started: AttemptRun.Started,
  large: Map<string, unknown>,
  ended: AttemptRun.Ended,
  millis: number,
  cacheKey?: Sha256,
) => {
  const { task, attempt } = started
  const { result } = ended
  const facts = OutputLimit.factsWithin(ended.facts)
  switch (result._tag) {
    case "Output": {
      const { output, probed } = result
      return succeed(shared, run, recorder, started, large, { output, probed, facts, millis, cacheKey })
    }
    case "Error": {
      const noted = Object.keys(facts).length === 0 ? {} : { facts }
      return failed(shared, recorder, started, result.error, { millis, ...noted })
    }
    case "TimedOut": {
      const data = { task: task.id, attempt, timeoutMillis: task.timeout ?? 0 }
      recorder.record({ type: "dev.dandori.attempt.timed_out.v1", data }, task.id)
      return Effect.void
    }
    case "Silent":
      return Effect.sync(() => lose(recorder, started, result.reason))
    case "Interrupted":
      return Effect.sync(() => stopped(recorder, started))
    case "Unknown":
      return Effect.sync(() => unknown(shared, recorder, started, result.reason))
  }
}

/**
 * Nothing that goes wrong around an attempt escapes it, but the loss of the ledger. What goes wrong after a `once` task
 * has begun says nothing of its effect.
 */
const guard = (shared: Shared, recorder: Recorder, started: AttemptRun.Started, begun: () => boolean) =>
  Effect.catchCause((cause: Cause.Cause<unknown>) => {
    const failure = Option.getOrUndefined(Cause.findErrorOption(cause))
    if (failure instanceof Errors.LedgerLost) {
      return Effect.fail(begun() ? failure : new Errors.LedgerLost({ ...failure, unbegun: true }))
    }
    const error = Errors.ofCause(cause)
    if (taskAt(recorder.state(), started.index).status !== "running") return Effect.void
    if (Cause.hasInterruptsOnly(cause)) return Effect.sync(() => stopped(recorder, started))
    if (!begun() || repeatable(started)) return failed(shared, recorder, started, error)
    return Effect.sync(() => unknown(shared, recorder, started, `its result could not be kept: ${error.message}`))
  })

const repeatable = ({ task }: AttemptRun.Started) => task.effects === "pure" || task.effects === "idempotent"

/** The key of an attempt in the cache, and what an earlier run produced for it. */
const recall = Effect.fnUntraced(function* ({ input, prepared, task }: AttemptRun.Started) {
  const key = yield* Cache.keyOf(task, prepared, input)
  return { key, hit: yield* Cache.lookup(key, task, prepared) }
})

/**
 * Carries out an attempt whose intent was appended: cache, flush of the intent, run, result. Whatever happens, exactly
 * one terminal event is appended, unless the process is being shut down, when the attempt is left to a resume.
 */
export const carryOut = (
  shared: Shared,
  run: RunContext,
  recorder: Recorder,
  started: AttemptRun.Started,
  large: Map<string, unknown>,
): Effect.Effect<void, Errors.LedgerLost, Requirements> => {
  const { task } = started
  const since = shared.millis()
  let begun = false
  const perform = (cacheKey?: Sha256) => {
    begun = true
    const ran = AttemptRun.run(shared, run, started, () => isCancelled(recorder, started))
    return Effect.flatMap(ran, (ended) => {
      const millis = Math.round(shared.millis() - since)
      return settle(shared, run, recorder, started, large, ended, millis, cacheKey)
    })
  }
  return Effect.uninterruptibleMask((restore) => {
    const intentDurable = restore(Effect.andThen(Effect.mapError(recorder.writer.durable, lost(run)), run.opened))
    const performed = (cacheKey?: Sha256) =>
      task.effects === "pure"
        ? Effect.suspend(() => perform(cacheKey))
        : Effect.flatMap(intentDurable, () => perform(cacheKey))
    const work =
      task.cache === true
        ? Effect.flatMap(restore(recall(started)), ({ hit, key }) =>
            Option.isSome(hit) ? useCached(shared, recorder, started, hit.value, large) : performed(key),
          )
        : performed()
    return guard(shared, recorder, started, () => begun)(work)
  })
}

/**
 * Closes an attempt whose process died between intent and result. Pure and idempotent ones are lost and run again; the
 * others ask their probe, and are unknown where there is none.
 */
export const recover = (
  shared: Shared,
  run: RunContext,
  recorder: Recorder,
  started: AttemptRun.Started,
  large: Map<string, unknown>,
): Effect.Effect<void, Errors.LedgerLost, Requirements> => {
  if (repeatable(started)) return Effect.sync(() => lose(recorder, started, "its process ended before its result"))
  const since = shared.millis()
  const work = Effect.flatMap(AttemptRun.afterCrash(shared, run, started), (result) => {
    if (result._tag === "Interrupted") {
      return Effect.sync(() => lose(recorder, started, "its process ended; the probe says that nothing had happened"))
    }
    const millis = Math.round(shared.millis() - since)
    return settle(shared, run, recorder, started, large, { result, facts: {} }, millis)
  })
  return Effect.uninterruptible(guard(shared, recorder, started, () => true)(work))
}
