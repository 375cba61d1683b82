import * as Cause from "effect/Cause"
import * as Clock from "effect/Clock"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as FiberSet from "effect/FiberSet"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import * as Queue from "effect/Queue"
import * as Scope from "effect/Scope"
import type { Ledger, OpenError } from "../ledger/ledger.ts"
import * as Decide from "../scheduler/decide.ts"
import * as DaemonMetrics from "../exporters/daemon-metrics.ts"
import * as ScheduleBook from "../scheduler/schedule-book.ts"
import { type Answered, evolve, isAsked } from "../scheduler/schedule-state.ts"
import { Artifacts } from "../services/artifacts.ts"
import { Cordons } from "../services/cordons.ts"
import * as Monotonic from "../services/monotonic.ts"
import * as Once from "../services/once.ts"
import { ServiceManager } from "../services/service-manager.ts"
import { Settings } from "../services/settings.ts"
import * as AskedRun from "./asked-run.ts"
import * as PatientCordons from "./patient-cordons.ts"
import { type Pipeline, Pipelines } from "./pipelines.ts"
import * as Runner from "./runner.ts"
import { Surroundings } from "./surroundings.ts"
import * as Waits from "./waits.ts"

const earliest = (times: Iterable<number>): number => {
  let found = Infinity
  for (const time of times) found = Math.min(found, time)
  return found
}

/** The loop looks at the clock at least so often, milliseconds: a step of the clock does not put a tick off for longer. */
const longestSleep = 1_000
/** How often it is looked for changes on disk, and for what other processes have recorded of schedules, milliseconds. */
const reloadEvery = 2_000
const refreshEvery = 5_000
/** Memory is given back so long after a reload, and so often, in a pause that is longer than it takes, milliseconds. */
const tidyAfter = 3_000
const tidyEvery = 600_000
const tidyTakes = 250

/** Closes ticks and sees their runs through. */
export class Scheduler extends Context.Service<
  Scheduler,
  {
    /** Schedules until it is interrupted, with the runs in `runs`; fails only where it cannot begin. */
    readonly run: (runs: FiberSet.FiberSet<void>) => Effect.Effect<never, { readonly message: string }, Scope.Scope>
    /** Looks at the disk and at the streams now. */
    readonly wake: (what: "reload" | "look") => void
    /** The schedules, read when they are first asked for; in a daemon that stands by, as they are now. */
    readonly book: Effect.Effect<ScheduleBook.ScheduleBook, { readonly message: string }>
    /** Takes up what other processes have recorded of schedules. */
    readonly readOn: Effect.Effect<void, { readonly message: string }>
    /** The schedules, once they have been read. */
    readonly known: () => ScheduleBook.ScheduleBook | undefined
    /** Milliseconds since the last turn of the loop; undefined while it does not run here. */
    readonly sinceTurn: Effect.Effect<number | undefined>
    /** Whether the loop runs here. */
    readonly isTurning: () => boolean
    /** When the loop last turned, milliseconds since the epoch. */
    readonly lastTurn: () => number | undefined
  }
>()("dandori/daemon/Scheduler") {}

