import { relative } from "node:path"
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Semaphore from "effect/Semaphore"
import type { Actor } from "../domain/actor.ts"
import type { EventData } from "../domain/event.ts"
import { timeText } from "../domain/occurrence.ts"
import * as ParamValues from "../domain/param-values.ts"
import { Drain } from "../engine/drain.ts"
import * as OutputLimit from "../engine/output-limit.ts"
import * as Resume from "../engine/resume.ts"
import * as Takeover from "../engine/takeover.ts"
import * as DaemonMetrics from "../exporters/daemon-metrics.ts"
import { Ledger } from "../ledger/ledger.ts"
import * as StreamName from "../ledger/stream-name.ts"
import * as Occurrences from "../scheduler/occurrences.ts"
import * as Orders from "../scheduler/schedule-orders.ts"
import { type ScheduleBook } from "../scheduler/schedule-book.ts"
import { type ScheduleState, isAsked, pauseOf } from "../scheduler/schedule-state.ts"
import { Acting } from "../services/acting.ts"
import { Artifacts } from "../services/artifacts.ts"
import { Settings } from "../services/settings.ts"
import * as AskedRun from "./asked-run.ts"
import * as BegunRuns from "./begun-runs.ts"
import { Housekeeping } from "./housekeeping.ts"
import * as Host from "./host.ts"
import { type Pipeline, Pipelines, type Problem } from "./pipelines.ts"
import { Runner } from "./runner.ts"
import { Scheduler } from "./scheduler.ts"
import { Surroundings } from "./surroundings.ts"

/** Ticks to come that a schedule shows. */
const shownTicks = 10

const requestedType = "dev.dandori.schedule.run.requested.v1"
type Requested = EventData<typeof requestedType>

const unready = ({ message }: { readonly message: string }) => new Host.HostUnready({ reason: message })
const refused = ({ message }: { readonly message: string }) => new Host.HostRefused({ reason: message })

/** What may pass by itself. */
const passing: ReadonlySet<string> = new Set(["ArtifactError", "FileFailed", "LedgerFailed"])
const refusedOrUnready = (error: { readonly _tag: string; readonly message: string }) =>
  passing.has(error._tag) ? unready(error) : refused(error)

