import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import * as DaemonConfig from "../../../src/domain/config/daemon.ts"
import type { Sections } from "../../../src/domain/config/sections.ts"
import type { Cordon, Starter } from "../../../src/domain/cordon.ts"
import type { Event } from "../../../src/domain/event.ts"
import type { FinalRunStatus } from "../../../src/domain/final-run-status.ts"
import * as Sha256 from "../../../src/domain/sha256.ts"
import { type Pipeline, Pipelines } from "../../../src/daemon/pipelines.ts"
import { Runner } from "../../../src/daemon/runner.ts"
import { type Place, Surroundings } from "../../../src/daemon/surroundings.ts"
import { Ledger } from "../../../src/ledger/ledger.ts"
import { Artifacts } from "../../../src/services/artifacts.ts"
import { Cordons } from "../../../src/services/cordons.ts"
import { ServiceManager } from "../../../src/services/service-manager.ts"
import { Settings } from "../../../src/services/settings.ts"
import type { Chance } from "../../../src/simulation/chance.ts"
import type * as VirtualClock from "../../../src/testing/virtual-clock.ts"
import type { Deployment } from "./drawn-schedule.ts"

export const env = "dev"
/** Runs of one schedule that may wait. */
export const queue = 3
/** Runs that a daemon lets go on at once. */
export const atOnce = 4

/** A run that has begun; `end` is the time of the virtual clock at which it ends. */
interface Begun {
  end: number
  status: FinalRunStatus
  /** That its end was set anew. */
  readonly cancelled: Deferred.Deferred<void>
}

/** What the streams say of a run. */
interface Recorded {
  readonly pipeline: string
  readonly of: "schedule" | "backfill"
  /** Whether others of its schedule may go on beside it. */
  readonly beside: boolean
}

/** What stays when processes end: what is deployed, the cordons, and the runs with what became of them. */
export interface World {
  readonly deployed: Map<string, Deployment>
  readonly cordons: Map<string, Cordon>
  /** Tells that what is deployed has changed. */
  readonly redeployed: () => void
  /** Takes note of what got into the stream of schedules. */
  readonly written: (events: ReadonlyArray<Event>) => void
  readonly begun: ReadonlyMap<string, Begun>
  /** What must not be, and was. */
  readonly violations: Array<string>
  /** All that a scheduler is surrounded by, with a ledger; for each process anew. */
  readonly around: (
    ledger: Ledger["Service"],
  ) => Layer.Layer<Surroundings | Pipelines | Runner | Cordons | ServiceManager | Settings | Artifacts | Ledger>
}

const hour = 3_600_000
const config = Sha256.of("config")
const since = "2026-01-01T00:00:00Z"

/** How runs end. */
const endings = ["succeeded", "succeeded", "succeeded", "warned", "failed", "failed", "cancelled", "timed_out"] as const

const running = (end: number, status: FinalRunStatus): Begun => ({
  end,
  status,
  cancelled: Deferred.makeUnsafe<void>(),
})

