import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import type { Plan } from "../../domain/plan.ts"
import type { RunResult } from "../../engine/run.ts"
import type { RunObserver } from "../../services/observer.ts"
import * as WorkspaceFiles from "../../services/workspace-files.ts"
import type { Hint } from "../hint.ts"
import * as Output from "../output.ts"
import { timeOfDay } from "./duration.ts"
import { eventLine, waitingLine } from "./event-line.ts"
import { loadLarge } from "./large-outputs.ts"
import * as LiveView from "./live-view.ts"
import * as RunFacts from "../../engine/run-facts.ts"
import { eventJson, resultJson, waitingJson } from "./run-json.ts"
import { resultsOf } from "./run-results.ts"
import * as ReportLinks from "./report-links.ts"
import * as RunSummary from "./run-summary.ts"
import { count } from "../plain-text.ts"
import * as Standard from "../standard-streams.ts"

/** How a person or a program watches a run. */
export interface RunView {
  readonly observer: RunObserver
  /** A line beside the view, on standard error. */
  readonly say: (text: string) => void
  /** Ends what is live; the last picture stays. */
  readonly stop: Effect.Effect<void>
  /** Says how to go on with a run that is left before its end. */
  readonly left: Effect.Effect<void>
  /** Says how the run ended and what came of it, on standard output. */
  readonly finish: (result: RunResult) => Effect.Effect<void>
}

/** What is watched, and how. */
export interface Options {
  readonly plan: Plan
  readonly project: string
  readonly json: boolean
  readonly quiet: boolean
  readonly hint: Hint
  /** Whether its artifacts are on another machine. */
  readonly isRemote?: boolean
}

/** The view while the run goes on. */
type Watching = Pick<RunView, "observer" | "say"> & { readonly stop: () => void }

const toStderr = (text: string): void => Standard.write(2, `${text}\n`)

/** One JSON value a line for each event, on standard output. */
const json = (facts: RunFacts.RunFacts, now: () => number): Watching => ({
  observer: {
    onEvent: (event) => {
      RunFacts.add(facts, event)
      if (event.replayed !== true) Standard.write(1, `${JSON.stringify(eventJson(event))}\n`)
    },
    onProgress: () => {},
    onLog: () => {},
    onWaiting: (task, waiting) => Standard.write(1, `${JSON.stringify(waitingJson(facts, task, waiting, now()))}\n`),
  },
  say: toStderr,
  stop: () => {},
})

/** A line for each event worth reading that a resumed run does not replay. */
const lines = ({ plan, quiet }: Options, facts: RunFacts.RunFacts, began: number, now: () => number): Watching => {
  const width = Math.min(
    32,
    plan.tasks.reduce((most, { id }) => Math.max(most, id.length), plan.id.length),
  )
  const colours = Output.colours(process.stderr)
  if (!quiet) toStderr(`${timeOfDay(began)} ${plan.id.padEnd(width)}  ${count(plan.tasks.length, "task", "tasks")}`)
  return {
    observer: {
      onEvent: (event) => {
        RunFacts.add(facts, event)
        const line = event.replayed === true ? undefined : eventLine(facts, event, { width, colours, gravely: quiet })
        if (line !== undefined) toStderr(line)
      },
      onProgress: () => {},
      onLog: () => {},
      onWaiting: (task, waiting) => {
        const seen = RunFacts.touch(facts, task)
        // Said once for each thing: the holders ahead of it may change many times.
        if (seen.waiting?.name !== waiting.name && !quiet) toStderr(waitingLine(task, waiting, now(), width))
        seen.waiting = waiting
      },
    },
    say: toStderr,
    stop: () => {},
  }
}

/** What is said beside a picture, which does not show it. */
const isOfLedger = ({ type }: RunFacts.TimedEvent) =>
  type === "dev.dandori.ledger.stalled.v1" || type === "dev.dandori.ledger.recovered.v1"

