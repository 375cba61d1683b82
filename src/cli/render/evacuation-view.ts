import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import type { EvacuationOutcome } from "../../domain/evacuation-outcome.ts"
import type { Plan } from "../../domain/plan.ts"
import type { RunObserver } from "../../services/observer.ts"
import type { Hint } from "../hint.ts"
import * as Output from "../output.ts"
import * as Standard from "../standard-streams.ts"
import { timeOfDay } from "./duration.ts"
import * as EvacuationFacts from "./evacuation-facts.ts"
import * as EvacuationFrame from "./evacuation-frame.ts"
import * as Statement from "./evacuation-statement.ts"
import { eventLine, waitingLine } from "./event-line.ts"
import { pad } from "./line.ts"
import * as LiveView from "./live-view.ts"
import * as RunFacts from "../../engine/run-facts.ts"

/** How a person or a program watches an evacuation. */
export interface EvacuationView {
  readonly observer: RunObserver
  /** A line beside the view, on standard error. */
  readonly say: (text: string) => void
  /** Ends what is live; the last picture stays. */
  readonly stop: Effect.Effect<void>
  /** Says how to go on with an evacuation that is left before its end. */
  readonly left: Effect.Effect<void>
  /** Another run follows: what the one before has answered counts no more. */
  readonly anew: Effect.Effect<void>
  /** How it ended, by what its tasks have answered so far. */
  readonly outcome: () => EvacuationOutcome
  /** Says how it ended and what to do now, on standard output. */
  readonly finish: (outcome: EvacuationOutcome) => Effect.Effect<void>
}

/** What is watched, and how. `deadline` is milliseconds since the epoch; `named` is the destination that the user named. */
export interface Options {
  readonly plan: Plan
  readonly project: string
  readonly deadline: number | undefined
  readonly named: string | undefined
  readonly drill: boolean
  readonly json: boolean
  readonly quiet: boolean
  readonly hint: Hint
}

type Watching = Pick<EvacuationView, "observer" | "say"> & { readonly stop: () => void }

/** Time between two looks into the incident's folder, milliseconds. */
const lookMillis = 500

const toStderr = (text: string): void => Standard.write(2, `${text}\n`)

const watchFolder = (facts: EvacuationFacts.EvacuationFacts, then: () => void): (() => void) => {
  const timer = setInterval(() => {
    EvacuationFacts.look(facts)
    then()
  }, lookMillis)
  return () => clearInterval(timer)
}

const silent: Omit<RunObserver, "onEvent"> = { onProgress: () => {}, onLog: () => {}, onWaiting: () => {} }

/** What an event says of a step to programs; undefined where it is of the run, or says nothing new of the step. */
export const stepJson = (facts: EvacuationFacts.EvacuationFacts, event: RunFacts.TimedEvent) => {
  if (!("task" in event.data)) return undefined
  const { task } = event.data
  const word = /^dev\.dandori\.(?:attempt|task)\.(.+)\.v1$/.exec(event.type)?.[1]
  if (word === undefined) return undefined
  const type = facts.run.plan.tasks.find(({ id }) => id === task)?.type
  const incident = EvacuationFacts.opened(facts)?.incident
  return {
    v: 1,
    kind: "evacuation",
    time: new Date(event.time).toISOString(),
    ...(event.run === undefined ? {} : { run: event.run }),
    ...(incident === undefined ? {} : { incident }),
    step: type?.startsWith("evacuate/") === true ? type.slice("evacuate/".length) : task,
    status: word,
    ...("millis" in event.data && event.data.millis !== undefined ? { millis: event.data.millis } : {}),
    ...("error" in event.data ? { error: event.data.error } : {}),
    ...("reason" in event.data ? { reason: event.data.reason } : {}),
    ...("output" in event.data ? { output: event.data.output } : {}),
  }
}

/** A JSON value a line for each thing that a step does, on standard output. */
const json = (facts: EvacuationFacts.EvacuationFacts): Watching => ({
  observer: {
    ...silent,
    onEvent: (event) => {
      RunFacts.add(facts.run, event)
      const line = event.replayed === true ? undefined : stepJson(facts, event)
      if (line !== undefined) Standard.write(1, `${JSON.stringify(line)}\n`)
    },
  },
  say: toStderr,
  stop: () => {},
})

/** Says what the incident's folder shows, each thing once: each collector that failed, and each tenth of the push. */
export const news = (facts: EvacuationFacts.EvacuationFacts): (() => ReadonlyArray<string>) => {
  const said = new Set<string>()
  let tenth = 0
  return () => {
    const failed = EvacuationFrame.troubles(facts).filter((line) => line.startsWith("collector ") && !said.has(line))
    for (const line of failed) said.add(line)
    const { progress } = facts.seen
    const much = EvacuationFrame.amounts(facts)
    if (progress === undefined || much === undefined || progress.bytes.total <= 0) return failed
    const now = Math.floor((progress.bytes.done / progress.bytes.total) * 10)
    if (now <= tenth) return failed
    tenth = now
    return [...failed, much]
  }
}