export const make = (virtual: VirtualClock.VirtualClock, chance: Chance): World => {
  const deployed = new Map<string, Deployment>()
  const cordons = new Map<string, Cordon>()
  const recorded = new Map<string, Recorded>()
  const begun = new Map<string, Begun>()
  /** Runs of schedules that go on. */
  const going = new Map<string, Set<string>>()
  const overlaps = new Map<string, string>()
  const calledOff = new Set<string>()
  const violations: Array<string> = []
  let version = 0
  const now = () => virtual.currentTimeMillisUnsafe()

  const written = (events: ReadonlyArray<Event>) => {
    for (const { data, type } of events) {
      if (type === "dev.dandori.schedule.run.ended.v1" && data.reason?.includes("before it began")) {
        calledOff.add(data.run)
        if (begun.has(data.run)) violations.push(`run ${data.run} was called off after it had begun`)
      }
      if (type === "dev.dandori.schedule.deployed.v1") overlaps.set(data.pipeline, data.schedule.overlap)
      if (type !== "dev.dandori.schedule.tick.closed.v1" || data.outcome.is !== "ran") continue
      const { pipeline } = data
      recorded.set(data.outcome.run, { pipeline, of: "schedule", beside: overlaps.get(pipeline) === "allow" })
    }
  }

  const begin = (run: string, trigger: string): Begun => {
    const of = recorded.get(run)
    if (calledOff.has(run)) violations.push(`run ${run} began after it was called off`)
    const one = running(now() + chance.millis(1_000, 2 * hour), chance.among(endings))
    begun.set(run, one)
    if (trigger !== "schedule") return one
    if (of === undefined) {
      violations.push(`run ${run} began, and no tick was recorded for it`)
      return one
    }
    const others = going.get(of.pipeline) ?? new Set()
    going.set(of.pipeline, others)
    for (const other of others) if ((begun.get(other)?.end ?? 0) <= now()) others.delete(other)
    if (others.size > 0 && !of.beside) {
      violations.push(`run ${run} of ${of.pipeline} began while ${[...others].join()} went on`)
    }
    others.add(run)
    return one
  }

  const runner = Runner.of({
    answer: () => Effect.void,
    callOff: () => {},
    drained: Effect.void,
    // A run that is asked to end does so in a moment.
    cancel: ({ run }) =>
      Effect.gen(function* () {
        const one = begun.get(run)
        if (one === undefined || one.end <= now() + 2_000) return
        one.end = now() + 2_000
        one.status = "cancelled"
        yield* Deferred.succeed(one.cancelled, undefined)
      }),
    counts: () => ({ queued: 0, running: 0 }),
    seeThrough: ({ run, trigger }, note) =>
      Effect.gen(function* () {
        // Some cannot be started at all.
        if (!begun.has(run) && chance.hits(0.02)) {
          begun.set(run, running(now(), "failed"))
          return yield* note({ status: "failed", reason: "its params do not fit" })
        }
        const one = begun.get(run) ?? begin(run, trigger)
        while (one.end > now()) {
          const wait = Effect.sleep(one.end - now())
          const isCancelled = Deferred.isDoneUnsafe(one.cancelled)
          yield* isCancelled ? wait : Effect.raceFirst(wait, Deferred.await(one.cancelled))
        }
        return yield* note({ status: one.status })
      }),
  })

  const pipelines = () => {
    let seen = -1
    let current: ReadonlyMap<string, Pipeline> = new Map()
    const take = () => {
      seen = version
      current = new Map(
        [...deployed].map(([id, { digest, plan }]) => [
          id,
          { id, isGone: false, file: `/${id}.yaml`, deployed: { plan, digest, config, since, who: "ada" } },
        ]),
      )
    }
    return Pipelines.of({
      current: () => current,
      recall: Effect.sync(take),
      problem: () => undefined,
      reload: (anew) =>
        Effect.sync(() => {
          if (!anew && seen === version) return false
          take()
          return true
        }),
    })
  }

  return {
    deployed,
    cordons,
    redeployed: () => void version++,
    written,
    begun,
    violations,
    around: (ledger) =>
      Layer.mergeAll(
        Layer.succeed(Ledger, ledger),
        Layer.succeed(Artifacts, {} as Artifacts["Service"]),
        Layer.succeed(Runner, runner),
        Layer.sync(Pipelines, pipelines),
        Layer.succeed(Surroundings, {
          project: "/",
          home: "/",
          env,
          who: "tester",
          place: () => Effect.succeed({} as Place),
          environment: () => Effect.succeed({}),
          say: () => Effect.void,
          giveBack: Effect.void,
        }),
        Layer.succeed(Cordons, {
          list: Effect.sync(() => [...cordons.values()]),
          look: Effect.succeed(({ pipeline }: Starter) => Option.fromUndefinedOr(cordons.get(pipeline))),
          against: ({ pipeline }) => Effect.sync(() => Option.fromUndefinedOr(cordons.get(pipeline))),
          raise: () => Effect.never,
          lift: () => Effect.never,
        }),
        Layer.succeed(ServiceManager, { watchdogMillis: undefined, tell: () => Effect.void }),
        Layer.succeed(Settings, {
          env,
          sections: { daemon: { ...DaemonConfig.usual, queue, max_runs: atOnce } } as Sections,
          digest: () => config,
        }),
      ),
  }
}
