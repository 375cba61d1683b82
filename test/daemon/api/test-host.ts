import * as Fs from "node:fs/promises"
import { join } from "node:path"
import * as Clock from "effect/Clock"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import { compileFile } from "../../../src/compiler/compile-file.ts"
import * as Host from "../../../src/daemon/host.ts"
import type { Actor } from "../../../src/domain/actor.ts"
import { timeText } from "../../../src/domain/occurrence.ts"
import * as ParamValues from "../../../src/domain/param-values.ts"
import * as Plan from "../../../src/domain/plan.ts"
import * as Resume from "../../../src/engine/resume.ts"
import * as Run from "../../../src/engine/run.ts"
import * as Takeover from "../../../src/engine/takeover.ts"
import { Ledger } from "../../../src/ledger/ledger.ts"
import * as StreamName from "../../../src/ledger/stream-name.ts"
import * as Occurrences from "../../../src/scheduler/occurrences.ts"
import { Observer } from "../../../src/services/observer.ts"
import * as SettingsFiles from "../../../src/services/settings-files.ts"
import type * as Project from "../../../src/cli/project.ts"

const capacity = { cpu: 4, memory: 2 ** 32, gpu: 0, pools: {}, attempts: 16 }

/** A host that runs a folder's pipelines through the real engine, and keeps what was paused in its memory. */
export const layer = (
  { configuration, project }: Pick<Project.Options, "configuration" | "project">,
  standing: { current: Host.HostState },
) =>
  Layer.effect(
    Host.Host,
    Effect.gen(function* () {
      const services = yield* Effect.context<Effect.Services<ReturnType<typeof Run.start>>>()
      const scope = yield* Effect.scope
      const ledger = yield* Ledger
      const folder = join(project, "pipelines")
      const paused = new Map<string, { readonly since: string; readonly by: string; readonly reason: string }>()
      /** How many ticks are left of each. */
      const backfills = new Map<string, number>()
      const files = Effect.promise(() => Fs.readdir(folder))
      const compile = (file: string) => compileFile(join(folder, file)).pipe(Effect.provide(services))

      const planOf = Effect.fnUntraced(function* (id: string) {
        const file = (yield* files).find((name) => name === `${id}.yaml`)
        if (file === undefined) return yield* new Host.PipelineNotDeployed({ pipeline: id })
        return yield* Effect.map(Effect.orDie(compile(file)), ({ plan }) => plan)
      })

      const drive = Effect.fnUntraced(function* (
        plan: Plan.Plan,
        run: string,
        params: Readonly<Record<string, unknown>>,
        who: Actor,
        takeover?: Takeover.Takeover,
      ) {
        if ((yield* Effect.orDie(ledger.runs)).includes(run)) return { run, isNew: false }
        const created = yield* Deferred.make<void, Host.HostRefused>()
        const observer = { onProgress: () => {}, onLog: () => {}, onWaiting: () => {} }
        const onEvent = () => void Deferred.doneUnsafe(created, Effect.void)
        yield* Run.start({
          plan,
          params,
          id: run,
          by: who,
          who: who.authid,
          env: "dev",
          environment: {},
          config: SettingsFiles.resolved(configuration),
          capacity,
          durability: "fsync",
          ...(takeover === undefined ? {} : { takeover }),
        }).pipe(
          Effect.provideService(Observer, { ...observer, onEvent }),
          Effect.catch((error) => Deferred.fail(created, new Host.HostRefused({ reason: error.message }))),
          Effect.provide(services),
          Effect.forkIn(scope),
        )
        yield* Deferred.await(created)
        return { run, isNew: true }
      })

      const viewOf = Effect.fnUntraced(function* (id: string) {
        const { schedule } = yield* Effect.mapError(planOf(id), () => new Host.ScheduleMissing({ pipeline: id }))
        if (schedule === undefined) return yield* new Host.ScheduleMissing({ pipeline: id })
        const next = Occurrences.following(schedule, yield* Clock.currentTimeMillis, 5).map(({ at }) => timeText(at))
        const is = paused.get(id)
        return { pipeline: id, schedule, next, recent: [], ...(is === undefined ? {} : { paused: is }) }
      })

      return Host.Host.of({
        state: Effect.sync(() => standing.current),
        pipelines: Effect.gen(function* () {
          const names = (yield* files).toSorted()
          return yield* Effect.forEach(names, (file) =>
            compile(file).pipe(
              Effect.map(({ plan }): Host.PipelineView => ({
                id: plan.id,
                file: `pipelines/${file}`,
                plan: Plan.digest(plan),
                ...(plan.schedule === undefined ? {} : { schedule: plan.schedule }),
              })),
              Effect.catch(({ message }) =>
                Effect.succeed<Host.PipelineView>({
                  id: file.replace(/\.yaml$/, ""),
                  file: `pipelines/${file}`,
                  broken: { message, since: "2026-01-01T00:00:00Z" },
                }),
              ),
            ),
          )
        }),
        problem: Effect.undefined,
        plan: planOf,
        schedules: Effect.gen(function* () {
          const names = (yield* files).map((file) => file.replace(/\.yaml$/, ""))
          const found = yield* Effect.forEach(names, (id) => Effect.option(viewOf(id)))
          return found.flatMap((one) => (one._tag === "Some" ? [one.value] : []))
        }),
        schedule: viewOf,
        pause: Effect.fnUntraced(function* (id, reason, who) {
          yield* viewOf(id)
          const since = new Date(yield* Clock.currentTimeMillis).toISOString()
          if (!paused.has(id)) paused.set(id, { since, by: who.authid, reason })
          return yield* viewOf(id)
        }),
        resume: Effect.fnUntraced(function* (id) {
          paused.delete(id)
          return yield* viewOf(id)
        }),
        backfill: Effect.fnUntraced(function* ({ from, pipeline, to }) {
          const { schedule } = yield* viewOf(pipeline)
          if (from >= to) return yield* new Host.HostRefused({ reason: "from is not before to" })
          const ticks = [...Occurrences.between(schedule, Date.parse(from), Date.parse(to))].slice(0, 100)
          const id = Bun.randomUUIDv7()
          backfills.set(id, ticks.length)
          return { backfill: id, runs: ticks.map(({ at }) => ({ tick: timeText(at), run: Bun.randomUUIDv7() })) }
        }),
        cancelBackfill: Effect.fnUntraced(function* (pipeline, backfill) {
          const left = backfills.get(backfill)
          if (left === undefined) return yield* new Host.BackfillMissing({ pipeline, backfill })
          backfills.delete(backfill)
          return left
        }),
        start: Effect.fnUntraced(function* ({ params, pipeline, run, who }) {
          const plan = yield* planOf(pipeline)
          const found = ParamValues.complete(plan.params, params)
          if (found.problems.length > 0) {
            return yield* new Host.ParamsRefused({ pipeline, problems: found.problems })
          }
          return yield* drive(plan, run, found.values, who)
        }),
        asked: Effect.succeed([]),
        askedFor: () => Effect.undefined,
        cancel: () => Effect.succeed(false),
        passOn: () => Effect.succeed(false),
        notCreated: () => Effect.undefined,
        retryRun: Effect.fnUntraced(function* ({ from, of, only, run, who }) {
          const refused = ({ message }: { readonly message: string }) => new Host.HostRefused({ reason: message })
          const recalled = yield* Effect.mapError(Effect.provide(Resume.recall(of), services), refused)
          const asked = { from, only }
          const takeover = yield* Takeover.plan(of, recalled, recalled.plan, asked).pipe(
            Effect.provide(services),
            Effect.mapError(refused),
          )
          return yield* drive(recalled.plan, run, recalled.created.params, who, takeover)
        }),
        resumeRun: Effect.fnUntraced(function* (run, who) {
          const refused = ({ message }: { readonly message: string }) => new Host.HostRefused({ reason: message })
          const recalled = yield* Effect.mapError(Effect.provide(Resume.recall(run), services), refused)
          if (yield* Effect.orDie(ledger.owned(StreamName.ofRun(run)))) {
            return yield* new Host.HostRefused({ reason: "a process drives it already" })
          }
          const now = yield* Clock.currentTimeMillis
          yield* Resume.resume(run, recalled, { capacity, who: who.authid, now }).pipe(
            Effect.ignore,
            Effect.provide(services),
            Effect.forkIn(scope),
          )
        }),
        metrics: () => Effect.succeed("# TYPE dandori_runs gauge\ndandori_runs 0\n# EOF\n"),
      })
    }),
  )