/** A picture that is drawn again and again. */
const live = Effect.fnUntraced(function* (facts: RunFacts.RunFacts, now: () => number) {
  const { logUpdateStderr } = yield* Effect.promise(() => import("log-update"))
  const view = LiveView.start(facts, logUpdateStderr, now)
  const colours = Output.colours(process.stderr)
  const watching: Watching = {
    observer: {
      onEvent: (event) => {
        RunFacts.add(facts, event)
        if (event.replayed === true || !isOfLedger(event)) return
        const line = eventLine(facts, event, { width: facts.plan.id.length, colours, gravely: false })
        if (line !== undefined) view.say(line)
      },
      onProgress: (task, progress) => void (RunFacts.touch(facts, task).progress = progress),
      onLog: (task, line) => {
        if (line.trim() !== "") RunFacts.touch(facts, task).log = line
      },
      onWaiting: (task, waiting) => void (RunFacts.touch(facts, task).waiting = waiting),
    },
    say: view.say,
    stop: view.stop,
  }
  return watching
})

/** The results of a run whose artifacts are on this machine, and the names of its reports. */
const here = Effect.fnUntraced(function* (project: string, facts: RunFacts.RunFacts, run: string) {
  const { home } = yield* WorkspaceFiles.findProject(process.cwd(), process.env.DANDORI_HOME).pipe(
    Effect.orElseSucceed(() => ({ home: `${project}/.dandori` })),
  )
  const results = resultsOf(facts, yield* loadLarge(home, facts))
  ReportLinks.make(home, run, results)
  return { home, results }
})

/** The results of a run whose artifacts are on another machine: nothing here opens its reports. */
const elsewhere = (facts: RunFacts.RunFacts) =>
  resultsOf(facts, new Map()).map((result) => ({ ...result, reports: [] }))

/**
 * The view that suits where the words go: a live picture on a terminal, lines elsewhere, one JSON value a line for
 * programs. Standard error shows the run, standard output gets the summary, or all of the JSON.
 */
export const make = (options: Options): Effect.Effect<RunView, never, Scope.Scope> =>
  Effect.gen(function* () {
    const clock = yield* Clock.Clock
    const now = () => clock.currentTimeMillisUnsafe()
    const began = now()
    const facts = RunFacts.make(options.plan)
    const isTerminal = process.stderr.isTTY && process.env.TERM !== "dumb"
    const isLive = isTerminal && !options.json && !options.quiet
    const watching = options.json
      ? json(facts, now)
      : isLive
        ? yield* live(facts, now)
        : lines(options, facts, began, now)
    yield* Effect.addFinalizer(() => Effect.sync(watching.stop))

    const finish = Effect.fnUntraced(function* (result: RunResult) {
      watching.stop()
      facts.state = result.state
      const { home, results } = yield* options.isRemote === true
        ? Effect.succeed({ home: "", results: elsewhere(facts) })
        : here(options.project, facts, result.run)
      const end = now()
      const { incomplete, run } = result
      if (options.json) {
        return Standard.write(1, `${JSON.stringify(resultJson(facts, run, results, end, incomplete))}\n`)
      }
      const colours = Output.colours(process.stdout)
      const { hint, quiet } = options
      const table = !isLive || !process.stdout.isTTY
      const lacks = incomplete === undefined ? {} : { incomplete }
      const summary = RunSummary.summary(facts, results, { run, home, hint, colours, now: end, table, quiet, ...lacks })
      Standard.write(1, table ? `${summary}\n` : `\n${summary}\n`)
    })
    const left = Effect.sync(() => {
      watching.stop()
      if (facts.run === undefined || facts.state.phase === "ended") return
      watching.say(`The run is interrupted. To go on with it: ${options.hint.either(`runs resume ${facts.run}`)}`)
    })
    return { observer: watching.observer, say: watching.say, stop: Effect.sync(watching.stop), left, finish }
  })
