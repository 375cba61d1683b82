import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Clock from "effect/Clock"
import { millisOf } from "../domain/config/daemon.ts"
import * as Daemon from "../daemon/daemon.ts"
import { Scheduler } from "../daemon/scheduler.ts"
import { Surroundings, SurroundingsMissing } from "../daemon/surroundings.ts"
import type { RunResult } from "../engine/run.ts"
import * as MachineCode from "../services/machine-code.ts"
import * as Outage from "../services/outage.ts"
import { skipGrace } from "../services/process-groups.ts"
import { ServiceManager } from "../services/service-manager.ts"
import * as SettingsFiles from "../services/settings-files.ts"
import * as WorkspaceFiles from "../services/workspace-files.ts"
import * as Notifications from "./notifications.ts"
import * as Output from "./output.ts"
import * as Params from "./params.ts"
import * as Project from "./project.ts"
import * as SignalPass from "./signal-pass.ts"
import { who } from "./who.ts"

const missing = ({ message }: { readonly message: string }) => new SurroundingsMissing({ reason: message })

/** What runs of a daemon have around them: as those of a command line, but for the person. */
const surroundings = (project: string, home: string, env: string, say: (text: string) => Effect.Effect<void>) =>
  Layer.succeed(Surroundings, {
    project,
    home,
    env,
    who: who(),
    say,
    environment: (plan) => Effect.mapError(Params.environment(plan, process.env), missing),
    place: (configuration) =>
      Effect.gen(function* () {
        const services = yield* Layer.build(Project.services({ project, home, configuration }))
        return {
          services,
          capacity: Project.capacityOf(configuration),
          afterRun: (result: RunResult) =>
            Effect.gen(function* () {
              yield* SignalPass.afterRun
              yield* Notifications.afterRun(undefined)(result)
              if (configuration.sections.exporters.exporters.length > 0) {
                const { afterRun } = yield* Effect.promise(() => import("./export-pass.ts"))
                yield* afterRun({ project, home, configuration })
              }
            }).pipe(Effect.provide(services)),
        }
      }).pipe(Effect.mapError(missing)),
  })

/**
 * SIGTERM and Ctrl-C stop the daemon in order: no new ticks, and running attempts get their grace; SIGHUP reloads. What
 * is left of a run is resumed by the next process.
 */
const listen = (graceMillis: number, reload: () => void, say: (text: string) => Effect.Effect<void>) =>
  Effect.acquireRelease(
    Effect.sync(() => {
      const others = process.listeners("SIGHUP")
      process.removeAllListeners("SIGHUP")
      process.on("SIGHUP", reload)
      const onStop = () => {
        Effect.runFork(Outage.hasten)
        Effect.runFork(
          say("Stopping: running attempts get their grace; what is left of runs is resumed by the next process"),
        )
        setTimeout(() => Effect.runFork(skipGrace), graceMillis).unref()
      }
      process.once("SIGTERM", onStop)
      return { others, onStop }
    }),
    ({ onStop, others }) =>
      Effect.sync(() => {
        process.off("SIGHUP", reload)
        process.off("SIGTERM", onStop)
        for (const other of others) process.on("SIGHUP", other)
      }),
  )

/** Schedules and runs the pipelines of the project until it is stopped. */
export const runDaemon = Effect.fnUntraced(function* () {
  MachineCode.usual()
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
  return yield* Effect.gen(function* () {
    const scheduler = yield* Scheduler
    yield* listen(millisOf(shutdown_grace), () => scheduler.wake("reload"), say)
    yield* say(`dandori daemon, env ${env}, project ${project}, process ${process.pid}`)
    return yield* Daemon.run
  }).pipe(
    Effect.provide(
      Daemon.layer.pipe(
        Layer.provideMerge(surroundings(project, home, env, say)),
        Layer.provideMerge(ServiceManager.layer),
        Layer.provideMerge(Project.services({ project, home, configuration })),
      ),
    ),
    Effect.scoped,
    Effect.onInterrupt(() => Effect.sync(() => void (process.exitCode === 143 && (process.exitCode = 0)))),
  )
})
