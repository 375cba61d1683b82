import * as Clock from "effect/Clock"
import * as Context from "effect/Context"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Exit from "effect/Exit"
import * as Latch from "effect/Latch"
import * as RcMap from "effect/RcMap"
import * as Schema from "effect/Schema"
import * as Scope from "effect/Scope"
import * as Semaphore from "effect/Semaphore"
import type { Actor } from "../domain/actor.ts"
import * as Durability from "../domain/durability.ts"
import type { EventData } from "../domain/event.ts"
import { parseDuration } from "../domain/quantity.ts"
import { FinalRunStatus } from "../domain/final-run-status.ts"
import type { Request } from "../domain/request.ts"
import type { Trigger } from "../domain/trigger.ts"
import type { Plan } from "../domain/plan.ts"
import type { Sha256 } from "../domain/sha256.ts"
import { Drain } from "../engine/drain.ts"
import * as Resume from "../engine/resume.ts"
import * as StoredPlan from "../engine/stored-plan.ts"
import * as Takeover from "../engine/takeover.ts"
import * as Room from "../engine/room.ts"
import * as Run from "../engine/run.ts"
import * as Submit from "../engine/submit.ts"
import { runStatus } from "../engine/run-state.ts"
import { Ledger } from "../ledger/ledger.ts"
import * as StreamName from "../ledger/stream-name.ts"
import * as Decide from "../scheduler/decide.ts"
import type { Answered } from "../scheduler/schedule-state.ts"
import { Acting } from "../services/acting.ts"
import { Artifacts } from "../services/artifacts.ts"
import { Hurry } from "../services/process-groups.ts"
import * as SettingsFiles from "../services/settings-files.ts"
import { Settings } from "../services/settings.ts"
import * as PassingFailures from "./passing-failures.ts"
import { Surroundings } from "./surroundings.ts"

/** A run that is to be there: it is started where it is not, and gone on with where nobody does. */
export interface Wanted {
  readonly run: string
  readonly plan: Sha256
  /** The digest of the resolved configuration that it starts with. */
  readonly config: Sha256
  readonly params: (plan: Plan) => Effect.Effect<Readonly<Record<string, unknown>>, { readonly message: string }>
  readonly trigger: Trigger
  /** The run that it takes over from. */
  readonly retry?: { readonly of: string; readonly from?: string; readonly only?: string }
  /** Who asked for it, where that is not the daemon's user. */
  readonly by?: Actor
  /** Nominal time, RFC 3339. */
  readonly tick?: string
}

/** How a run ended; `reason` where it could not be started. */
export interface Ended {
  readonly status: FinalRunStatus
  readonly reason?: string
}

/** The bytes of a configuration are none. */
export class BytesUnusable extends Schema.TaggedError<BytesUnusable>()("BytesUnusable", { reason: Schema.String }) {
  override get message() {
    return this.reason
  }
}

/** How long a run that another process owns is left alone before the next look, and the waits of a failing try, milliseconds. */
const lookMillis = 1_000
const longestWait = 30_000

/** How long to wait after so many tries that failed and one more, milliseconds. */
const waitAfter = (failures: number): number => Math.min(lookMillis * 2 ** failures, longestWait)

/** How long the services of a configuration stay when no run uses them, milliseconds. */
const keptMillis = 60_000

const requestedType = "dev.dandori.approval.requested.v1"
const finishedType = "dev.dandori.run.finished.v1"

/** Runs of this process, as many at once as the configuration says. */
export class Runner extends Context.Service<
  Runner,
  {
    /** Sees a run through to its end, whoever begins it and however often its process ends, and has `note` take note of it. */
    readonly seeThrough: (wanted: Wanted, note: (ended: Ended) => Effect.Effect<void>) => Effect.Effect<void>
    /**
     * Ends a run that is seen through here: one that is not created yet never is, one that is there is asked to end.
     * Returns when that is said, or the run has ended.
     */
    readonly cancel: (asked: Decide.ToCancel) => Effect.Effect<void>
    /** Brings an answer to an approval before a run that is seen through here; `isKnown`: it may have heard of it. */
    readonly answer: (answered: Answered, isKnown: boolean) => Effect.Effect<void>
    /** Comes when nothing of the runs here goes on any more, or, once the drain is open, their attempts had their grace. */
    readonly drained: Effect.Effect<void>
    /** Says why a run is not wanted any more: it is not created, unless it is already. */
    readonly callOff: (run: string, reason: string) => void
    /** Runs that are seen through here and go on, and those that wait for room to do so. */
    readonly counts: () => { readonly running: number; readonly queued: number }
  }
