import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as Durability from "../domain/durability.ts"
import { taskOf } from "../engine/run-state.ts"
import type { AskedRun } from "./asked-runs.ts"
import * as Hint from "./hint.ts"
import * as Output from "./output.ts"
import * as ProjectReaders from "./project-readers.ts"
import * as RecordedRun from "../engine/recorded-run.ts"
import * as RunChoice from "./run-choice.ts"
import { dateTime, duration, timeOfDay } from "./render/duration.ts"
import { loadLarge } from "./render/large-outputs.ts"
import * as Instances from "../engine/instances.ts"
import { clean, table } from "./render/line.ts"
import { type RunFacts, taskFacts } from "../engine/run-facts.ts"
import { tasksJson } from "../engine/tasks-json.ts"
import { version } from "./render/run-json.ts"
import { type TaskResult, resultsOf } from "./render/run-results.ts"
import * as Standing from "../engine/standing.ts"
import * as RunSummary from "./render/run-summary.ts"
import { resumeCommand } from "./runs-list.ts"

const shown = (value: unknown): string => clean(typeof value === "string" ? value : (JSON.stringify(value) ?? ""))

const shownParams = (params: Readonly<Record<string, unknown>> = {}) => {
  const values = Object.entries(params).map(([name, value]) => `${name}=${shown(value)}`)
  return values.length === 0 ? [] : [["params", values.join("  ")]]
}

/** What is known of a run before it is created. */
const askedFor = ({ calledOff, env, params, plan, since, tick, who }: AskedRun): ReadonlyArray<string> =>
  table([
    ["asked for", `${dateTime(since)} by ${clean(who)}, env ${env}`],
    ["plan", plan],
    ...shownParams(params),
    ...(tick === undefined ? [] : [["tick", tick]]),
    ...(calledOff === undefined ? [] : [["called off", clean(`by ${calledOff.by}: ${calledOff.reason}`)]]),
  ])

const origin = (run: RecordedRun.RecordedRun): ReadonlyArray<string> => {
  const { data } = run
  if (data === undefined) return []
  const held = RecordedRun.heldBy(run)
  return table([
    ["started", `${dateTime(run.created)} by ${clean(run.who)}, env ${data.env}`],
    ["plan", data.plan],
    ["code", data.code],
    ["durability", Durability.text(data)],
    ...shownParams(data.params),
    ...(data.tick === undefined ? [] : [["tick", data.tick]]),
    ...(data.from === undefined ? [] : [["from", `run ${data.from}`]]),
    ...(data.only === undefined ? [] : [["only", data.only]]),
    ...(held === undefined ? [] : [["held", clean(`by cordon ${held.cordon}: ${held.reason}`)]]),
    [
      "ledger",
      `${run.entries.length} events, ${run.fault === undefined ? "chain intact" : `DAMAGED: ${run.fault.reason}`}`,
    ],
  ])
}

/** Each task, and after a matrix its instances. */
const shownIds = (facts: RunFacts): ReadonlyArray<string> =>
  facts.plan.tasks.flatMap(({ id }) => [id, ...Instances.idsOf(facts, id)])

/** Every try of the tasks that needed more than one. */
const attempts = (facts: RunFacts): ReadonlyArray<string> =>
  table(
    shownIds(facts).flatMap((id) => {
      const tries = taskFacts(facts, id).attempts
      return tries.length < 2
        ? []
        : tries.map(({ attempt, ended, error, reason, result, started }) => [
            id,
            `attempt ${attempt}`,
            timeOfDay(started),
            result?.replace("_", " ") ?? "open",
            ended === undefined ? "" : duration(ended - started),
            clean((error?.message ?? reason ?? "").split("\n")[0]).slice(0, 120),
          ])
    }),
  )

const receipts = (facts: RunFacts): ReadonlyArray<string> =>
  table(
    shownIds(facts).flatMap((id) =>
      (taskOf(facts.state, id).receipts ?? []).map(({ sha256 }) => [id, `sha256:${sha256}`]),
    ),
  )

const next = (run: RecordedRun.RecordedRun, hint: Hint.Hint): ReadonlyArray<string> => {
  const resume = resumeCommand(run, hint)
  if (resume === undefined) return []
  return RecordedRun.isAnswered(run)
    ? ["Its answer is recorded, and no process drives it. To go on with it:", resume]
    : ["Its process ended before the run did. To go on with it:", resume]
}

