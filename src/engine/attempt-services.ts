import * as Clock from "effect/Clock"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Logger from "effect/Logger"
import type { LimitsSection } from "../domain/config/limits.ts"
import { Attempt } from "../services/attempt.ts"
import { AttemptFiles, type AttemptLog } from "../services/attempt-files.ts"
import { LifeSign } from "../services/life-sign.ts"
import { Observer, type RunObserver } from "../services/observer.ts"
import { ProcessMark } from "../services/process-launch.ts"
import { Progress } from "../services/progress.ts"
import { Secrets } from "../services/secrets.ts"
import { Settings } from "../services/settings.ts"
import type { Started } from "./attempt-run.ts"
import type { RunContext } from "./run-context.ts"

/** What the attempts of an execution share, looked up once. */
export interface Shared {
  readonly files: AttemptFiles["Service"]
  readonly observer: RunObserver
  readonly secrets: Secrets["Service"]
  readonly limits: LimitsSection
  /** Milliseconds that pass, whatever happens to the clock meanwhile. */
  readonly millis: () => number
}

/** What is shared, from the execution's own services. */
export const shared = Effect.gen(function* () {
  const clock = yield* Clock.clockWith(Effect.succeed)
  const { limits } = (yield* Settings).sections
  const millis = () => Number(clock.monotonicTimeNanosUnsafe()) / 1e6
  const services = { files: yield* AttemptFiles, observer: yield* Observer, secrets: yield* Secrets }
  return { ...services, limits, millis } satisfies Shared
})

/** Effect's own log goes into the log of the attempt that writes it. */
const loggers: ReadonlySet<Logger.Logger<unknown, unknown>> = new Set([
  Logger.make<unknown, void>(({ fiber, logLevel, message }) => {
    const own = Context.getOrUndefined(fiber.context, Attempt)
    if (own !== undefined) Effect.runSync(own.log(`${logLevel}: ${String(message)}`))
  }),
])

/** The attempt as its task sees it, with how its log is closed. */
const attemptOf = (
  { files, observer, secrets }: Shared,
  run: RunContext,
  { approvedBy, attempt, handles, intent, task }: Started,
  facts: Record<string, unknown>,
  beat: (() => void) | undefined,
) => {
  let log: AttemptLog | undefined
  const line = (text: string) => {
    beat?.()
    const safe = secrets.redact(text)
    log ??= files.openLog(run.id, task.id, attempt, ({ message }) => {
      facts.logLost = message
      observer.onLog(task.id, `What follows is not kept. ${message}`)
    })
    log.write(safe)
    observer.onLog(task.id, safe)
  }
  const own: Attempt["Service"] = {
    run: run.id,
    pipeline: run.pipeline,
    task: task.id,
    attempt,
    plan: run.plan,
    env: run.env,
    idempotencyKey: `${run.id}/${task.id}`,
    intent,
    runCreated: run.created,
    who: run.who,
    requester: run.requester,
    approvedBy,
    ...(handles === undefined ? {} : { handles }),
    get scratch() {
      return files.scratch(run.id, task.id, attempt)
    },
    log: (text) => Effect.sync(() => line(text)),
    note: (added) => Effect.sync(() => void Object.assign(facts, added)),
  }
  return { own, closeLog: Effect.sync(() => log?.close()) }
}

const progressOf = (
  { observer, secrets }: Shared,
  task: string,
  beat: (() => void) | undefined,
): Progress["Service"] => ({
  report: (report) =>
    Effect.sync(() => {
      beat?.()
      const { note } = report
      observer.onProgress(task, note === undefined ? report : { ...report, note: secrets.redact(note) })
    }),
})

/**
 * Gives an effect the services of one attempt: `Attempt`, `Progress`, the log, the mark of its child processes; the log
 * is closed with it. The same for the attempt's run and its probe. Facts that are noted go into `facts`.
 */
export const around = (
  shared: Shared,
  run: RunContext,
  started: Started,
  facts: Record<string, unknown>,
  beat?: () => void,
) => {
  const { attempt, task } = started
  const { closeLog, own } = attemptOf(shared, run, started, facts, beat)
  const progress = progressOf(shared, task.id, beat)
  const memoryBytes = task.resources?.memory
  const mark = { run: run.id, task: task.id, attempt, ...(memoryBytes === undefined ? {} : { memoryBytes }) }
  return <A, E, R>(effect: Effect.Effect<A, E, R>) =>
    Effect.ensuring(
      Effect.updateContext(effect, (context: Context.Context<Exclude<R, Attempt | Progress>>) => {
        const marked = Context.add(Context.add(context, ProcessMark, mark), Logger.CurrentLoggers, loggers)
        const listened = beat === undefined ? marked : Context.add(marked, LifeSign, beat)
        return Context.add(Context.add(listened, Attempt, own), Progress, progress) as Context.Context<R>
      }),
      closeLog,
    )
}
