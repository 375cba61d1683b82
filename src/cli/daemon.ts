import { resolve } from "node:path"
import * as Clock from "effect/Clock"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Latch from "effect/Latch"
import * as Layer from "effect/Layer"
import { millisOf } from "../domain/config/daemon.ts"
import * as Api from "../daemon/api/api.ts"
import type { ListenFailed } from "../daemon/api/server.ts"
import * as Host from "../daemon/daemon-host.ts"
import * as Daemon from "../daemon/daemon.ts"
import { Leadership } from "../daemon/leadership.ts"
import { Scheduler } from "../daemon/scheduler.ts"
import { Surroundings, SurroundingsMissing } from "../daemon/surroundings.ts"
import { Drain } from "../engine/drain.ts"
import type { RunResult } from "../engine/run.ts"
import type { Ledger } from "../ledger/ledger.ts"
import type { LedgerKey } from "../ledger/keys.ts"
import type { Inbox } from "../services/inbox.ts"
import { Stores } from "../ledger/stores.ts"
import * as ArrivedFiles from "../services/arrived-files.ts"
import * as StartKeys from "../services/start-keys.ts"
import * as Tokens from "../services/tokens-sql.ts"
import { version } from "../../package.json"
import { Leases } from "../services/leases.ts"
import * as MachineCode from "../services/machine-code.ts"
import * as Outage from "../services/outage.ts"
import { skipGrace } from "../services/process-groups.ts"
import * as DeadMan from "../services/dead-man.ts"
import * as LocalSocket from "../services/local-socket.ts"
import * as Memory from "../services/memory.ts"
import { ServiceManager } from "../services/service-manager.ts"
import * as SettingsFiles from "../services/settings-files.ts"
import * as WorkspaceFiles from "../services/workspace-files.ts"
import { exitCodes } from "./exit-code.ts"
import { oneStopMillis } from "./interrupts.ts"
import * as LeasePlace from "./lease-place.ts"
import type * as LedgerPlace from "./ledger-place.ts"
import * as Logging from "./logging.ts"
import * as Notifications from "./notifications.ts"
import * as Output from "./output.ts"
import * as Params from "./params.ts"
import * as Project from "./project.ts"
import * as SignalPass from "./signal-pass.ts"
import { who } from "./who.ts"

/** How often it is looked whether the local socket is free, milliseconds. */
const socketEvery = 2_000

const missing = ({ message }: { readonly message: string }) => new SurroundingsMissing({ reason: message })

/** What runs of a daemon have around them: as those of a command line, but for the person. */
const surroundings = (project: string, home: string, env: string, say: (text: string) => Effect.Effect<void>) =>
  Layer.effect(
    Surroundings,
    Effect.gen(function* () {
      const shared = yield* Effect.context<Ledger | LedgerKey | Inbox>()
      const place = Effect.fnUntraced(function* (configuration: SettingsFiles.Configuration) {
        const options = { project, home, configuration, shared, anyPath: false }
        const services = yield* Layer.build(Project.services(options)).pipe(Effect.mapError(missing))
        const afterRun = Effect.fnUntraced(function* (result: RunResult, only: string | undefined) {
          yield* SignalPass.afterRun
          yield* Notifications.afterRun(only)(result)
          if (configuration.sections.exporters.exporters.length === 0) return
          const exports = yield* Effect.promise(() => import("./export-pass.ts"))
          yield* exports.afterRun({ project, home, configuration })
        }, Effect.provide(services))
        return { services, capacity: Project.capacityOf(configuration), afterRun }
      })
      return {
        project,
        home,
        env,
        who: who(),
        say,
        giveBack: Memory.giveBack,
        environment: (plan) => Effect.mapError(Params.environment(plan, process.env), missing),
        place,
      }
    }),
  )

/** How long attempts that were interrupted after the grace have for their own end at most, milliseconds. */
const interruptedMillis = 15_000

/**
 * SIGTERM and Ctrl-C stop the daemon in order: no new ticks, and running attempts have `shutdown_grace` to end, which a
 * second signal skips; then they are interrupted. SIGHUP reloads. What is left of a run is resumed by the next process. Gives
 * what fails with the first Ctrl-C; SIGTERM interrupts by itself.
 */
