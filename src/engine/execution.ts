import * as Cause from "effect/Cause"
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as Option from "effect/Option"
import * as Scope from "effect/Scope"
import * as Latch from "effect/Latch"
import type { Sha256 } from "../domain/sha256.ts"
import type * as StreamWriter from "../ledger/stream-writer.ts"
import { type Lease, lasting } from "../services/leases.ts"
import { Observer } from "../services/observer.ts"
import * as Asking from "./asking.ts"
import * as AttemptRun from "./attempt-run.ts"
import * as AttemptServices from "./attempt-services.ts"
import * as Claims from "./claims.ts"
import * as CompiledPlan from "./compiled-plan.ts"
import { type Command, decide } from "./decide.ts"
import { Drain } from "./drain.ts"
import * as Errors from "./errors.ts"
import * as Failure from "./failure.ts"
import * as Held from "./held.ts"
import * as Holding from "./holding.ts"
import * as Inputs from "./inputs.ts"
import * as KeptValue from "./kept-value.ts"
import * as LedgerNews from "./ledger-news.ts"
import * as Outcome from "./outcome.ts"
import type { Prepared } from "./prepared.ts"
import * as Takeover from "./takeover.ts"
import * as Turn from "./turn.ts"
import * as Recorder from "./recorder.ts"
import * as Requests from "./requests.ts"
import * as Room from "./room.ts"
import { type RunState, handledBy, isLeftUnknown, isTimed, runStatus, taskAt } from "./run-state.ts"
import type { RunContext } from "./run-context.ts"
import * as Suspension from "./suspension.ts"
import * as Transitions from "./transitions.ts"

/** How people steer a run that is going on: a request to cancel. */
export interface Control {
  /** Called with a function that asks the run to be cancelled; returns how to stop listening. */
  readonly onCancel: (cancel: (reason: string) => void) => () => void
}

/** Everything an execution needs besides services. */
export interface Options<E = never> {
  readonly prepared: Prepared
  readonly context: RunContext
  readonly writer: StreamWriter.StreamWriter
  readonly state: RunState
  /** Succeeds once the run's first event is durable; nothing is done or appended before. */
  readonly begun?: Effect.Effect<void, E>
  /** Outputs that are too large for an event, by artifact digest, as far as they are already loaded. */
  readonly largeOutputs: Map<string, unknown>
  readonly control?: Control
  /** Whether to stay while only people are awaited. */
  readonly wait?: boolean
  /** Its place in its concurrency group, where it has it already. */
  readonly turn?: Lease
  /** Attempts that a dead process left open; `orderly`: it had let go of the run. */
  readonly lost?: ReadonlyArray<{
    readonly task: string
    readonly attempt: number
    readonly intent: Sha256
    readonly orderly: boolean
  }>
}

/** Wall time that a stepped clock cannot bend: the time at the start plus what has really passed. */
const steadyClock = Effect.map(Clock.clockWith(Effect.succeed), (clock) => {
  const wall = clock.currentTimeMillisUnsafe()
  const start = clock.monotonicTimeNanosUnsafe()
  return () => wall + Number(clock.monotonicTimeNanosUnsafe() - start) / 1e6
})

/** What a cordon keeps from happening. */
const startsWork = (command: Command): boolean => command._tag === "Start" || command._tag === "Open"

/**
 * Drives a run until it has ended, or until only people are awaited: asks the core what to do, does it, and appends
 * what came of it. Interruption leaves the run to be resumed; a cancel ends it.
 *
 *   decide ──commands──> attempts, skips, timers
 *      ^                        │
 *      └────── evolve <──events─┘
 */