const make = Effect.fnUntraced(function* () {
  const { env, giveBack, say } = yield* Surroundings
  const pipelines = yield* Pipelines
  const runner = yield* Runner.Runner
  const cordons = yield* Cordons
  const serviceManager = yield* ServiceManager
  const { daemon } = (yield* Settings).sections
  const services = yield* Effect.context<Ledger | Artifacts>()
  /** Tells the service manager of a reload that was asked for. */
  const announced = <A, E>(reload: Effect.Effect<A, E>) =>
    Effect.ignore(serviceManager.tell("reloading")).pipe(
      Effect.andThen(reload),
      Effect.ensuring(Effect.ignore(serviceManager.tell("ready"))),
    )

  /** Runs that are being seen through, and those of them that were asked to be cancelled. */
  const seen = new Set<string>()
  const cancelled = new Set<string>()
  /** Runs of backfills that are being seen through, with their pipelines. */
  const backfilled = new Map<string, string>()
  const wakes = yield* Queue.sliding<"reload" | "look">(16)
  let leads = false
  let turned: number | undefined
  let turnedAt: number | undefined
  let current: ScheduleBook.ScheduleBook | undefined

  const scope = yield* Effect.scope
  const opening = yield* Once.untilItSucceeds(
    ScheduleBook.open(env).pipe(
      Effect.map((book) => void (current = book)),
      Effect.provide(services),
      Scope.provide(scope),
    ),
  )
  const opened = Effect.flatMap(opening, () => Effect.suspend(() => Effect.fromNullishOr(current))).pipe(
    Effect.catchTag("NoSuchElementError", Effect.die),
  )
  const readOn = Effect.flatMap(opened, (book) => book.readOn)
  let looked = -Infinity
  /** Takes up what is deployed and recorded, where the loop does not do it. */
  const lookAgain = Effect.gen(function* () {
    if (leads) return
    const now = yield* Monotonic.millis
    if (now - looked >= reloadEvery) {
      looked = now
      yield* pipelines.recall
    }
    yield* readOn
  })

  /** What decisions about schedules go by, by pipeline. */
  const factsOf = Effect.fnUntraced(function* (some: ReadonlyArray<string>) {
    const against = yield* PatientCordons.against(cordons, some, readOn)
    const now = yield* Clock.currentTimeMillis
    return (pipeline: string): Decide.Facts => {
      const cordon = against.get(pipeline)
      const facts = { env, pipeline, now, queue: daemon.queue, atOnce: daemon.max_runs }
      return cordon === undefined ? facts : { ...facts, cordon: `${cordon.id}, ${cordon.reason}` }
    }
  })

  /** Sees a run of a schedule through, and records its end. */
  const see = Effect.fnUntraced(function* (book: ScheduleBook.ScheduleBook, pipeline: string, own: AskedRun.AskedRun) {
    const wanted = AskedRun.wantedOf(own, pipelines.current().get(pipeline)?.deployed?.config)
    if (wanted === undefined) {
      cancelled.delete(own.run)
      return void seen.delete(own.run)
    }
    const { run: id } = wanted
    const note = Effect.fnUntraced(function* (result: Runner.Ended) {
      const { reason, status } = result
      const ended = AskedRun.endedOf(pipeline, wanted, result)
      if (reason !== undefined) yield* say(`Run ${id} of ${pipeline} did not start: ${reason}`)
      const now = yield* Clock.currentTimeMillis
      yield* untilRecorded(
        book.record(pipeline, (state) => {
          if (!AskedRun.of(state).some(({ run }) => run === id)) return []
          const after = evolve(state, { ...ended, time: now })
          return [ended, ...Decide.pauseAfter(pipeline, after, state.deployed?.schedule.pauseAfter)]
        }),
      )
      yield* DaemonMetrics.runEnded(status)
    })
    yield* runner.seeThrough(wanted, note)
    seen.delete(id)
    cancelled.delete(id)
    backfilled.delete(id)
    yield* Queue.offer(wakes, "look")
  })

  /** What has to be recorded is tried until it is: a database that is away is waited for. */
  const untilRecorded = <A>(recording: Effect.Effect<A, OpenError>): Effect.Effect<A> =>
    Effect.catch(recording, ({ message }) =>
      Effect.andThen(say(`Not recorded yet: ${message}`), Effect.delay(untilRecorded(recording), Waits.retryAfter)),
    )

  const run = Effect.fnUntraced(function* (runs: FiberSet.FiberSet<void>) {
    const book = yield* opened
    /** Runs that are being seen through, and whose backfill was cancelled. */
    const unasked = (pipeline: string) =>
      backfilled.size === 0
        ? []
        : [...backfilled].flatMap(([run, of]) => (of === pipeline && !isAsked(book.state(of), run) ? [run] : []))
    /** The answers that runs were told of; they are told again by the next one that leads. */
    const passedOn = new WeakSet<Answered>()
    /** Those that the one before may have told them of already. */
    const former = new WeakSet<Answered>()

    yield* Effect.addFinalizer(() =>
      Effect.sync(() => {
        leads = false
        turned = undefined
      }),
    )
    // Another one may have led since. What was being seen through here then, nobody sees through here any more.
    yield* book.refresh
    seen.clear()
    cancelled.clear()
    backfilled.clear()
    for (const id of book.pipelines()) for (const answered of book.state(id).answers) former.add(answered)

    /** Begins what the state asks for: runs that are to go on, and runs that are to end. */
    const settle = Effect.fnUntraced(function* (pipeline: string) {
      if (Decide.callOff(pipeline, book.state(pipeline)).length > 0) {
        const ended = yield* book.record(pipeline, (state) => Decide.callOff(pipeline, state))
        yield* Effect.forEach(ended, () => DaemonMetrics.runEnded("cancelled"))
      }
      const state = book.state(pipeline)
      for (const run of unasked(pipeline)) runner.callOff(run, "its backfill was cancelled before it began")
      for (const own of AskedRun.of(state)) {
        if (seen.has(own.run)) continue
        seen.add(own.run)
        if (own.trigger === "backfill") backfilled.set(own.run, pipeline)
        yield* FiberSet.run(runs, see(book, pipeline, own))
      }
      for (const asked of Decide.toCancel(state)) {
        if (cancelled.has(asked.run)) continue
        cancelled.add(asked.run)
        yield* FiberSet.run(runs, runner.cancel(asked))
      }
      for (const answered of state.answers) {
        if (passedOn.has(answered)) continue
        passedOn.add(answered)
        yield* FiberSet.run(runs, runner.answer(answered, former.has(answered)))
      }
    })

    /** Whether the state of a schedule asks for something that was not begun. */
    const isUnsettled = (pipeline: string) => {
      const state = book.state(pipeline)
      return (
        AskedRun.of(state).some((own) => !seen.has(own.run)) ||
        unasked(pipeline).length > 0 ||
        state.answers.some((answered) => !passedOn.has(answered)) ||
        Decide.toCancel(state).some((asked) => !cancelled.has(asked.run)) ||
        Decide.callOff(pipeline, state).length > 0
      )
    }

    /** When a schedule is to be looked at again, milliseconds since the epoch. */
    const due = new Map<string, number>()
    const waits = Waits.make(due, say)
    const plan = (pipeline: string) => {
      // What waits is due when it is tried again.
      if (waits.isWaiting(pipeline)) return
      const facts = { env, pipeline, now: 0, queue: daemon.queue, atOnce: daemon.max_runs }
      due.set(pipeline, Decide.nextDue(facts, book.state(pipeline)) ?? Infinity)
    }
    const close = Effect.fnUntraced(function* (some: ReadonlyArray<string>) {
      const facts = yield* factsOf(some)
      const schedules = new Map(some.map((pipeline) => [pipeline, book.state(pipeline).deployed?.schedule]))
      const begun = yield* Monotonic.millis
      const events = yield* book.recordAll(
        some.map((pipeline) => [pipeline, (state) => Decide.decide(state, facts(pipeline))] as const),
      )
      if (events.length > 0) yield* DaemonMetrics.appended((yield* Monotonic.millis) - begun)
      for (const { data, time, type } of events) {
        if (type !== "dev.dandori.schedule.tick.closed.v1") continue
        yield* DaemonMetrics.ticksClosed(data.outcome.is, data.ticks ?? 1)
        const schedule = schedules.get(data.pipeline)
        if (schedule === undefined) continue
        const tick = Date.parse(data.through ?? data.tick)
        yield* DaemonMetrics.tickLate(time - Decide.dueAt(facts(data.pipeline), schedule, tick))
      }
    })
    const closeAll = Effect.fnUntraced(function* (some: ReadonlyArray<string>) {
      if (some.length === 0) return
      yield* waits.together("close", some, close(some))
      for (const pipeline of some) plan(pipeline)
      // What is due is recorded before the first of its runs begins.
      yield* waits.each("settle", some, settle)
    })

    /** Brings a schedule to what is deployed. */
    const adopt = Effect.fnUntraced(function* (id: string, pipeline: Pipeline | undefined) {
      const isGone = pipeline === undefined || pipeline.isGone
      const deployed = isGone ? undefined : pipeline.deployed
      const schedule = deployed?.plan.schedule
      const facts = (yield* factsOf([id]))(id)
      const reason = isGone ? "its file is gone" : "the pipeline has no schedule any more"
      const events = yield* book.record(id, (state) => {
        if (schedule === undefined || deployed === undefined) return Decide.withdraw(state, facts, reason)
        // Of whom no file is known the schedule stays as it is: one that was withdrawn does not begin again.
        if (pipeline?.file === undefined && state.deployed === undefined) return []
        return Decide.deploy(state, facts, { plan: deployed.digest, schedule })
      })
      if (events.some(({ type }) => type === "dev.dandori.schedule.withdrawn.v1")) {
        yield* say(`${id}: its schedule is withdrawn: ${reason}`)
      }
      plan(id)
      yield* settle(id)
    })
    const adoptThose = (some: Iterable<string>) =>
      waits.each("adopt", some, (id) => Effect.suspend(() => adopt(id, pipelines.current().get(id))))
    const adoptAll = Effect.suspend(() => {
      const scheduled = [...pipelines.current().values()].flatMap(({ deployed, id }) =>
        deployed?.plan.schedule === undefined ? [] : [id],
      )
      return adoptThose(new Set([...scheduled, ...book.pipelines()]))
    })

    // What is due by what is deployed comes first: compiling takes longer.
    yield* pipelines.recall
    leads = true
    yield* closeAll([...book.pipelines()])
    yield* pipelines.reload(true)
    yield* adoptAll

    let reloaded = yield* Monotonic.millis
    turned = reloaded
    let untidy = reloaded + tidyAfter
    let refreshed = reloaded
    let told: "reload" | "look" | undefined
    let reloadAsked = false
    let isReloading = false
    let isChanged = false
    /** Beside the loop: compiling may take longer than a tick may wait. */
    const reload = (anew: boolean) =>
      (anew ? announced(pipelines.reload(true)) : pipelines.reload(false)).pipe(
        Effect.catchCauseIf(
          (cause) => !Cause.hasInterruptsOnly(cause),
          (cause) => Effect.as(say(`Nothing was reloaded: ${Cause.prettyErrors(cause)[0]?.message ?? ""}`), false),
        ),
        Effect.tap((changed) => {
          if (!changed) return Effect.void
          isChanged = true
          return Queue.offer(wakes, "look")
        }),
        Effect.ensuring(Effect.sync(() => void (isReloading = false))),
      )
    return yield* Effect.forever(
      Effect.gen(function* () {
        const now = yield* Clock.currentTimeMillis
        const late = [...due].flatMap(([pipeline, at]) => (at <= now ? [pipeline] : []))
        yield* adoptThose(late.filter((pipeline) => waits.has("adopt", pipeline)))
        yield* closeAll(late)
        const turn = yield* Monotonic.millis
        // A loop that turns and cannot record what is due does not do its work.
        if (waits.isEmpty()) {
          turned = turn
          turnedAt = now
        }
        if (told === "reload") reloadAsked = true
        if (!isReloading && (reloadAsked || turn - reloaded >= reloadEvery)) {
          reloaded = turn
          isReloading = true
          yield* Effect.forkScoped(reload(reloadAsked))
          reloadAsked = false
        }
        if (isChanged) {
          isChanged = false
          untidy = turn + tidyAfter
          yield* adoptAll
        }
        if (told !== undefined || turn - refreshed >= refreshEvery) {
          refreshed = turn
          const news = yield* book.refresh.pipe(
            Effect.catch(({ message }) => Effect.as(say(`The schedules were not read: ${message}`), false)),
          )
          if (news) for (const pipeline of book.pipelines()) plan(pipeline)
          // Each end of a run leads here: of many schedules only few have something to begin.
          yield* waits.each("settle", [...book.pipelines()].filter(isUnsettled), settle)
        }
        const next = earliest(due.values())
        const pause = Math.max(0, Math.min(next - (yield* Clock.currentTimeMillis), longestSleep))
        if (turn >= untidy && pause > tidyTakes) {
          untidy = turn + tidyEvery
          yield* giveBack
        }
        told = yield* Queue.take(wakes).pipe(
          Effect.timeoutOption(pause),
          Effect.map((found) => (Option.isSome(found) ? found.value : undefined)),
        )
      }),
    )
  })

  return Scheduler.of({
    run,
    wake: (what) => void Queue.offerUnsafe(wakes, what),
    book: Effect.andThen(lookAgain, opened),
    readOn: Effect.map(readOn, (isNews) => void (leads && isNews && Queue.offerUnsafe(wakes, "look"))),
    known: () => current,
    sinceTurn: Effect.suspend(() => {
      const last = turned
      return last === undefined ? Effect.succeed(undefined) : Effect.map(Monotonic.millis, (now) => now - last)
    }),
    isTurning: () => turned !== undefined,
    lastTurn: () => turnedAt,
  })
})

export const layer = Layer.effect(Scheduler, make())
