import * as Cause from "effect/Cause"
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Option from "effect/Option"
import * as Schema from "effect/Schema"
import type { Artifact } from "../domain/artifact.ts"
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
import { Secrets } from "../services/secrets.ts"
import { Workspace } from "../services/workspace.ts"
import * as AttemptRun from "./attempt-run.ts"
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

/** Milliseconds since it was started, whatever happens to the clock meanwhile. */
const stopwatch = Effect.map(Clock.clockWith(Effect.succeed), (clock) => {
  const start = clock.monotonicTimeNanosUnsafe()
  return () => Math.round(Number(clock.monotonicTimeNanosUnsafe() - start) / 1e6)
})

/** A value of more characters than this is an artifact reference in the ledger. */
export const largestValue = 256 * 1024

const lost = (run: RunContext) => (error: { readonly message: string }) =>
  new Errors.LedgerLost({ run: run.id, reason: error.message })

/** Secrets out of a value that goes into the ledger. */
const redacted = (value: unknown) =>
  Effect.map(Secrets, (secrets) => {
    const text = JSON.stringify(value)
    const plain: unknown = JSON.parse(text)
    const safe = secrets.redactValue(plain)
    return { value: safe, text: safe === plain ? text : JSON.stringify(safe) }
  })

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

const succeed = Effect.fnUntraced(function* (
  run: RunContext,
  recorder: Recorder,
  started: AttemptRun.Started,
  large: Map<string, unknown>,
  ended: {
    readonly output: unknown
    readonly probed: boolean
    readonly facts: Readonly<Record<string, unknown>>
    readonly millis: number
    readonly cacheKey?: Sha256
  },
) {
  const { task, attempt, prepared } = started
  const fail = (error: ErrorData, stored: object = {}) =>
    failed(recorder, started, error, { millis: ended.millis, ...stored })
  const encoded = prepared.encodeOutput(ended.output)
  if (Exit.isFailure(encoded)) {
    return yield* fail(Errors.decodeFailure("OutputInvalid", `The output of ${task.id}`, encoded))
  }
  const tooLarge = yield* OutputLimit.refuse(task.id, encoded.value)
  if (tooLarge !== undefined) return yield* fail(tooLarge)
  const said: unknown = prepared.type.gate === undefined ? undefined : prepared.type.gate(ended.output)
  const tooLong = OutputLimit.refuseVerdict(task.id, said)
  if (tooLong !== undefined) return yield* fail(tooLong)
  const gate = said === undefined ? undefined : (yield* redacted(said)).value
  if (gate !== undefined && !isGateResult(gate)) {
    return yield* fail({ tag: "OutputInvalid", message: `${task.type} gave no well-formed verdict`, settled: true })
  }
  const refused = gate?.verdict === "FAILED"
  const output = yield* redacted(refused ? withoutClaims(encoded.value, prepared.output) : encoded.value)
  const stored = yield* storeOutput(output, large)
  const facts =
    Object.keys(ended.facts).length === 0
      ? {}
      : { facts: (yield* redacted(ended.facts)).value as Record<string, unknown> }
  const receipts = gate === undefined ? undefined : [yield* judge(run, recorder, started, gate)]
  if (gate !== undefined && refused) {
    const message = `The gate says FAILED: ${gate.reasons.join("; ")}`
    return yield* fail({ tag: gateFailed, message, settled: true }, { ...stored, ...facts, receipts })
  }
  const appended = recorder.record(
    {
      type: "dev.dandori.attempt.succeeded.v1",
      data: {
        task: task.id,
        attempt,
        ...stored,
        millis: ended.millis,
        ...(ended.cacheKey === undefined ? {} : { cacheKey: ended.cacheKey }),
        ...(ended.probed ? { probed: true } : {}),
        ...(receipts === undefined ? {} : { receipts }),
        ...facts,
      },
    },
    task.id,
  )
  if (ended.cacheKey === undefined) return
  const index = yield* CacheIndex
  yield* index.put(ended.cacheKey, { run: run.id, task: task.id, entry: appended.hash })
})

const useCached = Effect.fnUntraced(function* (
  recorder: Recorder,
  started: AttemptRun.Started,
  hit: Cache.Hit,
  large: Map<string, unknown>,
) {
  const { task, attempt } = started
  const stored = yield* storeOutput(yield* redacted(hit.output), large)
  recorder.record(
    {
      type: "dev.dandori.attempt.succeeded.v1",
      data: {
        task: task.id,
        attempt,
        ...stored,
        cached: { run: hit.run, task: hit.task, entry: hit.entry },
        ...(hit.receipts.length === 0 ? {} : { receipts: hit.receipts }),
      },
    },
    task.id,
  )
})

const failed = Effect.fnUntraced(function* (
  recorder: Recorder,
  { task, attempt }: AttemptRun.Started,
  error: ErrorData,
  facts: object = {},
) {
  const safe = (yield* redacted({ error, ...facts })).value as { readonly error: ErrorData }
  recorder.record({ type: "dev.dandori.attempt.failed.v1", data: { task: task.id, attempt, ...safe } }, task.id)
})

