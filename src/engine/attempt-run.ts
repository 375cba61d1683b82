import * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as Latch from "effect/Latch"
import * as Option from "effect/Option"
import * as Schedule from "effect/Schedule"
import type { FinalRunStatus } from "../domain/final-run-status.ts"
import type { PlanTask } from "../domain/plan.ts"
import { formatDuration } from "../domain/quantity.ts"
import type { Sha256 } from "../domain/sha256.ts"
import type { Attempt } from "../services/attempt.ts"
import { type Lease, lasting } from "../services/leases.ts"
import { Hurry } from "../services/process-groups.ts"
import type { Progress } from "../services/progress.ts"
import * as AttemptServices from "./attempt-services.ts"
import * as Errors from "./errors.ts"
import type { RunContext } from "./run-context.ts"
import * as Heartbeat from "./heartbeat.ts"
import type { PreparedType } from "./prepared.ts"
import type { TaskServices } from "./task-services.ts"

/** One attempt that has its intent in the ledger. */
export interface Started {
  readonly index: number
  readonly task: PlanTask
  readonly prepared: PreparedType
  readonly attempt: number
  /** The decoded input, and its encoded form. */
  readonly decoded: unknown
  readonly input: Record<string, unknown>
  readonly intent: Sha256
  /** Who agreed to the task, where approval was asked for. */
  readonly approvedBy: ReadonlyArray<string>
  /** In a handler: what it handles. */
  readonly handles: FinalRunStatus | undefined
  /** What it holds; when that is lost, it is stopped, and what it gives afterwards counts no more. */
  readonly lease: Lease
}

/** How the task's Effect ended. */
export type Result =
  | { readonly _tag: "Output"; readonly output: unknown; readonly probed: boolean }
  | { readonly _tag: "Error"; readonly error: ReturnType<typeof Errors.ofError> }
  | { readonly _tag: "TimedOut" }
  | { readonly _tag: "Silent"; readonly reason: string }
  | { readonly _tag: "Interrupted" }
  | { readonly _tag: "Unknown"; readonly reason: string }

/** A result and what the attempt noted beside it. */
export interface Ended {
  readonly result: Result
  readonly facts: Readonly<Record<string, unknown>>
}

/** Whether an error leaves open what happened to the world: then the probe is asked. */
const leavesOpen = (task: PlanTask, result: Result): boolean => {
  if (task.effects === "pure" || task.effects === "idempotent") return false
  if (result._tag === "Error") return result.error.notApplied !== true && result.error.settled !== true
  return result._tag === "TimedOut" || result._tag === "Silent" || result._tag === "Interrupted"
}

/** `stopped`: whether this fiber was interrupted; a task that interrupted itself has failed. */
const fromFailure = (cause: Cause.Cause<unknown>, stopped: boolean): Result => {
  if (stopped && Cause.hasInterrupts(cause)) return { _tag: "Interrupted" }
  if (!Cause.hasInterruptsOnly(cause)) return { _tag: "Error", error: Errors.ofCause(cause) }
  return {
    _tag: "Error",
    error: { tag: "Interrupted", message: "The task interrupted itself; nobody had cancelled it" },
  }
}

/** Whether somebody interrupted this fiber. */
const wasStopped = Effect.map(Effect.exit(Effect.interruptible(Effect.void)), Exit.isFailure)

const whyOpen = (result: Result): string => {
  if (result._tag === "Error") return result.error.message
  if (result._tag === "Silent") return result.reason
  return result._tag === "TimedOut" ? "it timed out" : "it was stopped"
}

/** How long a probe may think, all its tries together, before its task is `unknown`. */
const probeLimitMillis = 30_000

/** A probe that fails for a passing reason, like a server that is starting, is asked again. */
const probeAgain = Schedule.jittered(Schedule.min([Schedule.exponential(100), Schedule.spaced(2_000)]))

/**
 * Asks the probe of a `once` task what happened. Some output: it happened. None: nothing did, so the given result
 * stands and a new attempt may be made. No probe, or one that fails: unknown.
 */
const consult = Effect.fnUntraced(function* (
  started: Started,
  result: Result,
): Effect.fn.Return<Result, never, TaskServices | Attempt | Progress> {
  const { probe } = started.prepared.type
  const why = whyOpen(result)
  if (probe === undefined) {
    return { _tag: "Unknown", reason: `${why}; ${started.task.type} has no probe that could say what happened` }
  }
  const asked = Effect.retry(
    Effect.scoped(probe(started.decoded) as Effect.Effect<Option.Option<unknown>, unknown, TaskServices>),
    { schedule: probeAgain, while: (error) => Errors.ofError(error).transient === true },
  )
  const exit = yield* Effect.exit(Effect.timeoutOption(asked, probeLimitMillis))
  if (Exit.isFailure(exit)) {
    return { _tag: "Unknown", reason: `${why}; the probe failed too: ${Errors.ofCause(exit.cause).message}` }
  }
  if (Option.isNone(exit.value)) {
    return { _tag: "Unknown", reason: `${why}; the probe gave no answer within ${probeLimitMillis / 1_000} s` }
  }
  const answer = exit.value.value
  if (Option.isSome(answer)) return { _tag: "Output", output: answer.value, probed: true }
  return result._tag === "Error" ? { _tag: "Error", error: { ...result.error, notApplied: true } } : result
})