/** What is shown of a run beside its facts. */
export interface Shown {
  /** Where its artifacts lie; empty where that is on another machine. */
  readonly home: string
  readonly results: ReadonlyArray<TaskResult>
  /** Milliseconds since the epoch; for a run that nobody drives, when its last event was. */
  readonly now: number
  readonly json: boolean
  /** How it was asked for, where nothing else is known of it. */
  readonly asked?: AskedRun
}

/** Shows a run. */
export const present = Effect.fnUntraced(function* (
  run: RecordedRun.RecordedRun,
  facts: RunFacts,
  { asked, home, json, now, results: found }: Shown,
) {
  const hint = yield* Hint.here
  if (json) {
    const { data, status } = run
    const resume = resumeCommand(run, hint)
    const held = RecordedRun.heldBy(run)
    const { run: _, since: __, ...about } = asked ?? {}
    const durationMillis = run.durationMillis ?? now - run.created
    return yield* Output.json({
      v: version,
      kind: "run",
      run: run.id,
      status,
      ...(run.waits === undefined ? {} : { waiting: Standing.json(run.waits) }),
      who: run.who,
      pipeline: facts.plan.id,
      ...data,
      ...about,
      ...(data === undefined ? {} : { lossWindowMillis: Durability.lossWindowMillis(data) }),
      created: new Date(run.created).toISOString(),
      durationMillis,
      ...(resume === undefined ? {} : { resume }),
      ...(RecordedRun.isAnswered(run) ? { answered: true } : {}),
      ...(held === undefined ? {} : { held }),
      ...(run.fault === undefined ? {} : { damaged: run.fault.reason }),
      tasks: tasksJson(facts, now),
      results: found,
    })
  }
  const colours = Output.colours(process.stdout)
  const status = RecordedRun.isAnswered(run) ? "answered" : run.status
  const options: RunSummary.SummaryOptions = {
    run: run.id,
    hint,
    status,
    home,
    colours,
    now,
    ...(run.waits === undefined ? {} : { waits: run.waits }),
  }
  const part = (title: string, lines: ReadonlyArray<string>) => RunSummary.part(title, lines, colours)
  yield* Output.data(
    [
      RunSummary.headline(facts, options),
      ...(asked === undefined ? origin(run) : askedFor(asked)).map((line) => `  ${line}`),
      ...part("Tasks", RunSummary.taskTable(facts, options)),
      ...part("Attempts", attempts(facts)),
      ...part("Receipts", receipts(facts)),
      ...part("Results", RunSummary.results(found, options)),
      ...part("What went wrong", RunSummary.failures(facts, options)),
      ...part("Next", next(run, hint)),
    ].join("\n"),
  )
})

/** Shows a run that waits to begin. */
const showAsked = Effect.fnUntraced(function* (home: string, asked: AskedRun, json: boolean) {
  const { plan, run: id, since, who } = asked
  const run: RecordedRun.RecordedRun = {
    id,
    status: "queued",
    owned: false,
    created: since,
    durationMillis: undefined,
    data: undefined,
    who,
    entries: [],
    fault: undefined,
  }
  const facts = RecordedRun.factsOf(yield* RecordedRun.planAt(home, id, plan), run)
  const now = yield* Clock.currentTimeMillis
  yield* present(run, facts, { home, results: [], now, json, asked })
})

/** Shows what the ledger tells of one run. */
export const showRun = Effect.fnUntraced(function* (name: string) {
  const { env, flags, home, project } = yield* ProjectReaders.find
  const run = yield* RunChoice.choose(name).pipe(
    Effect.flatMap((id) => RecordedRun.read(home, id)),
    Effect.catchTag("RunNotBegun", ({ asked }) => Effect.as(showAsked(home, asked, flags.json), undefined)),
    Effect.provide(ProjectReaders.ledger({ project, home, env })),
  )
  if (run === undefined) return
  const facts = RecordedRun.factsOf(yield* RecordedRun.planOf(home, run), run)
  const last = run.entries.at(-1)
  const now = run.owned ? yield* Clock.currentTimeMillis : Date.parse(last?.time ?? "")
  const results = resultsOf(facts, yield* loadLarge(home, facts))
  yield* present(run, facts, { home, results, now, json: flags.json })
})
