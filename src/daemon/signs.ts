import { hostname } from "node:os"
import { resolve } from "node:path"
import * as Effect from "effect/Effect"
import * as Redacted from "effect/Redacted"
import * as Stream from "effect/Stream"
import * as ClockLook from "../domain/clock-look.ts"
import { millisOf } from "../domain/config/daemon.ts"
import * as DaemonMetrics from "../exporters/daemon-metrics.ts"
import { Ledger } from "../ledger/ledger.ts"
import * as ClockWatch from "../services/clock-watch.ts"
import * as DeadMan from "../services/dead-man.ts"
import { Secrets } from "../services/secrets.ts"
import { ServiceManager } from "../services/service-manager.ts"
import { Settings } from "../services/settings.ts"
import { Scheduler } from "./scheduler.ts"
import { Surroundings } from "./surroundings.ts"

/** A scheduler that has not turned for so long does not do its work, milliseconds. */
const turnMillis = 15_000

const said = ({ from, is, to, ...seen }: ClockLook.Seen): string => {
  if ("by" in seen) return `The clock was set by ${(seen.by / 1_000).toFixed(1)} s, to ${new Date(to).toISOString()}`
  const asleep = seen.asleep > 0 ? `; the machine slept for ${(seen.asleep / 1_000).toFixed(1)} s of it` : ""
  return `The process ${is} for ${(seen.millis / 1_000).toFixed(1)} s, from ${new Date(from).toISOString()} on${asleep}`
}

/** Records what is seen of the clocks, and lets the scheduler look at once: what is due may have changed. */
const watchClocks = Effect.gen(function* () {
  const ledger = yield* Ledger
  const scheduler = yield* Scheduler
  const { say } = yield* Surroundings
  const { env } = yield* Settings
  const where = { env, host: hostname() }
  yield* Stream.runForEach(ClockWatch.seen, (seen) =>
    Effect.gen(function* () {
      scheduler.wake("look")
      yield* DaemonMetrics.clockSeen(seen.is)
      yield* say(said(seen))
      yield* ledger
        .record("system", [ClockLook.recordOf(seen, where)])
        .pipe(Effect.catch(({ message }) => say(`That is not recorded: ${message}`)))
    }),
  )
})

/** The dead-man signal, which leaves while the scheduler turns, or stands by for another one. */
const deadMan = Effect.gen(function* () {
  const scheduler = yield* Scheduler
  const { project } = yield* Surroundings
  const serviceManager = yield* ServiceManager
  const secrets = yield* Secrets
  const { every, file, url } = (yield* Settings).sections.daemon.dead_man
  return yield* DeadMan.make({
    everyMillis: millisOf(every),
    ...(file === undefined ? {} : { file: resolve(project, file) }),
    ...(url === undefined ? {} : { url: Effect.map(secrets.resolve(url), Redacted.value) }),
    serviceManager,
    healthy: Effect.map(scheduler.sinceTurn, (millis) => millis === undefined || millis < turnMillis),
    onTry: DaemonMetrics.deadManTried,
  })
})

/** Begins what is to be seen of a daemon from outside: the dead-man signal, steps of the clock, and that it is ready. */
export const begin = Effect.gen(function* () {
  const { tell } = yield* ServiceManager
  const { run } = yield* deadMan
  yield* Effect.forkScoped(run)
  yield* Effect.forkScoped(watchClocks)
  yield* Effect.ignore(tell("ready"))
  yield* Effect.addFinalizer(() => Effect.ignore(tell("stopping")))
})
