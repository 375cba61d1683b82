import * as Effect from "effect/Effect"
import type { Entry } from "../../domain/event.ts"
import * as RecordedRun from "../../engine/recorded-run.ts"
import * as RunFacts from "../../engine/run-facts.ts"
import { runStatus } from "../../engine/run-state.ts"
import * as ExitCode from "../exit-code.ts"
import * as Hint from "../hint.ts"
import * as Output from "../output.ts"
import * as RunView from "../render/run-view.ts"
import * as Standard from "../standard-streams.ts"
import type { DaemonClient } from "./daemon-client.ts"
import { DaemonRefused, DaemonUnreachable } from "./daemon-errors.ts"
import * as Patience from "./patience.ts"
import * as RunEvents from "./run-events.ts"

const finished = "dev.dandori.run.finished.v1"

/** Between two looks for a run that waits in the daemon's queue, milliseconds. */
const queueMillis = 250

/** Between two looks whether anything drives a run that is followed, milliseconds. */
const leftMillis = 10_000

/** What is asked of a run that is followed. */
export interface FollowOptions {
  /** Whether it was asked for just now, so that it may still wait in the daemon's queue. */
  readonly isNew: boolean
  /** Whether to stay while only people are awaited. */
  readonly wait: boolean
  readonly json: boolean
  readonly quiet: boolean
  /** How commands are told. */
  readonly hint: Hint.Hint
}

/** How a run stands as soon as it is created; one that waits in the daemon's queue is waited for. */
const begun = Effect.fnUntraced(function* (daemon: DaemonClient, run: string, isNew: boolean) {
  const patience = Patience.make((text) => Standard.write(2, `${text}\n`))
  const show = daemon.ask((api) => api.runs.show({ params: { run } }))
  let mayBeMissing = isNew
  for (;;) {
    const found = yield* patience.until(
      Effect.catchTag(show, "DaemonRefused", (error) =>
        mayBeMissing && error.code === "RunMissing" ? Effect.undefined : Effect.fail(error),
      ),
    )
    if (found !== undefined && (found.sequence > 0 || found.status !== "queued")) return found
    // Once it is known it is gone when it is not known any more.
    if (found !== undefined) mayBeMissing = false
    yield* Effect.sleep(queueMillis)
  }
})

/** Follows a run through its events until it ends, or only people are awaited, as `run` does; ends with its exit code. */
export const follow = Effect.fnUntraced(function* (daemon: DaemonClient, run: string, options: FollowOptions) {
  const { hint, isNew, json, quiet, wait } = options
  const leave = isNew ? `Run ${run} goes on.` : "The run goes on."
  const goesOn = `${leave} To follow it: ${hint.either(`runs watch ${run}`)}; to cancel it: ${hint.either(`runs cancel ${run}`)}`
  yield* Effect.gen(function* () {
    const at = yield* begun(daemon, run, isNew)
    const plan = yield* daemon.ask((api) => api.runs.plan({ params: { run } }))
    const view = yield* RunView.make({ plan, project: "", json, quiet, hint, isRemote: true })
    const facts = RunFacts.make(plan)
    const events = RunEvents.make(daemon, run)
    const patience = Patience.make(view.say)
    let isLeft = at.status === "interrupted"

    /** Whether the run waits for people as it stands now, and not only as it stood at an earlier event. */
    const awaitsPeople = Effect.gen(function* () {
      if (wait || runStatus(facts.state) !== "waiting") return false
      const { sequence } = yield* daemon.ask((api) => api.runs.show({ params: { run } }))
      return sequence === events.count()
    })
    const take = Effect.fnUntraced(function* (entry: Entry) {
      const event = { ...RecordedRun.toEvent(entry, run), run }
      RunFacts.add(facts, event)
      view.observer.onEvent(event)
      if (entry.type === finished || (isLeft && events.count() >= at.sequence)) return true
      return yield* awaitsPeople
    })
    /** Ends where the process that drove the run is gone: no event tells that. */
    const left = Effect.gen(function* () {
      while (!isLeft) {
        yield* Effect.sleep(leftMillis)
        const { sequence, status } = yield* daemon.ask((api) => api.runs.show({ params: { run } }))
        isLeft = status === "interrupted" && sequence === events.count()
      }
      return true
    })
    const connection = Effect.gen(function* () {
      if (yield* awaitsPeople) return
      const taken = events.take(take, patience.answered)
      if (yield* isLeft ? taken : Effect.raceFirst(taken, left)) return
      if (facts.state.phase === "ended") return
      return yield* new DaemonUnreachable({ url: daemon.url, reason: "it ended the stream of events" })
    })
    yield* Effect.onInterrupt(patience.until(connection), () => view.stop)
    const status = runStatus(facts.state)
    yield* view.finish({ run, state: facts.state })
    if (isLeft && status !== "waiting" && facts.state.phase !== "ended") {
      yield* Output.message(`Nobody drives this run. Go on with it: ${hint.either(`runs resume ${run}`)}`)
    }
    yield* Output.exitWith(ExitCode.ofRun(status))
  }).pipe(
    Effect.scoped,
    Effect.onInterrupt(() => Output.message(goesOn)),
    Effect.tapError((error) =>
      error instanceof DaemonUnreachable || (error instanceof DaemonRefused && error.status !== 404)
        ? Output.message(goesOn)
        : Effect.void,
    ),
  )
})