const withoutLease = (why: string): Result => ({ _tag: "Silent", reason: `it held its leases no more: ${why}` })

/** Stops work whose time is over, that gives no sign of life any more, or that has lost what it holds. */
const bounded = <E, R>(
  work: Effect.Effect<Result, E, R>,
  { lease, task: { timeout } }: Started,
  silent: Effect.Effect<Result> | undefined,
): Effect.Effect<Result, E, R> => {
  const over: Result = { _tag: "TimedOut" }
  const timed = timeout === undefined ? work : Effect.raceFirst(work, Effect.as(Effect.sleep(timeout), over))
  const heard = silent === undefined ? timed : Effect.raceFirst(timed, silent)
  if (lease === lasting) return heard
  const held = Effect.map(heard, (result) => {
    const why = lease.lost()
    return why === undefined ? result : withoutLease(why)
  })
  return Effect.raceFirst(held, Effect.map(lease.loss, withoutLease))
}

/** Ends every grace of an attempt's child processes when another may hold what it holds. */
const hurried = <A, R>(lease: Lease, attempt: Effect.Effect<A, never, R>): Effect.Effect<A, never, R> =>
  lease === lasting
    ? attempt
    : Effect.gen(function* () {
        const common = yield* Hurry
        const own = Latch.makeUnsafe(common.isOpen())
        const either = Effect.andThen(Effect.raceFirst(common.await, lease.over), own.open)
        const fiber = yield* Effect.forkChild(Effect.interruptible(either))
        return yield* Effect.ensuring(Effect.provideService(attempt, Hurry, own), Fiber.interrupt(fiber))
      })

/** The heartbeat of a task that has one, and what its silence amounts to. */
const heartbeatOf = ({ heartbeat }: PlanTask) => {
  if (heartbeat === undefined) return undefined
  const { beat, silence } = Heartbeat.make(heartbeat)
  const reason = `it gave no sign of life for ${formatDuration(heartbeat)} (heartbeat)`
  return { beat, silent: Effect.as(silence, { _tag: "Silent", reason } satisfies Result) }
}

const output = (value: unknown): Result => ({ _tag: "Output", output: value, probed: false })

/**
 * Runs the task's Effect with its timeout and heartbeat; interruption and its finalizers are part of it. Never fails, and answers
 * after an interruption too: the caller must be uninterruptible.
 */
export const run = (
  shared: AttemptServices.Shared,
  context: RunContext,
  started: Started,
  cancelled: () => boolean,
): Effect.Effect<Ended, never, TaskServices> => {
  const facts: Record<string, unknown> = {}
  const { task, prepared } = started
  const heart = heartbeatOf(task)
  const withServices = AttemptServices.around(shared, context, started, facts, heart?.beat)
  const work = Effect.suspend(() => prepared.type.run(started.decoded) as Effect.Effect<unknown, unknown, TaskServices>)
  const limited = bounded(Effect.map(Effect.scoped(work), output), started, heart?.silent)
  const ended = (result: Result): Ended => ({ result, facts })
  const afterwards = (exit: Exit.Failure<Result, unknown>) =>
    Effect.gen(function* () {
      const first = fromFailure(exit.cause, yield* wasStopped)
      // A shutdown asks nothing: the resume will.
      if (first._tag === "Interrupted" && !cancelled()) return ended(first)
      return ended(leavesOpen(task, first) ? yield* consult(started, first) : first)
    })
  const attempted = withServices(
    Effect.flatMap(Effect.exit(Effect.interruptible(limited)), (exit) => {
      if (Exit.isFailure(exit)) return afterwards(exit)
      const result = exit.value
      return leavesOpen(task, result) ? Effect.map(consult(started, result), ended) : Effect.succeed(ended(result))
    }),
  )
  return hurried(started.lease, attempted)
}

/** What became of an attempt whose process died: the same question, asked at resume. */
export const afterCrash = (
  shared: AttemptServices.Shared,
  context: RunContext,
  started: Started,
): Effect.Effect<Result, never, TaskServices> =>
  AttemptServices.around(shared, context, started, {})(consult(started, { _tag: "Interrupted" }))
