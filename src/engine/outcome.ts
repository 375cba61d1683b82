import * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import type { Sha256 } from "../domain/sha256.ts"
import type { Ledger } from "../ledger/ledger.ts"
import type { LedgerKey } from "../ledger/keys.ts"
import type { AttemptFiles } from "../services/attempt-files.ts"
import type { CacheIndex } from "../services/cache-index.ts"
import type { Cordons } from "../services/cordons.ts"
import type { Inbox } from "../services/inbox.ts"
import * as AttemptRun from "./attempt-run.ts"
import type * as AttemptServices from "./attempt-services.ts"
import * as Cache from "./cache.ts"
import * as Errors from "./errors.ts"
import type { RunContext } from "./run-context.ts"
import * as Failure from "./failure.ts"
import * as OutputLimit from "./output-limit.ts"
import type { Recorder } from "./recorder.ts"
import { isStopping, taskAt } from "./run-state.ts"
import * as Success from "./success.ts"
import type { TaskServices } from "./task-services.ts"

/** Services that carrying out an attempt needs, besides those of the task types. */
export type Requirements = TaskServices | AttemptFiles | CacheIndex | Cordons | Inbox | Ledger | LedgerKey

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
  shared: AttemptServices.Shared,
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
      return Success.succeed(shared, run, recorder, started, large, { output, probed, facts, millis, cacheKey })
    }
    case "Error": {
      const noted = Object.keys(facts).length === 0 ? {} : { facts }
      return Failure.failed(shared, recorder, started, result.error, { millis, ...noted })
    }
    case "TimedOut": {
      const data = { task: task.id, attempt, timeoutMillis: task.timeout ?? 0 }
      recorder.record({ type: "dev.dandori.attempt.timed_out.v1", data }, task.id)
      return Effect.void
    }
    case "Silent":
      return Effect.sync(() => Failure.lose(recorder, started, result.reason))
    case "Interrupted":
      return Effect.sync(() => stopped(recorder, started))
    case "Unknown":
      return Effect.sync(() => Failure.unknown(shared, recorder, started, result.reason))
  }
}

/**
 * Nothing that goes wrong around an attempt escapes it, but the loss of the ledger. What goes wrong after a `once` task
 * has begun says nothing of its effect.
 */
const guard = (shared: AttemptServices.Shared, recorder: Recorder, started: AttemptRun.Started, begun: () => boolean) =>
  Effect.catchCause((cause: Cause.Cause<unknown>) => {
    const failure = Option.getOrUndefined(Cause.findErrorOption(cause))
    if (failure instanceof Errors.LedgerLost) {
      return Effect.fail(begun() ? failure : new Errors.LedgerLost({ ...failure, unbegun: true }))
    }
    const error = Errors.ofCause(cause)
    if (taskAt(recorder.state(), started.index).status !== "running") return Effect.void
    if (Cause.hasInterruptsOnly(cause)) return Effect.sync(() => stopped(recorder, started))
    if (!begun() || repeatable(started)) return Failure.failed(shared, recorder, started, error)
    return Effect.sync(() =>
      Failure.unknown(shared, recorder, started, `its result could not be kept: ${error.message}`),
    )
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
  shared: AttemptServices.Shared,
  run: RunContext,
  recorder: Recorder,
  started: AttemptRun.Started,
  large: Map<string, unknown>,
): Effect.Effect<void, Errors.LedgerLost, Requirements> => {
  const { task } = started
  const since = shared.millis()
  let begun = false
  const perform = (cacheKey?: Sha256) => {
    const why = started.lease.lost()
    if (why !== undefined) {
      return Effect.sync(() => Failure.lose(recorder, started, `it held its leases no more before it began: ${why}`))
    }
    begun = true
    const ran = AttemptRun.run(shared, run, started, () => isCancelled(recorder, started))
    return Effect.flatMap(ran, (ended) => {
      const millis = Math.round(shared.millis() - since)
      return settle(shared, run, recorder, started, large, ended, millis, cacheKey)
    })
  }
  return Effect.uninterruptibleMask((restore) => {
    const intentDurable = restore(
      Effect.andThen(Effect.mapError(recorder.writer.durable, Errors.ledgerLost(run.id)), run.opened),
    )
    const performed = (cacheKey?: Sha256) =>
      task.effects === "pure"
        ? Effect.suspend(() => perform(cacheKey))
        : Effect.flatMap(intentDurable, () => perform(cacheKey))
    const work =
      task.cache === true
        ? Effect.flatMap(restore(recall(started)), ({ hit, key }) =>
            Option.isSome(hit) ? Success.useCached(shared, recorder, started, hit.value, large) : performed(key),
          )
        : performed()
    return guard(shared, recorder, started, () => begun)(work)
  })
}

/**
 * Closes an attempt whose process died between intent and result. Pure and idempotent ones are lost and run again; the
 * others ask their probe, and are unknown where there is none. `orderly`: the process let go of the run.
 */
export const recover = (
  shared: AttemptServices.Shared,
  run: RunContext,
  recorder: Recorder,
  started: AttemptRun.Started,
  large: Map<string, unknown>,
  orderly: boolean,
): Effect.Effect<void, Errors.LedgerLost, Requirements> => {
  const how = orderly ? "its process let go of the run" : "its process ended"
  if (repeatable(started))
    return Effect.sync(() => Failure.lose(recorder, started, `${how} before its result`, orderly))
  const since = shared.millis()
  const work = Effect.flatMap(AttemptRun.afterCrash(shared, run, started), (result) => {
    if (result._tag === "Interrupted") {
      return Effect.sync(() =>
        Failure.lose(recorder, started, `${how}; the probe says that nothing had happened`, orderly),
      )
    }
    const millis = Math.round(shared.millis() - since)
    return settle(shared, run, recorder, started, large, { result, facts: {} }, millis)
  })
  return Effect.uninterruptible(guard(shared, recorder, started, () => true)(work))
}