export const execute = Effect.fnUntraced(function* <E = never>(options: Options<E>) {
  const { prepared, context, writer } = options
  const scope = yield* Effect.scope
  const now = yield* steadyClock
  const observer = yield* Observer
  const latch = Latch.makeUnsafe(false)
  const recorder = Recorder.make(context.id, options.state, writer, observer, () => latch.openUnsafe())
  LedgerNews.record(recorder)
  const inputs = Inputs.make(prepared, { ...context, created: new Date(context.created).toISOString() }, (sha256) =>
    options.largeOutputs.get(sha256),
  )
  const ask = Asking.make({ prepared, inputs, recorder, large: options.largeOutputs, now })
  const shared = yield* AttemptServices.shared
  const { secrets } = shared
  const drain = yield* Drain
  const isHeld = yield* Held.make(Held.starterOf(context), recorder, () => latch.openUnsafe())
  const fibers = new Map<number, { readonly attempt: number; readonly fiber: Fiber.Fiber<unknown, unknown> }>()
  let broken: Cause.Cause<Errors.LedgerLost | Turn.TurnLost> | undefined
  let place = options.turn ?? lasting
  let wake = Infinity
  /** Attempts that go on, also those that are told to end. */
  let alive = 0

  /** Ends the run with what broke in a fiber of it: nobody else sees that, and others would wait for the fiber for ever. */
  const collapse = (cause: Cause.Cause<Errors.LedgerLost>) =>
    Effect.sync(() => {
      if (Cause.hasInterruptsOnly(cause)) return
      broken ??= cause
      latch.openUnsafe()
    })
  const inBackground = <R>(effect: Effect.Effect<void, never, R>) =>
    Effect.asVoid(Effect.forkIn(Effect.onError(effect, collapse), scope))
  const claims = yield* Claims.make(context.id, () => place, scope, collapse)

  const stop = (error: Errors.LedgerLost, unbegun?: AttemptRun.Started) =>
    Effect.sync(() => {
      // Before anything is recorded: whoever is woken by that must not start another attempt.
      broken ??= Cause.fail(error)
      if (unbegun !== undefined) Failure.lose(recorder, unbegun, "the ledger was lost before it began")
      latch.openUnsafe()
    })

  const start = (index: number, attempt: number): Effect.Effect<void, never, Outcome.Requirements> => {
    if (claims.isWaiting(index)) return Effect.void
    const state = recorder.state()
    const task = CompiledPlan.taskOfNode(prepared.plan, index)
    const type = prepared.types.get(task.type)
    if (type === undefined) return Effect.void
    const condition = attempt > 1 || inputs.condition(state, index)
    if (condition === false) {
      recorder.record(
        { type: "dev.dandori.task.skipped.v1", data: { task: task.id, reason: `if: ${task.if} is false` } },
        task.id,
      )
      return Effect.void
    }
    const fail = ({ message, ...rest }: ReturnType<typeof Errors.ofError>) => {
      const error = { ...rest, message: secrets.redact(message) }
      recorder.record({ type: "dev.dandori.attempt.failed.v1", data: { task: task.id, attempt, error } }, task.id)
      return Effect.void
    }
    if (typeof condition === "object") return fail(condition)
    const input = inputs.input(state, index)
    if ("tag" in input) return fail(input)
    const { approval } = taskAt(state, index)
    if (approval !== undefined && approval.input !== Asking.inputDigest(input.value)) {
      return ask({ _tag: "RequestApproval", task: index })
    }
    const decoded = type.decodeInput(input.value)
    if (Exit.isFailure(decoded)) return fail(Errors.decodeFailure("InputInvalid", `The input of ${task.id}`, decoded))
    const text = JSON.stringify(input.value)
    const shown = text.length <= KeptValue.largestValue ? { input: secrets.redactValue(input.value) } : {}
    const attempted = (lease: Lease) => {
      let begun: AttemptRun.Started | undefined
      const work = Effect.withFiber<void, Errors.LedgerLost, Outcome.Requirements>((fiber) => {
        claims.settle(index)
        if (drain.isOpen() || !holds(index) || !admits(index)) return Effect.void
        const intent = recorder.record(
          { type: "dev.dandori.attempt.started.v1", data: { attempt, ...shown, task: task.id } },
          task.id,
        )
        begun = {
          index,
          task,
          prepared: type,
          attempt,
          decoded: decoded.value,
          input: input.value,
          intent: intent.hash,
          approvedBy: approval?.granted ?? [],
          handles: handledBy(state, index),
          lease,
        }
        fibers.set(index, { attempt, fiber })
        alive++
        return Outcome.carryOut(shared, context, recorder, begun, options.largeOutputs)
      })
      return Effect.onExit(work, (exit) => {
        if (fibers.get(index)?.attempt === attempt) fibers.delete(index)
        if (begun !== undefined) alive--
        if (drain.isOpen()) latch.openUnsafe()
        if (Exit.isSuccess(exit)) return Effect.void
        const error = Option.getOrUndefined(Cause.findErrorOption(exit.cause))
        return error === undefined ? Effect.void : stop(error, error.unbegun === true ? begun : undefined)
      })
    }
    const claim = { index, task, attempt, capacity: state.capacity }
    const refused = (error: Parameters<typeof Errors.ofError>[0]) =>
      Effect.suspend(() => {
        claims.settle(index)
        return holds(index) ? fail(Errors.ofError(error)) : Effect.void
      })
    return claims.start(claim, attempted, refused, isHeld)
  }

  /** Whether the run itself still has room for the task: others may have started while it waited for its lease. */
  const admits = (index: number) => {
    const state = recorder.state()
    return Holding.lacking(state.held, state.capacity, Transitions.resourcesOf(state, index)) === undefined
  }

  /** Whether the task still stands where the command found it: a cancel may have come since. */
  const holds = (index: number) => {
    const { status } = taskAt(recorder.state(), index)
    return status === "ready" || status === "retrying" || status === "waiting"
  }
  const isLeftOut = (id: string) => context.only !== undefined && !Takeover.within(context.only, id)
  const idAt = (index: number) => CompiledPlan.taskOfNode(prepared.plan, index).id

  const timeOut = (index: number) => {
    if (!isTimed(recorder.state(), index)) return
    const { id, pipeline } = prepared.plan.tasks[index]
    const data = { task: id, timeoutMillis: pipeline?.timeout ?? 0 }
    recorder.record({ type: "dev.dandori.pipeline.timed_out.v1", data }, id)
  }

  const carryOut = (command: Command): Effect.Effect<void, never, Outcome.Requirements> => {
    if (command._tag === "TimeOut") return Effect.sync(() => timeOut(command.task))
    if ("task" in command && command._tag !== "Interrupt" && !holds(command.task)) return Effect.void
    if ((command._tag === "Start" || Asking.isQuestion(command)) && isLeftOut(idAt(command.task))) {
      const id = idAt(command.task)
      const reason = "it is not what was asked for by --only"
      recorder.record({ type: "dev.dandori.task.skipped.v1", data: { task: id, reason } }, id)
      return Effect.void
    }
    if (Asking.isQuestion(command)) return ask(command)
    switch (command._tag) {
      case "Start":
        return start(command.task, command.attempt)
      case "Skip": {
        const id = idAt(command.task)
        recorder.record({ type: "dev.dandori.task.skipped.v1", data: { task: id, reason: command.reason } }, id)
        return Effect.void
      }
      case "ScheduleRetry": {
        const id = idAt(command.task)
        const { attempt, delayMillis } = command
        recorder.record(
          {
            type: "dev.dandori.retry.scheduled.v1",
            data: { task: id, attempt, delayMillis, due: Math.round(now() + delayMillis) },
          },
          id,
        )
        return Effect.void
      }
      case "Interrupt": {
        const running = fibers.get(command.task)
        if (running === undefined) return Effect.void
        fibers.delete(command.task)
        return Effect.asVoid(Effect.forkIn(Fiber.interrupt(running.fiber), scope))
      }
      case "WakeAt": {
        if (command.time >= wake) return Effect.void
        wake = command.time
        return Effect.sleep(Math.max(0, command.time - now())).pipe(
          Effect.map(() => {
            wake = Infinity
            latch.openUnsafe()
          }),
          inBackground,
        )
      }
      case "Finish":
        recorder.record({
          type: "dev.dandori.run.finished.v1",
          data: { status: command.status, durationMillis: Math.max(0, Math.round(now() - context.created)) },
        })
        return Effect.void
    }
  }

  yield* options.begun ?? Effect.void
  for (const { task: id, attempt, intent, orderly } of options.lost ?? []) {
    const index = CompiledPlan.indexOfId(prepared.plan, id)
    if (index === -1) continue
    const task = CompiledPlan.taskOfNode(prepared.plan, index)
    const type = prepared.types.get(task.type)
    if (type === undefined) continue
    const input = inputs.input(recorder.state(), index)
    const value = "tag" in input ? {} : input.value
    const decoded = type.decodeInput(value)
    const started: AttemptRun.Started = {
      index,
      task,
      prepared: type,
      attempt,
      decoded: Exit.isSuccess(decoded) ? decoded.value : value,
      input: value,
      intent,
      approvedBy: taskAt(recorder.state(), index).approval?.granted ?? [],
      handles: handledBy(recorder.state(), index),
      lease: lasting,
    }
    yield* Outcome.recover(shared, context, recorder, started, options.largeOutputs, orderly)
  }
  if (options.control !== undefined) {
    const stop = options.control.onCancel((reason) => {
      if (recorder.state().phase !== "ended") {
        recorder.record({ type: "dev.dandori.cancel.requested.v1", data: { reason } })
      }
    })
    yield* Effect.addFinalizer(() => Effect.sync(stop))
  }
  const { timeout } = prepared.plan.plan
  if (timeout !== undefined) {
    yield* Effect.sleep(Math.min(timeout, Math.max(0, context.created + timeout - now()))).pipe(
      Effect.map(() => {
        if (recorder.state().phase !== "tasks") return
        const reason = `the pipeline's timeout of ${timeout} ms is over`
        recorder.record({ type: "dev.dandori.cancel.requested.v1", data: { reason, timeout: true } })
      }),
      inBackground,
    )
  }

  const ledgerLost = Errors.ledgerLost(context.id)
  yield* writer.broken.pipe(
    Effect.flatMap((error) => stop(ledgerLost(error))),
    inBackground,
  )
  yield* inBackground(Requests.serve(context, prepared, recorder, options.largeOutputs, now))

  const { concurrency } = prepared.plan.plan
  /** Stops the run where it has lost its place in its group. */
  const lookAtPlace = () => {
    const reason = place.lost()
    if (concurrency === undefined || reason === undefined) return
    broken ??= Cause.fail(new Turn.TurnLost({ run: context.id, group: concurrency.group, reason }))
    latch.openUnsafe()
  }

  /** Comes when the run is told to cancel, or broken. */
  const cancelled = Effect.gen(function* () {
    while (recorder.state().cancelling === undefined && broken === undefined) {
      latch.closeUnsafe()
      yield* latch.await
    }
  })
  /** Comes when the run has to go on whether there is room or not. */
  const mustGoOn = Effect.raceFirst(cancelled, drain.await)
  const isIdle = () => alive === 0 && !claims.isAnyWaiting()
  const drive = Effect.gen(function* () {
    while (true) {
      latch.closeUnsafe()
      lookAtPlace()
      if (broken !== undefined) return yield* Effect.failCause(broken)
      const state = recorder.state()
      const commands = decide(state, now())
      const held = drain.isOpen() || (commands.some(startsWork) && (yield* isHeld))
      for (const command of commands) if (!held || !startsWork(command)) yield* carryOut(command)
      yield* claims.dropUnless(holds)
      const status = runStatus(recorder.state())
      if (recorder.state().phase === "ended" && status !== "running" && status !== "cancelling") return
      if (drain.isOpen() && alive === 0) return
      if (status === "waiting" && (options.wait !== true || isLeftUnknown(recorder.state()))) return
      yield* Room.wait(latch.await, isIdle, mustGoOn)
    }
  })
  /** Waits for the run's turn in its concurrency group; a cancel ends the waiting, and so does what breaks the run. */
  const turn = Effect.gen(function* () {
    if (concurrency === undefined || options.turn !== undefined) return
    const { group } = concurrency
    const queue = (behind: ReadonlyArray<string>) =>
      void recorder.record({ type: "dev.dandori.run.queued.v1", data: { group, behind } })
    const taken = Turn.take(context.id, concurrency, recorder.state().capacity, queue).pipe(
      Effect.provideService(Scope.Scope, scope),
    )
    const taking = yield* Effect.raceFirst(taken, mustGoOn)
    if (taking === undefined && drain.isOpen()) return
    place = taking ?? lasting
    yield* Room.enter(mustGoOn)
    if (recorder.state().queued && broken === undefined)
      recorder.record({ type: "dev.dandori.run.admitted.v1", data: { group } })
  })

  const watchPlace = Effect.suspend(() =>
    place === lasting ? Effect.void : inBackground(Effect.map(place.loss, lookAtPlace)),
  )

  yield* inBackground(Effect.map(drain.await, () => latch.openUnsafe()))
  // All attempts that still run are stopped together: the scope would stop one after the other.
  yield* Effect.onExit(Effect.andThen(Effect.andThen(turn, watchPlace), drive), (exit) =>
    Effect.andThen(
      Fiber.interruptAll([...fibers.values()].map(({ fiber }) => fiber)),
      Exit.hasInterrupts(exit) && broken === undefined ? Suspension.record(recorder) : Effect.void,
    ),
  )
  yield* Effect.mapError(writer.durable, ledgerLost)
  return recorder.state()
}, Effect.scoped)
