import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import { Ledger } from "../ledger/ledger.ts"
import * as AskedRuns from "./asked-runs.ts"
import * as Hint from "./hint.ts"
import * as Output from "./output.ts"
import * as ProjectReaders from "./project-readers.ts"
import * as RecordedRun from "../engine/recorded-run.ts"
import { dateTime, duration } from "./render/duration.ts"
import { clean, table } from "./render/line.ts"
import * as Standing from "../engine/standing.ts"
import * as Waits from "./render/waits.ts"

const colourOf = (status: string): typeof Output.green => {
  if (status === "succeeded") return Output.green
  if (status === "running" || status === "cancelling") return Output.cyan
  return status === "queued" || status === "warned" || status === "waiting" || status === "interrupted"
    ? Output.yellow
    : Output.red
}

/** The labels of a run's tasks: which workers may take them. None where its plan cannot be read. */
const labelsOf = (home: string, run: RecordedRun.RecordedRun) =>
  RecordedRun.planOf(home, run).pipe(
    Effect.map(({ tasks }) => [...new Set(tasks.flatMap(({ labels = [] }) => labels))].toSorted()),
    Effect.orElseSucceed((): ReadonlyArray<string> => []),
  )

/** The newest runs, at most `limit`, of those that have a task with each of the labels. */
const newest = Effect.fnUntraced(function* (
  home: string,
  ids: ReadonlyArray<string>,
  limit: number,
  wanted: ReadonlyArray<string>,
) {
  const found: Array<RecordedRun.RecordedRun> = []
  for (const id of ids.toReversed()) {
    if (found.length === limit) break
    const run = yield* RecordedRun.read(home, id)
    const labels = wanted.length === 0 ? [] : yield* labelsOf(home, run)
    if (wanted.every((label) => labels.includes(label))) found.push(run)
  }
  return found
})

/** How to go on with a run that nobody drives; undefined where there is nothing to go on with. */
export const resumeCommand = (
  { id, status }: { readonly id: string; readonly status: string },
  hint: Hint.Hint,
): string | undefined => (status === "interrupted" ? hint.either(`runs resume ${id}`) : undefined)

const toJson = (run: RecordedRun.RecordedRun, labels: ReadonlyArray<string>, hint: Hint.Hint) => {
  const resume = resumeCommand(run, hint)
  return {
    v: 1,
    kind: "run",
    run: run.id,
    pipeline: run.data?.pipeline,
    env: run.data?.env,
    status: run.status,
    ...(run.waits === undefined ? {} : { waiting: Standing.json(run.waits) }),
    created: new Date(run.created).toISOString(),
    durationMillis: run.durationMillis,
    who: run.who,
    labels,
    ...(run.fault === undefined ? {} : { damaged: run.fault.reason }),
    ...(resume === undefined ? {} : { resume }),
  }
}

/** A run as a row shows it. Times are milliseconds since the epoch. */
export interface Listed {
  readonly id: string
  readonly pipeline: string | undefined
  readonly env: string | undefined
  readonly status: string
  readonly waits?: Standing.Waits
  readonly owned: boolean
  readonly created: number
  readonly durationMillis: number | undefined
  /** Why its stream does not verify. */
  readonly damaged: string | undefined
}

/** Runs as a table for people. */
export const tableOf = (runs: ReadonlyArray<Listed>, now: number): string => {
  const on = Output.colours(process.stdout)
  const rows = runs.map((run) => [
    run.id,
    clean(run.pipeline ?? "?"),
    colourOf(run.status)(run.status.replace("_", " "), on),
    dateTime(run.created),
    run.durationMillis === undefined ? (run.owned ? duration(now - run.created) : "") : duration(run.durationMillis),
    run.env ?? "",
    run.damaged === undefined
      ? run.waits === undefined
        ? ""
        : `waits for ${Waits.text(run.waits, now)}`
      : Output.red(`damaged: ${clean(run.damaged)}`, on),
  ])
  const head = ["run", "pipeline", "status", "started", "took", "env", ""].map((word) => Output.dim(word, on))
  return table([head, ...rows]).join("\n")
}

/** Lists the newest runs of the ledger, newest first, before them those that wait to be created; with labels only those that have a task with each of them. */
export const listRuns = Effect.fnUntraced(function* (limit: number, labels: ReadonlyArray<string>) {
  const { env, flags, home, project } = yield* ProjectReaders.find
  const hint = yield* Hint.here
  const now = yield* Clock.currentTimeMillis
  yield* Effect.gen(function* () {
    const all = yield* (yield* Ledger).runs
    const waiting = labels.length > 0 ? [] : (yield* AskedRuns.waiting).slice(0, limit)
    const runs = yield* newest(home, all, limit - waiting.length, labels)
    if (flags.json) {
      for (const { created, id, ...rest } of waiting) {
        yield* Output.json({
          v: 1,
          kind: "run",
          run: id,
          ...rest,
          status: "queued",
          created: new Date(created).toISOString(),
        })
      }
      const line = (run: RecordedRun.RecordedRun) =>
        Effect.flatMap(labelsOf(home, run), (own) => Output.json(toJson(run, own, hint)))
      return yield* Effect.forEach(runs, line, { discard: true })
    }
    if (runs.length === 0 && labels.length > 0) {
      return yield* Output.message(
        `No run has a task with ${labels.map((label) => `the label ${label}`).join(" and ")}.`,
      )
    }
    if (all.length + waiting.length === 0)
      return yield* Output.message(`The ledger has no runs yet. Start one: ${hint.either("run PIPELINE")}`)
    const asked = waiting.map((one): Listed => ({
      ...one,
      status: "queued",
      owned: false,
      durationMillis: undefined,
      damaged: undefined,
    }))
    const listed = runs.map((run): Listed => {
      const { data, fault } = run
      return { ...run, pipeline: data?.pipeline, env: data?.env, damaged: fault?.reason }
    })
    yield* Output.data(tableOf([...asked, ...listed], now))
    if (flags.quiet) return
    if (waiting.length > 0)
      yield* Output.message(`queued: it waits to begin in the daemon; ${hint.either("runs show RUN")} tells since when`)
    if (all.length > runs.length && labels.length === 0)
      yield* Output.message(`${runs.length} of ${all.length} runs; --limit N shows more`)
    for (const run of runs) {
      const resume = resumeCommand(run, hint)
      const why = RecordedRun.isAnswered(run) ? "answered" : "interrupted"
      if (resume !== undefined) yield* Output.message(`${why}; to go on with it: ${resume}`)
    }
  }).pipe(Effect.provide(ProjectReaders.ledger({ project, home, env })))
})