>()("dandori/daemon/Runner") {}

const make = Effect.fnUntraced(function* () {
  const surroundings = yield* Surroundings
  const ledger = yield* Ledger
  const artifacts = yield* Artifacts
  const { sections } = yield* Settings
  const submitting = yield* Effect.context<Effect.Services<ReturnType<typeof Submit.submit>>>()
  const permits = Semaphore.makeUnsafe(sections.daemon.max_runs)
  /** The runs that are seen through here, each with why it is not to be created, once somebody says so. */
  const seen = new Map<string, Deferred.Deferred<string>>()
  const drain = yield* Drain
  const idle = Latch.makeUnsafe(true)
  let running = 0
  let queued = 0
  /** The runs that have ended here, and whose end nobody has taken note of yet. */
  const ending = new Set<string>()
  const lookWhetherIdle = () => {
    if (running === 0 && ending.size === 0) idle.openUnsafe()
  }

  const textOf = (digest: Sha256) => Effect.map(artifacts.get(digest), (bytes) => new TextDecoder().decode(bytes))
  const places = yield* RcMap.make({
    lookup: Effect.fnUntraced(function* (digest: Sha256) {
      const text = yield* textOf(digest)
      const json = yield* Effect.try({
        try: () => JSON.parse(text) as unknown,
        catch: () => new BytesUnusable({ reason: "its configuration is no JSON" }),
      })
      const configuration = yield* SettingsFiles.fromResolved(json)
      return { ...(yield* surroundings.place(configuration)), configuration }
    }),
    idleTimeToLive: keptMillis,
  })

  /** The room of one run. */
  const newRoom = (): Room.Room => {
    let taken: Scope.Closeable | undefined
    return {
      enter: Effect.uninterruptibleMask((restore) =>
        Effect.gen(function* () {
          if (taken !== undefined) return
          const own = yield* Scope.make()
          queued++
          yield* restore(Scope.provide(permits.takeScoped(1), own)).pipe(
            Effect.onError(() => Scope.close(own, Exit.void)),
            Effect.ensuring(Effect.sync(() => queued--)),
          )
          if (drain.isOpen()) {
            yield* Scope.close(own, Exit.void)
            return yield* restore(Effect.never)
          }
          taken = own
          running++
          idle.closeUnsafe()
        }),
      ),
      leave: Effect.suspend(() => {
        const own = taken
        if (own === undefined) return Effect.void
        taken = undefined
        running--
        lookWhetherIdle()
        return Scope.close(own, Exit.void)
      }),
    }
  }
  /**
   * Does a run's work as one of those that go on at once, but for the times in which it only waits. It does not wait for
   * room where `must` comes before there is any.
   */
  const asOne = <A, E, R>(work: Effect.Effect<A, E, R>, must: Effect.Effect<unknown> = Effect.never) =>
    Effect.suspend(() => {
      const room = newRoom()
      const entered = Effect.raceFirst(room.enter, Effect.asVoid(must))
      return Effect.andThen(entered, work).pipe(Effect.provideService(Room.Room, room), Effect.ensuring(room.leave))
    })
  /** Comes with the reason when a run is to end. */
  const calledOff = (run: string) =>
    Effect.suspend(() => {
      const said = seen.get(run)
      return said === undefined ? Effect.never : Deferred.await(said)
    })

  /** Does a run's work when there is room for it, unless it is called off before that. */
  const unlessCalledOff = <A, E, R>(run: string, work: Effect.Effect<A, E, R>) => {
    let is: "waiting" | "begun" | "called off" = "waiting"
    const off = Effect.flatMap(calledOff(run), (reason) => {
      if (is === "begun") return Effect.never
      is = "called off"
      return Effect.succeed<Ended>({ status: "cancelled", reason })
    })
    const begun = Effect.suspend(() => {
      if (is === "called off") return Effect.never
      is = "begun"
      return work
    })
    return Effect.raceFirst(off, asOne(begun))
  }

  const takeoverOf = Effect.fnUntraced(
    function* ({ from, of, only }: NonNullable<Wanted["retry"]>, plan: Plan) {
      return yield* Takeover.plan(of, yield* Resume.recall(of), plan, { from, only })
    },
    Effect.provideService(Ledger, ledger),
    Effect.provideService(Artifacts, artifacts),
  )

  const begin = Effect.fnUntraced(function* (wanted: Wanted) {
    const plan = yield* Effect.provideService(StoredPlan.read(wanted.plan), Artifacts, artifacts)
    const place = yield* RcMap.get(places, wanted.config)
    const { configuration } = place
    const environment = yield* surroundings.environment(plan)
    const { retry } = wanted
    const takeover = retry === undefined ? undefined : yield* takeoverOf(retry, plan)
    const result = yield* Run.start({
      id: wanted.run,
      plan,
      params: yield* wanted.params(plan),
      env: configuration.env,
      environment,
      config: SettingsFiles.resolved(configuration),
      capacity: place.capacity,
      ...Durability.ofSection(configuration.sections.ledger),
      who: surroundings.who,
      wait: false,
      trigger: wanted.trigger,
      ...(takeover === undefined ? {} : { takeover }),
      ...(wanted.by === undefined ? {} : { by: wanted.by }),
      ...(wanted.tick === undefined ? {} : { tick: wanted.tick }),
    }).pipe(Effect.provide(place.services))
    yield* place.afterRun(result, takeover?.only)
    return runStatus(result.state)
  })

  const goOn = Effect.fnUntraced(
    function* (run: string) {
      const recalled = yield* Resume.recall(run)
      const place = yield* RcMap.get(places, recalled.created.config.sha256)
      const result = yield* Resume.resume(run, recalled, {
        capacity: place.capacity,
        who: surroundings.who,
        now: yield* Clock.currentTimeMillis,
        wait: false,
      }).pipe(Effect.provide(place.services))
      yield* place.afterRun(result, recalled.created.only)
      return runStatus(result.state)
    },
    Effect.provideService(Ledger, ledger),
    Effect.provideService(Artifacts, artifacts),
  )

  /** Waits until people have said something to a run that waits for them alone, or until that is too late. */
  const forPeople = Effect.fnUntraced(function* (stream: string) {
    const { entries, validBytes } = yield* ledger.read(stream)
    const now = yield* Clock.currentTimeMillis
    const due = entries.flatMap(({ data, type }) => {
      const { due: at } = data as EventData<typeof requestedType>
      return type === requestedType && at !== undefined && at > now ? [at] : []
    })
    const until = due.length === 0 ? Infinity : Math.min(...due)
    for (;;) {
      yield* Effect.sleep(lookMillis)
      if ((yield* Clock.currentTimeMillis) >= until) return
      if ((yield* ledger.bytes(stream, validBytes)).length > 0) return
    }
  })

  /** One look at a run, and what follows from it; undefined where it is to be looked at again. */
  const step = Effect.fnUntraced(function* (wanted: Wanted) {
    const stream = StreamName.ofRun(wanted.run)
    const chain = yield* ledger.read(stream).pipe(Effect.catchTag("StreamMissing", () => Effect.undefined))
    const last = chain?.entries.at(-1)
    if (chain?.fault === undefined && last?.type === finishedType) {
      return { status: (last.data as EventData<typeof finishedType>).status } satisfies Ended
    }
    if (chain !== undefined && (yield* ledger.owned(stream))) {
      yield* Effect.sleep(lookMillis)
      return undefined
    }
    if (drain.isOpen()) return yield* Effect.never
    if (chain !== undefined && last === undefined) yield* ledger.discard(stream)
    const ends = (status: ReturnType<typeof runStatus>) =>
      Effect.sync(() => void (isFinal(status) && ending.add(wanted.run)))
    const status =
      last === undefined
        ? yield* unlessCalledOff(wanted.run, Effect.tap(Effect.scoped(begin(wanted)), ends))
        : yield* asOne(Effect.tap(Effect.scoped(goOn(wanted.run)), ends), calledOff(wanted.run))
    if (typeof status === "object") return status
    if (isFinal(status)) return { status } satisfies Ended
    if (drain.isOpen()) return yield* Effect.never
    yield* forPeople(stream)
    return undefined
  })

  const endOf = Effect.fnUntraced(function* (wanted: Wanted) {
    for (let failures = 0; ;) {
      const found = yield* Effect.result(step(wanted))
      if (found._tag === "Success") {
        if (found.success !== undefined) return found.success
        failures = 0
        continue
      }
      const failure: PassingFailures.Failure = found.failure
      const { message } = failure
      if (!PassingFailures.passes(failure, wanted.run)) return { status: "failed", reason: message } satisfies Ended
      if (failures === 0) yield* surroundings.say(`Run ${wanted.run} waits: ${message}`)
      yield* Effect.sleep(waitAfter(failures))
      failures++
    }
  })
  const seeThrough = (wanted: Wanted, note: (ended: Ended) => Effect.Effect<void>) =>
    Effect.acquireUseRelease(
      Effect.sync(() => void seen.set(wanted.run, Deferred.makeUnsafe())),
      () => Effect.flatMap(endOf(wanted), note),
      () =>
        Effect.sync(() => {
          seen.delete(wanted.run)
          ending.delete(wanted.run)
          lookWhetherIdle()
        }),
    )

  /** Brings a request before a run, again and again until it is done or the run has ended; `refused` ends that, too. */
  const insist = Effect.fnUntraced(function* (
    run: string,
    request: Request,
    by: Actor | undefined,
    refused?: (reason: string) => Effect.Effect<void>,
  ) {
    const ask = Effect.gen(function* () {
      const asker = { by: by?.authid ?? surroundings.who, now: yield* Clock.currentTimeMillis }
      yield* Submit.submit(run, yield* Resume.recall(run), request, asker)
    }).pipe(Effect.provideService(Acting, by))
    for (let failures = 0; seen.has(run); failures++) {
      const found = yield* Effect.result(ask)
      if (found._tag === "Success") return
      const error = found.failure
      const isRefused = error._tag === "RequestRefused" && error.elsewhere !== true
      if (isRefused && refused !== undefined) return yield* refused(error.message)
      // It may be about to be created, its ledger may be away, or somebody else may drive it.
      if (failures === 1 && error._tag !== "StreamMissing") {
        yield* surroundings.say(`Run ${run} goes on: ${error.message}`)
      }
      yield* Effect.sleep(waitAfter(failures))
    }
  }, Effect.provide(submitting))

  const graceMillis = parseDuration(sections.daemon.shutdown_grace) ?? 0
  const graceOver = Latch.makeUnsafe(false)
  yield* Effect.forkScoped(drain.await.pipe(Effect.andThen(Effect.sleep(graceMillis)), Effect.andThen(graceOver.open)))
  const drained = Effect.gen(function* () {
    const hurry = yield* Hurry
    yield* Effect.raceFirst(idle.await, Effect.raceFirst(graceOver.await, hurry.await))
  })

  const callOff = (run: string, reason: string) => {
    const said = seen.get(run)
    if (said !== undefined) Deferred.doneUnsafe(said, Effect.succeed(reason))
  }

  const cancel = (asked: Decide.ToCancel) =>
    Effect.suspend(() => {
      const { by, reason, run } = asked
      callOff(run, Decide.calledOff(asked))
      return insist(run, { kind: "cancel", reason }, by)
    })

  const answer = ({ answer: given, by, run }: Answered, isKnown: boolean) =>
    insist(run, given, by, (reason) =>
      isKnown ? Effect.void : surroundings.say(`What ${by.authid} answered to run ${run} came too late: ${reason}`),
    )

  return Runner.of({ seeThrough, cancel, answer, callOff, drained, counts: () => ({ running, queued }) })
})

const isFinal = Schema.is(FinalRunStatus)

export const layer = Layer.effect(Runner, make())