const make = Effect.fnUntraced(function* (version: string) {
  const surroundings = yield* Surroundings
  const pipelines = yield* Pipelines
  const scheduler = yield* Scheduler
  const runner = yield* Runner
  const drain = yield* Drain
  const housekeeping = yield* Housekeeping
  const ledger = yield* Ledger
  const services = yield* Effect.context<Ledger | Artifacts>()
  const { env, sections } = yield* Settings

  const book = Effect.mapError(scheduler.book, unready)
  const deployedOf = Effect.fnUntraced(function* (id: string) {
    yield* book
    const deployed = pipelines.current().get(id)?.deployed
    return deployed ?? (yield* new Host.PipelineNotDeployed({ pipeline: id }))
  })
  /** What is recorded is in the name of who asks for it. */
  const inNameOf = (who: Actor) => Effect.provideService(Acting, who)

  const pausedOf = (found: ScheduleBook, id: string) => {
    const pause = pauseOf(found.state(id))
    if (pause === undefined) return {}
    return {
      paused: { since: new Date(pause.from).toISOString(), by: pause.by ?? surroundings.who, reason: pause.reason },
    }
  }

  const faultOf = ({ message, since }: Problem) => ({ message, since: new Date(since).toISOString() })

  const pipelineView = (found: ScheduleBook, { broken, deployed, file, id, isGone }: Pipeline): Host.PipelineView => ({
    id,
    ...(file === undefined ? {} : { file: relative(surroundings.project, file) }),
    ...(deployed === undefined ? {} : { plan: deployed.digest }),
    ...(deployed?.plan.schedule === undefined || isGone ? {} : { schedule: deployed.plan.schedule }),
    ...pausedOf(found, id),
    ...(broken === undefined ? {} : { broken: faultOf(broken) }),
  })

  const scheduleView = Effect.fnUntraced(function* (found: ScheduleBook, id: string) {
    const { closedTo, deployed } = found.state(id)
    if (deployed === undefined) return yield* new Host.ScheduleMissing({ pipeline: id })
    const now = yield* Clock.currentTimeMillis
    const next = Occurrences.following(deployed.schedule, Math.max(closedTo + 1, now), shownTicks)
    const recent = found.recent(id).map(({ data: { outcome, through, tick } }) => ({
      tick,
      outcome,
      ...(through === undefined ? {} : { through }),
    }))
    return {
      pipeline: id,
      schedule: deployed.schedule,
      next: next.map(({ at }) => timeText(at)),
      recent: recent.toReversed(),
      ...pausedOf(found, id),
    } satisfies Host.ScheduleView
  })

  const steer = (order: typeof Orders.pause) =>
    Effect.fnUntraced(function* (pipeline: string, reason: string, who: Actor) {
      const found = yield* book
      yield* order(found, pipeline, reason).pipe(
        inNameOf(who),
        Effect.catchTag(
          "ScheduleMissing",
          () => Effect.fail(new Host.ScheduleMissing({ pipeline })),
          (error) => Effect.fail(unready(error)),
        ),
      )
      scheduler.wake("look")
      return yield* scheduleView(found, pipeline)
    })

  const runsOf = (state: ScheduleState) => AskedRun.of(state).map(({ run }) => run)
  /** How many of the runs that are asked for wait to be created. */
  const waitingIn = (found: ScheduleBook, pipeline: string, state: ScheduleState, begun: BegunRuns.BegunRuns) => {
    const others = [...found.pipelines()].filter((id) => id !== pipeline)
    const all = [state, ...others.map(found.state)].flatMap(runsOf)
    return BegunRuns.waiting(all, begun, sections.daemon.max_runs)
  }
  const oneLook = Semaphore.makeUnsafe(1)
  /** All of the runs that are asked for are looked at, for one request after the other. */
  const begun = book.pipe(
    Effect.flatMap((found) => BegunRuns.of([...found.pipelines()].map(found.state).flatMap(runsOf))),
    Effect.provide(services),
    oneLook.withPermit,
  )

  /** Asks for a run that is not there yet, once. One that was asked for before and has ended uncreated is not asked for again. */
  const request = Effect.fnUntraced(function* (asked: Requested) {
    const { by, pipeline, run } = asked
    const stream = StreamName.ofRun(run)
    const isThere = yield* ledger.read(stream).pipe(
      Effect.as(true),
      Effect.catchTag("StreamMissing", () => Effect.map(ledger.testimonies, ({ isPurged }) => isPurged(stream))),
      Effect.mapError(unready),
    )
    if (isThere) return { run, isNew: false }
    const found = yield* book
    let full: number | undefined
    const recordWhere = (known: BegunRuns.BegunRuns) =>
      found
        .record(pipeline, (state) => {
          full = undefined
          if (isAsked(state, run) || found.notCreated(run) !== undefined) return []
          const waiting = waitingIn(found, pipeline, state, known)
          if (waiting >= sections.daemon.queue) full = waiting
          return full === undefined ? [{ type: requestedType, data: asked }] : []
        })
        .pipe(inNameOf(by), Effect.mapError(unready))
    let written = yield* recordWhere(BegunRuns.none)
    // Only where so many are asked for it matters which of them have begun: they take no place among those that wait.
    if (full !== undefined) written = yield* recordWhere(yield* Effect.mapError(begun, unready))
    if (full !== undefined) return yield* new Host.QueueFull({ waiting: full })
    scheduler.wake("look")
    return { run, isNew: written.length > 0 }
  })

  const factsWith = (apiStreams: number) => {
    const found = scheduler.known()
    const all = [...pipelines.current().values()]
    const { queued, running } = runner.counts()
    return {
      version,
      leader: scheduler.isTurning(),
      lastTurn: scheduler.lastTurn(),
      runsOpen: running,
      runsQueued: queued,
      pipelinesBroken: all.filter(({ broken }) => broken !== undefined).length,
      configurationBroken: pipelines.problem() !== undefined,
      schedulesPaused:
        found === undefined ? 0 : [...found.pipelines()].filter((id) => pauseOf(found.state(id)) !== undefined).length,
      storeBytes: housekeeping.storeBytes(),
      apiStreams,
    }
  }

  const asked = book.pipe(
    Effect.map((found) =>
      [...found.pipelines()].flatMap((pipeline) =>
        AskedRun.all(found.state(pipeline)).map((own): Host.AskedRun => {
          const { isLater, plan, run } = own
          const who =
            own.tick === undefined ? { who: own.by.authid } : { who: surroundings.who, tick: timeText(own.tick) }
          return { run, pipeline, env, plan, isLater, ...who }
        }),
      ),
    ),
  )
  return Host.Host.of({
    state: book.pipe(
      Effect.map((): Host.HostState =>
        drain.isOpen()
          ? { ready: false, leader: false, why: "it is being stopped" }
          : { ready: true, leader: scheduler.isTurning() },
      ),
      Effect.catch(({ reason }) => Effect.succeed<Host.HostState>({ ready: false, leader: false, why: reason })),
    ),
    pipelines: Effect.map(book, (found) =>
      [...pipelines.current().values()]
        .map((one) => pipelineView(found, one))
        .toSorted((a, b) => (a.id < b.id ? -1 : 1)),
    ),
    problem: Effect.sync(() => {
      const problem = pipelines.problem()
      return problem === undefined ? undefined : faultOf(problem)
    }),
    plan: (id) => Effect.map(deployedOf(id), ({ plan }) => plan),
    schedules: Effect.gen(function* () {
      const found = yield* book
      const ids = [...found.pipelines()].filter((id) => found.state(id).deployed !== undefined).toSorted()
      const views = yield* Effect.forEach(ids, (id) => Effect.option(scheduleView(found, id)))
      return views.flatMap((view) => (view._tag === "Some" ? [view.value] : []))
    }),
    schedule: (id) => Effect.flatMap(book, (found) => scheduleView(found, id)),
    pause: steer(Orders.pause),
    resume: steer(Orders.resume),
    backfill: Effect.fnUntraced(function* ({ definition, from, pipeline, to, who }) {
      const found = yield* book
      const { backfill, ticks } = yield* Orders.backfill(found, pipeline, env, {
        from: Date.parse(from),
        to: Date.parse(to),
        definition,
      }).pipe(
        inNameOf(who),
        Effect.catchTags(
          {
            ScheduleMissing: () => Effect.fail(new Host.ScheduleMissing({ pipeline })),
            BackfillRefused: (error) => Effect.fail(refused(error)),
          },
          (error) => Effect.fail(unready(error)),
        ),
      )
      scheduler.wake("look")
      const own = found.state(pipeline).backfills.find(({ id }) => id === backfill)
      const runs = (own?.ticks ?? []).slice(0, ticks.length).map(({ run, tick }) => ({ tick: timeText(tick), run }))
      return { backfill, runs }
    }),
    cancelBackfill: Effect.fnUntraced(function* (pipeline, backfill, reason, who) {
      const left = yield* Orders.cancelBackfill(yield* book, pipeline, backfill, reason).pipe(
        inNameOf(who),
        Effect.provide(services),
        Effect.catchTag(
          "BackfillRefused",
          () => Effect.fail(new Host.BackfillMissing({ pipeline, backfill })),
          (error) => Effect.fail(unready(error)),
        ),
      )
      scheduler.wake("look")
      return left
    }),
    start: Effect.fnUntraced(function* ({ params, pipeline, run, trigger, who }) {
      const { config, digest, plan } = yield* deployedOf(pipeline)
      const { problems, values } = ParamValues.complete(plan.params, params)
      if (problems.length > 0) return yield* new Host.ParamsRefused({ pipeline, problems })
      const tooLarge = OutputLimit.refuseParams(values)
      if (tooLarge !== undefined) return yield* new Host.ParamsRefused({ pipeline, problems: [tooLarge] })
      return yield* request({ pipeline, run, plan: digest, config, params: values, trigger, by: who })
    }),
    asked,
    askedFor: Effect.fnUntraced(function* (run) {
      const look = Effect.map(asked, (all) => all.find((one) => one.run === run))
      return (yield* look) ?? (yield* Effect.andThen(Effect.mapError(scheduler.readOn, unready), look))
    }),
    cancel: Effect.fnUntraced(function* (run, reason, who) {
      const isAsked = yield* Orders.cancelRun(yield* book, run, reason, who).pipe(
        inNameOf(who),
        Effect.mapError(unready),
      )
      scheduler.wake("look")
      return isAsked
    }),
    passOn: Effect.fnUntraced(function* (run, answer, who) {
      const owned = yield* Effect.mapError(ledger.owned(StreamName.ofRun(run)), unready)
      if (scheduler.isTurning() || !owned) return false
      return yield* Orders.answerRun(yield* book, run, answer, who).pipe(inNameOf(who), Effect.mapError(unready))
    }),
    notCreated: (run) => Effect.map(book, (found) => found.notCreated(run)),
    retryRun: Effect.fnUntraced(function* ({ from, of, only, run, who }) {
      const recalled = yield* Resume.recall(of).pipe(Effect.provide(services), Effect.mapError(refusedOrUnready))
      const again = Takeover.plan(of, recalled, recalled.plan, { from, only })
      yield* again.pipe(Effect.provide(services), Effect.mapError(refusedOrUnready))
      const { config, params, pipeline, plan } = recalled.created
      const retry = { of, ...(from === undefined ? {} : { from }), ...(only === undefined ? {} : { only }) }
      return yield* request({
        pipeline,
        run,
        plan,
        config: config.sha256,
        params,
        trigger: "api",
        by: who,
        retry,
      })
    }),
    resumeRun: Effect.fnUntraced(function* (run, who) {
      const { created } = yield* Resume.recall(run).pipe(Effect.provide(services), Effect.mapError(refusedOrUnready))
      const owned = yield* ledger.owned(StreamName.ofRun(run)).pipe(Effect.mapError(unready))
      if (owned) return yield* new Host.HostRefused({ reason: "a process drives it already" })
      const { config, params, pipeline, plan } = created
      const data = { pipeline, run, plan, config: config.sha256, params, trigger: "api", by: who } as const
      yield* (yield* book)
        .record(pipeline, (state) => (isAsked(state, run) ? [] : [{ type: requestedType, data }]))
        .pipe(inNameOf(who), Effect.mapError(unready))
      scheduler.wake("look")
    }),
    metrics: (apiStreams) => Effect.suspend(() => DaemonMetrics.render(factsWith(apiStreams))),
  })
})

/** The host of the API: what this daemon has and does. `version` is that of the program. */
export const layer = (version: string) => Layer.effect(Host.Host, make(version))