const unknown = Effect.fnUntraced(function* (recorder: Recorder, { task, attempt }: AttemptRun.Started, why: string) {
  const reason = (yield* Secrets).redact(why)
  recorder.record({ type: "dev.dandori.attempt.unknown.v1", data: { task: task.id, attempt, reason } }, task.id)
})

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
const settle = Effect.fnUntraced(function* (
  run: RunContext,
  recorder: Recorder,
  started: AttemptRun.Started,
  large: Map<string, unknown>,
  ended: AttemptRun.Ended,
  millis: number,
  cacheKey?: Sha256,
) {
  const { task, attempt } = started
  const { result } = ended
  const facts = OutputLimit.factsWithin(ended.facts)
  switch (result._tag) {
    case "Output":
      return yield* succeed(run, recorder, started, large, {
        output: result.output,
        probed: result.probed,
        facts,
        millis,
        ...(cacheKey === undefined ? {} : { cacheKey }),
      })
    case "Error": {
      const noted = Object.keys(facts).length === 0 ? {} : { facts }
      return yield* failed(recorder, started, result.error, { millis, ...noted })
    }
    case "TimedOut": {
      const timeoutMillis = task.timeout ?? 0
      return void recorder.record(
        { type: "dev.dandori.attempt.timed_out.v1", data: { task: task.id, attempt, timeoutMillis } },
        task.id,
      )
    }
    case "Silent":
      return lose(recorder, started, result.reason)
    case "Interrupted":
      return stopped(recorder, started)
    case "Unknown":
      return yield* unknown(recorder, started, result.reason)
  }
})

/**
 * Nothing that goes wrong around an attempt escapes it, but the loss of the ledger. What goes wrong after a `once` task
 * has begun says nothing of its effect.
 */
const guard = (recorder: Recorder, started: AttemptRun.Started, begun: () => boolean) =>
  Effect.catchCause((cause: Cause.Cause<unknown>) => {
    const failure = Option.getOrUndefined(Cause.findErrorOption(cause))
    if (failure instanceof Errors.LedgerLost) {
      return Effect.fail(begun() ? failure : new Errors.LedgerLost({ ...failure, unbegun: true }))
    }
    const error = Errors.ofCause(cause)
    if (taskAt(recorder.state(), started.index).status !== "running") return Effect.void
    if (Cause.hasInterruptsOnly(cause)) return Effect.sync(() => stopped(recorder, started))
    return begun() && !repeatable(started)
      ? unknown(recorder, started, `its result could not be kept: ${error.message}`)
      : failed(recorder, started, error)
  })

const repeatable = ({ task }: AttemptRun.Started) => task.effects === "pure" || task.effects === "idempotent"

/**
 * Carries out an attempt whose intent was appended: cache, flush of the intent, run, result. Whatever happens, exactly
 * one terminal event is appended, unless the process is being shut down, when the attempt is left to a resume.
 */
export const carryOut = Effect.fnUntraced(function* (
  run: RunContext,
  recorder: Recorder,
  started: AttemptRun.Started,
  large: Map<string, unknown>,
): Effect.fn.Return<void, Errors.LedgerLost, Requirements> {
  const { task } = started
  const took = yield* stopwatch
  let begun = false
  const recalled = Effect.gen(function* () {
    const key = yield* Cache.keyOf(task, started.prepared, started.input)
    return { key, hit: yield* Cache.lookup(key, task, started.prepared) }
  })
  yield* Effect.uninterruptibleMask((restore) =>
    Effect.gen(function* () {
      const cache = task.cache === true ? yield* restore(recalled) : undefined
      if (cache !== undefined && Option.isSome(cache.hit)) {
        return yield* useCached(recorder, started, cache.hit.value, large)
      }
      if (task.effects !== "pure") {
        yield* restore(recorder.writer.durable.pipe(Effect.mapError(lost(run)), Effect.andThen(run.opened)))
      }
      begun = true
      const ended = yield* AttemptRun.run(run, started, () => isCancelled(recorder, started))
      const millis = took()
      yield* settle(run, recorder, started, large, ended, millis, cache?.key)
    }).pipe(guard(recorder, started, () => begun)),
  )
})

/**
 * Closes an attempt whose process died between intent and result. Pure and idempotent ones are lost and run again; the
 * others ask their probe, and are unknown where there is none.
 */
export const recover = Effect.fnUntraced(function* (
  run: RunContext,
  recorder: Recorder,
  started: AttemptRun.Started,
  large: Map<string, unknown>,
): Effect.fn.Return<void, Errors.LedgerLost, Requirements> {
  if (repeatable(started)) return lose(recorder, started, "its process ended before its result")
  const took = yield* stopwatch
  const work = Effect.gen(function* () {
    const result = yield* AttemptRun.afterCrash(run, started)
    if (result._tag === "Interrupted") {
      return lose(recorder, started, "its process ended; the probe says that nothing had happened")
    }
    const millis = took()
    yield* settle(run, recorder, started, large, { result, facts: {} }, millis)
  })
  yield* Effect.uninterruptible(work.pipe(guard(recorder, started, () => true)))
})