const listen = (grace: string, reload: () => void, say: (text: string) => Effect.Effect<void>) =>
  Effect.acquireRelease(
    Effect.gen(function* () {
      const drain = yield* Drain
      const interrupted = Deferred.makeUnsafe<never, Output.Exit>()
      let stopped: number | undefined
      const stop = () => {
        const now = performance.now()
        if (stopped !== undefined) {
          if (now - stopped < oneStopMillis) return
          Effect.runFork(Effect.andThen(say("Skipping the grace: child processes are killed"), skipGrace))
          return
        }
        stopped = now
        drain.openUnsafe()
        Effect.runFork(Outage.hasten)
        Effect.runFork(
          say(`Stopping: running attempts have ${grace} to end; what is left of runs is resumed by the next process`),
        )
        setTimeout(() => Effect.runFork(skipGrace), millisOf(grace) + interruptedMillis).unref()
      }
      const onInterrupt = () => {
        stop()
        Deferred.doneUnsafe(interrupted, new Output.Exit({ exitCode: exitCodes.interrupted }))
      }
      const heard = [
        ["SIGHUP", reload],
        ["SIGTERM", stop],
        ["SIGINT", onInterrupt],
      ] as const
      const others = process.listeners("SIGHUP")
      process.removeAllListeners("SIGHUP")
      // Before the one that interrupts: what is interrupted asks whether the process is being stopped.
      for (const [signal, listener] of heard) process.prependListener(signal, listener)
      return { others, heard, interrupted }
    }),
    ({ heard, others }) =>
      Effect.sync(() => {
        for (const [signal, listener] of heard) process.off(signal, listener)
        for (const other of others) process.on("SIGHUP", other)
      }),
  ).pipe(Effect.map(({ interrupted }) => Deferred.await(interrupted)))

/** Listens on the local socket, as soon as no other daemon of the project does. */
const untilFree = <R>(
  listening: Effect.Effect<void, ListenFailed, R>,
  say: (text: string) => Effect.Effect<void>,
): Effect.Effect<void, never, R> =>
  Effect.catch(listening, ({ cause, message }) => {
    const text =
      cause instanceof LocalSocket.SocketTaken
        ? `Another daemon of this project listens on ${cause.path}; this one takes the socket over when that one is gone`
        : message
    return Effect.andThen(say(text), Effect.retry(Effect.delay(listening, socketEvery), { while: () => true }))
  }).pipe(Effect.ignore)

/** The leases of leaders, beside those of runs. */
const leadership = (place: LedgerPlace.Place) =>
  Layer.effect(Leadership, Effect.service(Leases)).pipe(
    Layer.provide(LeasePlace.layer(place, { termMillis: Leadership.termMillis })),
  )

/** Schedules and runs the pipelines of the project until it is stopped. */
export const runDaemon = Effect.fnUntraced(function* (host: string | undefined, givenPort: number | undefined) {
  MachineCode.byLoad()
  const { env, flags, home, project } = yield* Project.find
  const configuration = yield* SettingsFiles.load(project, env)
  yield* WorkspaceFiles.makeHome(home)
  const say = (text: string) =>
    Effect.flatMap(Clock.currentTimeMillis, (now) => {
      const time = new Date(now).toISOString()
      if (flags.json) return Output.json({ v: 1, kind: "note", time, text })
      return Output.message(`${time}  ${text}`)
    })
  const { shutdown_grace } = configuration.sections.daemon
  const { database } = configuration.sections
  return yield* Effect.gen(function* () {
    const scheduler = yield* Scheduler
    const interrupted = yield* listen(shutdown_grace, () => scheduler.wake("reload"), say)
    yield* say(`dandori daemon, env ${env}, project ${project}, process ${process.pid}`)
    const { allowed_hosts: allowedHosts, ...section } = configuration.sections.daemon
    // Before anybody is told that there is a daemon.
    if (section.dead_man.file !== undefined) yield* DeadMan.tryFile(resolve(project, section.dead_man.file))
    const { onSocket, port } = yield* Api.serve({
      host: host ?? section.host,
      port: givenPort ?? section.port,
      limits: section.limits,
      allowedHosts,
      localUser: { authid: who(), authtype: "user" },
    })
    yield* say(`The API listens on http://${host ?? section.host}:${port}/api/v1`)
    yield* Effect.forkScoped(untilFree(onSocket(LocalSocket.daemonIn(home)), say))
    return yield* Effect.raceFirst(Daemon.run, interrupted)
  }).pipe(
    Effect.provide(
      Host.layer(version).pipe(
        Layer.provideMerge(Daemon.layer),
        Layer.provideMerge(Stores.layer),
        Layer.provideMerge(
          Layer.mergeAll(Tokens.layerOf(database), StartKeys.layerOf(database), ArrivedFiles.layerOf(database)),
        ),
        Layer.provideMerge(surroundings(project, home, env, say)),
        Layer.provideMerge(ServiceManager.layer),
        Layer.provideMerge(leadership({ project, home, env: configuration.env })),
        Layer.provideMerge(Project.services({ project, home, configuration })),
      ),
    ),
    Effect.scoped,
    // What is logged goes where all else goes that a daemon says.
    Effect.provide(Logging.layer(say)),
    Effect.provideService(Drain, Latch.makeUnsafe(false)),
    Effect.onInterrupt(() => Effect.sync(() => void (process.exitCode === 143 && (process.exitCode = 0)))),
  )
})