/** A line for each thing as it happens, on standard error. */
const lines = (facts: EvacuationFacts.EvacuationFacts, { quiet }: Options, now: () => number): Watching => {
  const { tasks } = facts.run.plan
  const width = tasks.reduce((most, { id }) => Math.min(32, Math.max(most, id.length)), 0)
  const colours = Output.colours(process.stderr)
  const look = news(facts)
  const tell = () => {
    for (const text of look()) if (!quiet) toStderr(`${timeOfDay(now())} ${pad("", width)}  ${text}`)
  }
  const stopLooking = watchFolder(facts, tell)
  if (facts.deadline !== undefined && !quiet) toStderr(EvacuationFrame.deadlineText(facts.deadline, now()))
  return {
    observer: {
      ...silent,
      onEvent: (event) => {
        const before = EvacuationFacts.opened(facts)
        RunFacts.add(facts.run, event)
        const line =
          event.replayed === true ? undefined : eventLine(facts.run, event, { width, colours, gravely: quiet })
        if (line !== undefined) toStderr(line)
        const place = EvacuationFacts.opened(facts)
        if (before === undefined && place !== undefined) toStderr(`incident ${place.incident}  ${place.folder}`)
      },
      onWaiting: (task, waiting) => {
        const seen = RunFacts.touch(facts.run, task)
        if (seen.waiting?.name !== waiting.name && !quiet) toStderr(waitingLine(task, waiting, now(), width))
        seen.waiting = waiting
      },
    },
    say: toStderr,
    stop: () => {
      stopLooking()
      EvacuationFacts.look(facts)
      tell()
    },
  }
}

/** A picture that is drawn again and again, on standard error. */
const live = Effect.fnUntraced(function* (facts: EvacuationFacts.EvacuationFacts, now: () => number) {
  const { logUpdateStderr } = yield* Effect.promise(() => import("log-update"))
  const stopLooking = watchFolder(facts, () => {})
  const view = LiveView.draw((at, terminal) => EvacuationFrame.frame(facts, at, terminal), logUpdateStderr, now)
  const watching: Watching = {
    observer: {
      onEvent: (event) => RunFacts.add(facts.run, event),
      onProgress: (task, progress) =>
        void (RunFacts.touch(facts.run, task).progress = EvacuationFrame.readable(progress)),
      onLog: (task, line) => {
        if (line.trim() !== "") RunFacts.touch(facts.run, task).log = line
      },
      onWaiting: (task, waiting) => void (RunFacts.touch(facts.run, task).waiting = waiting),
    },
    say: view.say,
    stop: () => {
      stopLooking()
      EvacuationFacts.look(facts)
      view.stop()
    },
  }
  return watching
})

/**
 * The view of an evacuation that suits where the words go: one live screen on a terminal, lines elsewhere, one JSON value
 * a line for programs. Standard output gets the end: what came of it and what to do now.
 */
export const make = (options: Options): Effect.Effect<EvacuationView, never, Scope.Scope> =>
  Effect.gen(function* () {
    const clock = yield* Clock.Clock
    const now = () => clock.currentTimeMillisUnsafe()
    const facts = EvacuationFacts.make(options.plan, options)
    const isTerminal = process.stderr.isTTY && process.env.TERM !== "dumb"
    const isLive = isTerminal && !options.json && !options.quiet
    const watching = options.json ? json(facts) : isLive ? yield* live(facts, now) : lines(facts, options, now)
    let stopped = false
    const stop = () => {
      if (!stopped) watching.stop()
      stopped = true
    }
    yield* Effect.addFinalizer(() => Effect.sync(stop))
    return {
      observer: watching.observer,
      say: watching.say,
      stop: Effect.sync(stop),
      left: Effect.sync(() => {
        stop()
        if (facts.run.state.phase === "ended") return
        const incident = EvacuationFacts.opened(facts)?.incident ?? ""
        watching.say(
          `The evacuation is interrupted, and what is away stays away. To go on: ${Statement.goOn(incident, options.hint)}`,
        )
      }),
      anew: Effect.sync(() => void (facts.run = RunFacts.make(options.plan))),
      outcome: () => EvacuationFacts.outcomeOf(facts),
      finish: (outcome) =>
        Effect.sync(() => {
          stop()
          const text = options.json
            ? JSON.stringify(Statement.statementJson(outcome, options.hint))
            : Statement.statement(outcome, Output.colours(process.stdout), options.hint)
          Standard.write(1, isLive && process.stdout.isTTY ? `\n${text}\n` : `${text}\n`)
        }),
    }
  })
